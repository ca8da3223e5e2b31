"""Refuse the calls of a user that a policy does not allow, and record what AWS checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from support.iam.requests import requests_of
from support.iam.values import Account, Request, RolePath, distinct
from support.policies import actions_of, without

#: AWS's message: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
MESSAGE = (
    "User: {user} is not authorized to perform: {action} on resource: {resource}"
    " because no identity-based policy allows the {action} action"
)

#: The messages of services that name a right in another way. The tests of `denials` say where they were seen.
LOGS_MESSAGE = "User: {user} is not authorized to perform CreateLogGroup with Tags"
LAMBDA_MESSAGE = (
    "Your access has been denied by {service}, please make sure your request credentials have permission to"
    " {operation} for {resource}."
)


class Operator:
    """A user whose calls are allowed by one policy only.

    Parameters
    ----------
    account : str
    access_key : str
        Identifies the user's calls. Other calls are not checked.
    policy : dict
    role_path : callable
        Returns the path of a role by its name, or None if there is no such role.

    Attributes
    ----------
    requests : list of Request
        All that was checked, in order.
    denied : list of Request
    """

    def __init__(self, account: str, access_key: str, policy: dict[str, Any], role_path: RolePath) -> None:
        self.account = account
        self.access_key = access_key
        self.policy = policy
        self.requests: list[Request] = []
        self.denied: list[Request] = []
        self._role_path = role_path
        self._mapped_functions: dict[str, str] = {}

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Enforce the policy on all clients of this process."""
        # botocore's stubs leave out the method that every call of every client goes through.
        clients: Any = BaseClient
        call = clients._make_api_call

        def checked(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            credentials = client._request_signer._credentials
            if credentials is None or credentials.access_key != self.access_key:
                return call(client, operation, parameters)
            self._check(client, operation, parameters)
            answer = call(client, operation, parameters)
            self._learn(operation, answer)
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", checked)
            yield

    def unneeded(self) -> list[str]:
        """Return the statements and actions of the policy without which nothing would have been denied."""
        checked = distinct(self.requests)
        statements = self.policy["Statement"]
        without_statement = {
            each["Sid"]: {"Statement": [other for other in statements if other != each]}
            for each in statements
        }
        without_action = {
            f"{each['Sid']} {action}": without(self.policy, action, each["Sid"])
            for each in statements
            for action in actions_of(each)
        }
        smaller = without_statement | without_action
        return [name for name, policy in smaller.items() if allow_all(policy, checked)]

    def _check(self, client: Any, operation: str, parameters: dict[str, Any]) -> None:
        account = Account(self.account, client.meta.region_name, self._role_path, self._mapped_functions)
        for request in requests_of(client.meta.service_model.service_name, operation, parameters, account):
            self.requests.append(request)
            if not allow_all(self.policy, [request]):
                self.denied.append(request)
                raise _denial(client, operation, request, f"arn:aws:iam::{self.account}:user/operator")

    def _learn(self, operation: str, answer: Any) -> None:
        """Remember which function an event source mapping is of."""
        if operation == "CreateEventSourceMapping":
            self._mapped_functions[answer["UUID"]] = answer["FunctionArn"]
        elif operation == "ListEventSourceMappings":
            found = answer["EventSourceMappings"]
            self._mapped_functions |= {each["UUID"]: each["FunctionArn"] for each in found}


def allow_all(policy: dict[str, Any], requests: Iterable[Request]) -> bool:
    """Return whether a policy allows all that AWS checks."""
    statements = parse_policy_document(json.dumps(policy))
    return all(evaluate(_context(request), [statements]).decision == "Allow" for request in requests)


def _context(request: Request) -> EvalContext:
    return EvalContext(
        principal_arn="arn:aws:iam::000000000000:user/operator",
        principal_type="User",
        principal_account="000000000000",
        action=request.action,
        resource_arn=request.resource,
        region="us-east-1",
        service_context={key.lower(): value for key, value in request.context.items()},
    )


def _denial(client: Any, operation: str, request: Request, user: str) -> Exception:
    model = client.meta.service_model.operation_model(operation)
    head = model.http["method"] == "HEAD"
    code = {"s3": "AccessDenied", "iam": "AccessDenied", "sqs": "AccessDenied"}.get(
        client.meta.service_model.service_name, "AccessDeniedException"
    )
    message = _message(operation, request, user)
    # An answer to HEAD has no body.
    error: Any = {"Code": "403", "Message": "Forbidden"} if head else {"Code": code, "Message": message}
    metadata: Any = {"HTTPStatusCode": 403, "HTTPHeaders": {}}
    return ClientError({"Error": error, "ResponseMetadata": metadata}, operation)


def _message(operation: str, request: Request, user: str) -> str:
    service, _, name = request.action.partition(":")
    if (operation, name) == ("CreateLogGroup", "TagResource"):
        return LOGS_MESSAGE.format(user=user)
    if service in ("ec2", "s3") and operation.endswith(("Function", "FunctionCode", "FunctionConfiguration")):
        return LAMBDA_MESSAGE.format(service=service.upper(), operation=name, resource=request.resource)
    return MESSAGE.format(user=user, action=request.action, resource=request.resource)
