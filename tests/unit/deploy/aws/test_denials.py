"""Understanding AWS's messages about denied calls: who can change what, and whether an allow helps."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.deploy.aws.denials import ALLOW, Denial, policy_that_allows
from pypicloud_s3sync.deploy.aws.errors import translated
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import refusal

USER = "User: arn:aws:iam::777788889999:user/MaryMajor is not authorized to perform:"
ROLE = "User: arn:aws:sts::111122223333:assumed-role/deploy/i-0b7c is not authorized to perform:"

#: Messages of AWS that an IAM policy of the caller answers, with the action and the ARN that they name.
ALLOWABLE = {
    "identity": (
        f"{USER} codecommit:ListRepositories because no identity-based policy allows the"
        " codecommit:ListRepositories action",
        "codecommit:ListRepositories",
        "",
    ),
    "S3 quotes the resource": (
        f'{USER} s3:GetBucketNotification on resource: "arn:aws:s3:::amzn-s3-demo-bucket" because no'
        " identity-based policy allows the s3:GetBucketNotification action",
        "s3:GetBucketNotification",
        "arn:aws:s3:::amzn-s3-demo-bucket",
    ),
    # https://github.com/aws/aws-cdk/issues/27067
    "IAM names a role without its ARN": (
        f"{USER} iam:GetRole on resource: role pypicloud_s3_sync because no identity-based policy allows the"
        " iam:GetRole action",
        "iam:GetRole",
        "",
    ),
    "a full stop": (
        f"{ROLE} lambda:GetFunction on resource: arn:aws:lambda:eu-west-1:111122223333:function:sync.",
        "lambda:GetFunction",
        "arn:aws:lambda:eu-west-1:111122223333:function:sync",
    ),
    # https://github.com/awspring/spring-cloud-aws/issues/861
    "SQS writes the action in lower case": (
        f"{ROLE} sqs:createqueue on resource: arn:aws:sqs:eu-west-1:111122223333:q because no identity-based"
        " policy allows the sqs:createqueue action",
        "sqs:createqueue",
        "arn:aws:sqs:eu-west-1:111122223333:q",
    ),
    # https://github.com/elastic/apm-aws-lambda/issues/526
    "CloudWatch Logs names a stream of the log group": (
        f"{ROLE} logs:CreateLogGroup on resource: arn:aws:logs:eu-central-1:111122223333:log-group:/aws/"
        "lambda/sync:log-stream: because no identity-based policy allows the logs:CreateLogGroup action",
        "logs:CreateLogGroup",
        "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/sync:*",
    ),
    # https://github.com/hashicorp/terraform-provider-aws/issues/8804
    "CloudWatch Logs names no log group": (
        f"{ROLE} logs:DescribeLogGroups on resource: arn:aws:logs:eu-central-1:111122223333:log-group::log-"
        "stream: because no identity-based policy allows the logs:DescribeLogGroups action",
        "logs:DescribeLogGroups",
        "arn:aws:logs:eu-central-1:111122223333:log-group:*",
    ),
    # https://github.com/awslabs/aws-well-architected-labs/pull/747
    "CloudWatch Logs does not name the missing action": (
        "User with accountId: 111122223333 is not authorized to perform CreateLogGroup with Tags",
        "logs:TagResource",
        "",
    ),
    "nothing but a refusal": ("Access Denied", "", ""),
    "HEAD": ("Forbidden", "", ""),
}

#: Messages that no allow answers, with whom to ask. Most have the forms of
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
DENIED = {
    # https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2322
    "SCP": (
        f"{USER} iam:CreateRole on resource: arn:aws:iam::777788889999:role/r with an explicit deny in a"
        " service control policy",
        ("service control policy", "denies it", "administrator of the AWS organization"),
    ),
    "SCP with its ARN": (
        f"{USER} kms:DisableKey on resource: arn:aws:kms:eu-west-1:777788889999:key/k with an explicit"
        " deny in a service control policy:"
        " arn:aws:organizations::111122223333:policy/o-a/service_control_policy/p-0",
        ("service control policy", "denies it", "administrator of the AWS organization"),
    ),
    "SCP without an allow": (
        f"{USER} s3:GetObject because no service control policy allows the s3:GetObject action",
        ("service control policy", "does not allow it", "administrator of the AWS organization"),
    ),
    "RCP": (
        f"{USER} sqs:GetQueueUrl on resource: arn:aws:sqs:eu-west-1:777788889999:q with an explicit deny in a"
        " resource control policy",
        ("resource control policy", "administrator of the AWS organization"),
    ),
    "boundary": (
        f"{USER} ec2:RunInstances on resource: arn:aws:ec2:eu-west-1:548387266019:instance/* with an explicit"
        " deny in a permissions boundary: arn:aws:iam::548387266019:policy/lab-boundary.",
        ("permissions boundary", "denies it", "administrator of the AWS account"),
    ),
    "boundary without an allow": (
        f"{ROLE} sqs:ListQueues on resource: arn:aws:sqs:us-east-1:429418377036: because no permissions"
        " boundary allows the sqs:ListQueues action",
        ("permissions boundary", "does not allow it", "administrator of the AWS account"),
    ),
    "session": (
        f"{ROLE} lambda:GetFunction on resource: arn:aws:lambda:eu-west-1:111122223333:function:f because no"
        " session policy allows the lambda:GetFunction action",
        ("session", "credentials"),
    ),
    "bucket policy": (
        f'{ROLE} s3:PutObject on resource: "arn:aws:s3:::b/k" with an explicit deny in a resource-based'
        " policy",
        ("the resource's own policy", "denies it", "bucket"),
    ),
    # https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
    "key policy": (
        f"{ROLE} kms:Decrypt on this resource because the resource does not exist in this Region, no"
        " resource-based policies allow access, or a resource-based policy explicitly denies access",
        ("the resource's own policy", "does not allow it"),
    ),
    "VPC endpoint": (
        f"{ROLE} sqs:GetQueueUrl on resource: arn:aws:sqs:eu-west-1:111122223333:q because no VPC endpoint"
        " policy allows the sqs:GetQueueUrl action",
        ("VPC endpoint", "does not allow it"),
    ),
    "identity": (
        f'{USER} s3:ListBucket on resource: "arn:aws:s3:::b" with an explicit deny in an identity-based'
        " policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
        ("a policy of the caller", "denies it"),
    ),
    "of an older service": (
        f"{USER} ec2:RunInstances on resource: arn:aws:ec2:eu-west-1:777788889999:instance/* with an explicit"
        " deny",
        ("denies it", "administrator"),
    ),
    "a type of policy that is not known yet": (
        f"{USER} s3:ListBucket because no future perimeter policy allows the s3:ListBucket action",
        ("does not allow it", "administrator"),
    ),
}


@pytest.mark.parametrize(("message", "action", "resource"), ALLOWABLE.values(), ids=ALLOWABLE)
def test_a_missing_allow_is_offered_for_the_action_and_resource_that_aws_names(
    message: str, action: str, resource: str
) -> None:
    denial = Denial.of(message)
    assert (denial.action, denial.resource) == (action, resource)
    assert denial.allowable
    assert denial.remedy == ALLOW


@pytest.mark.parametrize(("message", "fragments"), DENIED.values(), ids=DENIED)
def test_a_denial_that_no_allow_overrides_names_who_can_change_it(
    message: str, fragments: tuple[str, ...]
) -> None:
    with pytest.raises(AwsError) as raised, translated("s3:ListBucket", "the bucket b"):
        raise refusal("AccessDeniedException", message)
    text = str(raised.value)
    for fragment in fragments:
        assert fragment in text, text
    assert ALLOW not in text
    assert policy_that_allows(raised.value) is None


@pytest.mark.parametrize(("message", "action", "resource"), ALLOWABLE.values(), ids=ALLOWABLE)
def test_the_policy_that_is_offered_names_only_arns(message: str, action: str, resource: str) -> None:
    with pytest.raises(AwsError) as raised, translated("s3:ListBucket", "the bucket b"):
        raise refusal("AccessDenied", message)
    policy = policy_that_allows(raised.value)
    assert policy is not None
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": action or "s3:ListBucket", "Resource": resource or "*"}
    ]


@pytest.mark.parametrize("action", ["DescribeSecurityGroups", "DescribeSubnets"])
def test_a_network_that_lambda_may_not_see_for_the_caller_names_the_action_of_ec2(action: str) -> None:
    # https://github.com/serverless/serverless/issues/8209
    reason = (
        f"Your access has been denied by EC2, please make sure your request credentials have permission to"
        f" {action} for sg-0ccc. EC2 Error Code: UnauthorizedOperation. EC2 Error Message: You are not"
        " authorized to perform this operation."
    )
    assert Denial.of(reason).action == f"ec2:{action}"


def test_a_bundle_that_lambda_may_not_read_for_the_caller_names_the_action_of_s3() -> None:
    # https://github.com/awslabs/lambda-streams-to-firehose/issues/21
    reason = (
        "Your access has been denied by S3, please make sure your request credentials have permission to"
        " GetObject for bundles/sync.zip. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
    )
    assert Denial.of(reason).action == "s3:GetObject"


#: https://github.com/tryolabs/aws-workshop/issues/6
OLD_KMS = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or"
    " you are not allowed to access. (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException;"
    " Request ID: 5f642215)"
)


@pytest.mark.parametrize("code", ["AccessDeniedException", "KMS.AccessDeniedException"])
def test_no_policy_for_every_key_is_offered_if_kms_does_not_name_the_key(code: str) -> None:
    with pytest.raises(AwsError) as raised, translated("ssm:GetParameter", "the parameter"):
        raise refusal(code, OLD_KMS)
    assert ALLOW in str(raised.value)
    assert raised.value.action == "kms:Decrypt", "ssm:GetParameter is allowed"
    assert policy_that_allows(raised.value) is None
