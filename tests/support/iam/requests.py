"""Say which permissions AWS requires for a call, on which resources.

The sources are the Service Authorization Reference, with which a test compares each of them,
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
and for what a call needs besides its own action, the pages that :mod:`.resources` and :mod:`.further` name.
"""

from __future__ import annotations

from support.iam.further import ALSO
from support.iam.resources import RESOURCES, SPECIAL
from support.iam.values import Account, Parameters, Request

#: The actions of operations whose names differ, or that are permitted by the right of another operation.
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:UploadPart": "s3:PutObject",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
#: The operations that need no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = {"sts:GetCallerIdentity"}


def requests_of(service: str, operation: str, parameters: Parameters, account: Account) -> list[Request]:
    """Return the permissions that AWS requires for a call.

    Raises
    ------
    KeyError
        If the tables do not say what the call needs.
    """
    name = f"{service}:{operation}"
    if name in FREE:
        return []
    action = ACTIONS.get(name, name)
    if name in SPECIAL:
        return SPECIAL[name](action, parameters, account)
    return [Request(action, RESOURCES[service](parameters, account)), *_also(name, parameters, account)]


def _also(name: str, parameters: Parameters, account: Account) -> list[Request]:
    """Return what a call needs besides its own action."""
    return [request for also in ALSO.get(name, ()) for request in also(parameters, account)]
