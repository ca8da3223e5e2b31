"""Explain why a step may take minutes, so that nobody interrupts a run that only waits for AWS."""

from __future__ import annotations

from ..models import Action

#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
VPC = "Lambda creates or deletes network interfaces in the VPC, which can take several minutes"
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
ROLE = "a new role can take a minute until Lambda may use it"
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
NOTIFICATION = "S3 verifies that it may send events, and a new permission can take a minute until it does"
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
QUEUE = "SQS lets the name of a deleted queue be used again after a minute"
#: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
MAPPING = "Lambda can take a minute to start or stop polling the queue"
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
PROPAGATION = "S3 may use the previous notifications for some minutes, and no event may be lost"

#: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-function-states
SNAPSHOT = "Lambda publishes a version and takes a snapshot of it, which can take several minutes"

_BY_RESOURCE = {
    ("create", "queue"): QUEUE,
    ("create", "dead-letter queue"): QUEUE,
    ("create", "function"): ROLE,
    ("create", "alias"): SNAPSHOT,
    ("update", "alias"): SNAPSHOT,
    ("create", "notification"): NOTIFICATION,
    ("update", "notification"): NOTIFICATION,
}


def reason(action: Action) -> str | None:
    """Return why an action may take long, or None if it does not."""
    if action.resource == "event source mapping":
        return MAPPING
    if action.call == "function.leave_vpc":
        return VPC
    if action.resource in ("function", "code") and action.verb != "delete" and _is_in_vpc(action):
        return VPC
    return _BY_RESOURCE.get((action.verb, action.resource))


def _is_in_vpc(action: Action) -> bool:
    function = action.arguments.get("function")
    configuration = action.arguments.get("configuration") or getattr(function, "configuration", {})
    return bool(configuration.get("VpcConfig", {}).get("SubnetIds"))
