"""Say which permissions a call needs besides that of its own action."""

from __future__ import annotations

from collections.abc import Callable

from support.iam.resources import RESOURCES
from support.iam.values import Account, Parameters, Request, ResourceOf

#: Returns the further permissions that a call needs.
Rule = Callable[[Parameters, Account], list[Request]]

LAMBDA, SCHEDULER, S3 = "lambda.amazonaws.com", "scheduler.amazonaws.com", "s3.amazonaws.com"
#: What Lambda looks at on behalf of the caller: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
NETWORK = ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs")


def _tagging(action: str, key: str = "Tags", resource: ResourceOf | None = None) -> Rule:
    """Return a rule: a resource that is created with tags needs the right to tag it, too."""

    def also(parameters: Parameters, account: Account) -> list[Request]:
        if not parameters.get(key):
            return []
        named = resource or RESOURCES[action.partition(":")[0]]
        return [Request(action, named(parameters, account))]

    return also


def _passing(service: str, role_of: Callable[[Parameters], str | None]) -> Rule:
    """Return a rule: passing a role to a service needs iam:PassRole.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    """

    def also(parameters: Parameters, account: Account) -> list[Request]:
        role = role_of(parameters)
        return [Request("iam:PassRole", role, {"iam:PassedToService": service})] if role else []

    return also


def _network(parameters: Parameters, account: Account) -> list[Request]:
    if not parameters.get("VpcConfig", {}).get("SubnetIds"):
        return []
    return [Request(action, "*") for action in NETWORK]


def _code(parameters: Parameters, account: Account) -> list[Request]:
    """Return the right to read the code in S3, which Lambda reads on behalf of the caller.

    See https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html
    """
    code = parameters.get("Code", parameters)
    if "S3Bucket" not in code:
        return []
    return [Request("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")]


def _untagged_log_group(parameters: Parameters, account: Account) -> str:
    return account.arn("logs", f"log-group:{parameters['logGroupName']}")


#: The further rights that calls need.
ALSO: dict[str, tuple[Rule, ...]] = {
    "events:PutRule": (_tagging("events:TagResource"),),
    "iam:CreateRole": (_tagging("iam:TagRole"),),
    "lambda:CreateFunction": (
        _passing(LAMBDA, lambda parameters: parameters["Role"]),
        _tagging("lambda:TagResource"),
        _network,
        _code,
    ),
    "lambda:UpdateFunctionCode": (_code,),
    "lambda:UpdateFunctionConfiguration": (
        _passing(LAMBDA, lambda parameters: parameters.get("Role")),
        _network,
    ),
    "logs:CreateLogGroup": (_tagging("logs:TagResource", "tags", _untagged_log_group),),
    "s3:PutBucketReplication": (
        _passing(S3, lambda parameters: parameters["ReplicationConfiguration"]["Role"]),
    ),
    "scheduler:CreateSchedule": (_passing(SCHEDULER, lambda parameters: parameters["Target"]["RoleArn"]),),
    "scheduler:UpdateSchedule": (_passing(SCHEDULER, lambda parameters: parameters["Target"]["RoleArn"]),),
    "sqs:CreateQueue": (_tagging("sqs:TagQueue", "tags"),),
    "ssm:PutParameter": (_tagging("ssm:AddTagsToResource"),),
}
