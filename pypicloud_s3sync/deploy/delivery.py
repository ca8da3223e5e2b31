"""How S3's events reach the function, for each ``s3sync.delivery``: what that needs; values in, values out.

- ``direct``: S3 invokes the function. A permission, and an entry in the bucket's notifications.
- ``sqs``: S3 sends to a queue that Lambda polls. An entry, the queue, another for what failed, a mapping.
- ``eventbridge``: S3 sends to the default event bus. A switch on the bucket, a rule, a permission.
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

#: Six times the function's timeout, so that Lambda can try again while it is throttled; and five times, so
#: that a busy moment makes no failure: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
MAX_RECEIVE_COUNT = 5
#: Fourteen days, which is the most: botocore, sqs 2012-11-05, CreateQueue.
RETENTION_SECONDS = "1209600"
#: More than ten would have to wait for company:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
BATCH_SIZE = 10
#: Deletions by a lifecycle rule are among them:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
DETAIL_TYPES = ("Object Created", "Object Deleted")
#: The attributes that count a queue's messages: waiting, being handled, delayed.
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
#: The id of our target in our rule.
TARGET = "pypicloud-s3sync"


@dataclass(frozen=True)
class Arns:
    """The ARNs of all that may stand between a bucket and its function, and the bucket's account."""

    account: str
    bucket: str
    function: str
    queue: str
    dead_letters: str
    rule: str

    @classmethod
    def of(cls, names: Names, bucket: str, function: str, identity: Identity, region: str) -> Arns:
        """Those of our names."""
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
    """What has to stand between bucket and function."""
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
    """The arguments of ``AddPermission``: who may invoke the function; None where Lambda polls a queue.

    The account guards against a bucket of that name which somebody else makes after this one is deleted
    (https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html); a rule's ARN has the account in it.
    """
    invoke = {"FunctionName": names.function, "Action": "lambda:InvokeFunction"}
    if settings.delivery is Delivery.DIRECT:
        of_bucket = {"SourceArn": arns.bucket, "SourceAccount": arns.account}
        return {**invoke, "StatementId": names.statement, "Principal": "s3.amazonaws.com", **of_bucket}
    if settings.delivery is Delivery.EVENTBRIDGE:
        of_rule = {"Principal": "events.amazonaws.com", "SourceArn": arns.rule}
        return {**invoke, "StatementId": names.rule_statement, **of_rule}
    return None


def notification_owner(names: Names, arns: Arns) -> NotificationOwner:
    """How our entry is known, whichever delivery it is of."""
    return NotificationOwner(names.notification, arns.function, arns.queue)


def subscription(settings: SyncSettings, names: Names, arns: Arns) -> Subscription:
    """What of the bucket's notifications has to be ours."""
    if settings.delivery is Delivery.EVENTBRIDGE:
        return Subscription(None, None, eventbridge=True)
    kind = notifications.QUEUE if settings.delivery is Delivery.SQS else notifications.LAMBDA
    receiver = arns.queue if settings.delivery is Delivery.SQS else arns.function
    return Subscription(kind, notifications.entry(kind, names.notification, receiver, settings.prefix))


def deliveries_of(function: Function | None) -> frozenset[Delivery]:
    """The deliveries that a function's tag says may have parts in AWS."""
    tag = "" if function is None else function.tags.get(DELIVERY_TAG, "")
    return frozenset(delivery for delivery in Delivery if delivery in tag.split("+"))


def switched_by_us(observed: Observed) -> bool:
    """Whether it was us who let the bucket send to EventBridge."""
    rule = observed.delivery_resources.rule
    return rule is not None and SWITCH_TAG in rule.tags


def may_switch_off(observed: Observed) -> bool:
    """Whether the bucket need not send to EventBridge any more: we began it, and nobody else listens."""
    return switched_by_us(observed) and not observed.delivery_resources.other_rules


def listens_to(pattern: Mapping[str, Any], bucket: str) -> bool:
    """Whether a rule's pattern may match events of a bucket; in doubt it does.

    Patterns: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html
    """
    return _may_match(pattern.get("source"), "aws.s3") and _may_match(
        pattern.get("detail", {}).get("bucket", {}).get("name"), bucket
    )


def _may_match(allowed: Any, value: str) -> bool:
    """A list of values, of which one has to be equal; an object among them is a comparison of its own."""
    return allowed is None or any(item == value or isinstance(item, Mapping) for item in allowed)


def message_count(attributes: Mapping[str, str]) -> int:
    """How many messages a queue holds, about: those that wait, are being handled, or are delayed."""
    return sum(int(attributes.get(name, 0)) for name in COUNTS)
