"""Derive what each ``s3sync.delivery`` needs so that S3's events reach the function.

- ``direct``: S3 invokes the function. Needs a permission and an entry in the bucket's notifications.
- ``sqs``: S3 sends events to a queue that Lambda polls. Needs an entry, the queue, a dead-letter queue and an
  event source mapping.
- ``eventbridge``: S3 sends events to the default event bus. Needs EventBridge turned on for the bucket, a
  rule and a permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config.options import Delivery
from ..config.settings import SyncSettings
from . import notifications
from .models import (
    DELIVERY_TAG,
    SWITCH_TAG,
    DeliveryResources,
    EventSourceMapping,
    Function,
    Identity,
    Names,
    NotificationOwner,
    Observed,
    Queue,
    Rule,
    Subscription,
)
from .policy import queue_policy

#: Six times the function's timeout, so that Lambda can retry while it is throttled, and five attempts, so
#: that throttling alone fails no event:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
MAX_RECEIVE_COUNT = 5
#: 14 days, the maximum: botocore, sqs 2012-11-05, CreateQueue.
RETENTION_SECONDS = "1209600"
#: A larger batch needs a batching window, which delays events:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
BATCH_SIZE = 10
#: Deletions by a lifecycle rule are included:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
DETAIL_TYPES = ("Object Created", "Object Deleted")
#: The attributes that count a queue's messages: visible, in flight and delayed.
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
#: The id of this tool's target in its rule.
TARGET = "pypicloud-s3sync"


@dataclass(frozen=True)
class Arns:
    """The ARNs of the bucket, the function and what may connect them, and the bucket's account."""

    account: str
    bucket: str
    function: str
    queue: str
    dead_letters: str
    rule: str

    @classmethod
    def of(cls, names: Names, bucket: str, function: str, identity: Identity, region: str) -> Arns:
        """Return the ARNs for the names of this tool's resources."""
        in_region = f"{region}:{identity.account}"
        return cls(
            account=identity.account,
            bucket=f"arn:{identity.partition}:s3:::{bucket}",
            function=function,
            queue=f"arn:{identity.partition}:sqs:{in_region}:{names.queue}",
            dead_letters=f"arn:{identity.partition}:sqs:{in_region}:{names.dead_letters}",
            rule=f"arn:{identity.partition}:events:{in_region}:rule/{names.rule}",
        )


def delivery_resources(
    settings: SyncSettings, names: Names, arns: Arns, tags: Mapping[str, str]
) -> DeliveryResources:
    """Return the resources that the delivery needs between bucket and function."""
    if settings.delivery is Delivery.SQS:
        return DeliveryResources(
            queue=_queue(settings, names, arns, tags),
            dead_letters=_dead_letters(names, arns, tags),
            mapping=EventSourceMapping(
                arns.queue,
                arns.function,
                {
                    "BatchSize": BATCH_SIZE,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                    "Enabled": True,
                },
            ),
        )
    if settings.delivery is Delivery.EVENTBRIDGE:
        target = {"Id": TARGET, "Arn": arns.function}
        pattern = _pattern(settings.bucket, settings.prefix)
        return DeliveryResources(rule=Rule(names.rule, arns.rule, pattern, "ENABLED", target, tags))
    return DeliveryResources()


def _queue(settings: SyncSettings, names: Names, arns: Arns, tags: Mapping[str, str]) -> Queue:
    attributes = {
        "VisibilityTimeout": str(VISIBILITY_FACTOR * settings.timeout),
        "MessageRetentionPeriod": RETENTION_SECONDS,
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": {"deadLetterTargetArn": arns.dead_letters, "maxReceiveCount": MAX_RECEIVE_COUNT},
        "Policy": queue_policy(arns.bucket, arns.queue, arns.account),
    }
    return Queue(names.queue, arns.queue, attributes, tags)


def _dead_letters(names: Names, arns: Arns, tags: Mapping[str, str]) -> Queue:
    attributes = {
        "MessageRetentionPeriod": RETENTION_SECONDS,
        "SqsManagedSseEnabled": "true",
        "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [arns.queue]},
    }
    return Queue(names.dead_letters, arns.dead_letters, attributes, tags)


def _pattern(bucket: str, prefix: str) -> dict[str, Any]:
    detail: dict[str, Any] = {"bucket": {"name": [bucket]}}
    if prefix:
        detail["object"] = {"key": [{"prefix": prefix}]}
    return {"source": ["aws.s3"], "detail-type": list(DETAIL_TYPES), "detail": detail}


def permission(settings: SyncSettings, names: Names, arns: Arns) -> dict[str, str] | None:
    """Return the arguments of ``AddPermission``, or None if Lambda polls a queue.

    The source account excludes a bucket of the same name that another account creates after this bucket is
    deleted (https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html). A rule's ARN contains the account.
    """
    invoke = {"FunctionName": names.function, "Action": "lambda:InvokeFunction"}
    if settings.delivery is Delivery.DIRECT:
        source = {"SourceArn": arns.bucket, "SourceAccount": arns.account}
        return {**invoke, "StatementId": names.statement, "Principal": "s3.amazonaws.com", **source}
    if settings.delivery is Delivery.EVENTBRIDGE:
        source = {"Principal": "events.amazonaws.com", "SourceArn": arns.rule}
        return {**invoke, "StatementId": names.rule_statement, **source}
    return None


def notification_owner(names: Names, arns: Arns) -> NotificationOwner:
    """Return what identifies this tool's notification entry for any delivery."""
    return NotificationOwner(names.notification, arns.function, arns.queue)


def subscription(settings: SyncSettings, names: Names, arns: Arns) -> Subscription:
    """Return this tool's part of the bucket's notifications."""
    if settings.delivery is Delivery.EVENTBRIDGE:
        return Subscription(None, None, eventbridge=True)
    kind = notifications.QUEUE if settings.delivery is Delivery.SQS else notifications.LAMBDA
    destination = arns.queue if settings.delivery is Delivery.SQS else arns.function
    return Subscription(kind, notifications.entry(kind, names.notification, destination, settings.prefix))


def deliveries_of(function: Function | None) -> frozenset[Delivery]:
    """Return the deliveries that may have resources in AWS, according to the function's tag."""
    tag = "" if function is None else function.tags.get(DELIVERY_TAG, "")
    return frozenset(delivery for delivery in Delivery if delivery in tag.split("+"))


def owns_eventbridge(observed: Observed) -> bool:
    """Return whether this tool turned on EventBridge for the bucket."""
    rule = observed.delivery_resources.rule
    return rule is not None and SWITCH_TAG in rule.tags


def may_turn_off_eventbridge(observed: Observed) -> bool:
    """Return whether this tool turned on EventBridge and no foreign rule needs the bucket's events."""
    return owns_eventbridge(observed) and not observed.delivery_resources.other_rules


def listens_to(pattern: Mapping[str, Any], bucket: str) -> bool:
    """Return whether a rule's pattern may match events of a bucket; if in doubt, True.

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html
    """
    return _may_match(pattern.get("source"), "aws.s3") and _may_match(
        pattern.get("detail", {}).get("bucket", {}).get("name"), bucket
    )


def _may_match(allowed: Any, value: str) -> bool:
    """Return whether a field's pattern may match; it lists values or comparisons, which are JSON objects."""
    return allowed is None or any(item == value or isinstance(item, Mapping) for item in allowed)


def message_count(attributes: Mapping[str, str]) -> int:
    """Return the approximate number of messages in a queue: visible, in flight and delayed."""
    return sum(int(attributes.get(name, 0)) for name in COUNTS)
