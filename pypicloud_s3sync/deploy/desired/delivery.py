"""Derive what each ``s3sync.delivery`` needs so that S3's events reach the function.

Every delivery has the same safety net: a queue that Lambda polls for the function, and a dead-letter queue
for the events that fail for hours. The deliveries differ in how S3 reaches the function or the queue:

- ``direct``: S3 invokes the function. An event that fails three times goes to the queue, which is the
  function's dead-letter target. Needs a permission and an entry in the bucket's notifications.
- ``sqs``: S3 sends events to the queue. Needs an entry.
- ``eventbridge``: S3 sends events to the default event bus. Needs EventBridge turned on for the bucket, and a
  rule that sends to the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...config.options import Delivery
from ...config.settings import SyncSettings
from .. import notifications
from ..models import (
    CacheTables,
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
from ..snap_start import ALIAS, qualified
from .policy import queue_policy
from .tags import DELIVERY_TAG, SWITCH_TAG

#: While Lambda throttles the function, it retries for as long as the queue hides the message: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
#: A function with a short timeout fails fast, and a database that is down needs no attempt every few seconds.
MIN_VISIBILITY_TIMEOUT = 300
#: How long a message is attempted before it counts as failed, in seconds. Someone who is asleep when the
#: database goes down finds nothing lost and nothing to do.
ATTEMPT_PERIOD = 12 * 3600
#: Fewer attempts than this are used up by throttling alone (the page above).
MIN_RECEIVE_COUNT = 5
#: 14 days, the maximum: botocore, sqs 2012-11-05, CreateQueue.
RETENTION_SECONDS = "1209600"
#: A larger batch needs a batching window, which delays events:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
BATCH_SIZE = 10
#: How many invocations read the queue at the same time, unless ``s3sync.maximum_concurrency`` is set. Tables
#: with provisioned capacity get the least that Lambda allows (botocore, lambda 2015-03-31, ScalingConfig):
#: pypicloud creates them with 5 units, which one invocation uses up.
CONCURRENCY_PROVISIONED = 2
CONCURRENCY_ON_DEMAND = 20
CONCURRENCY_OTHER = 5
#: How long S3 may use a bucket's previous notification configuration, in seconds:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
PROPAGATION_SECONDS = 300
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
    """The ARNs of the bucket, the function and what may connect them, and the bucket's account.

    ``invoked`` is what S3 and the queue invoke: the function or its alias.
    """

    account: str
    bucket: str
    function: str
    invoked: str
    queue: str
    dead_letters: str
    rule: str

    @classmethod
    def of(cls, names: Names, settings: SyncSettings, function: str, identity: Identity, region: str) -> Arns:
        """Return the ARNs for the names of this tool's resources."""
        in_region = f"{region}:{identity.account}"
        return cls(
            account=identity.account,
            bucket=f"arn:{identity.partition}:s3:::{settings.bucket}",
            function=function,
            invoked=qualified(function) if settings.snap_start else function,
            queue=f"arn:{identity.partition}:sqs:{in_region}:{names.queue}",
            dead_letters=f"arn:{identity.partition}:sqs:{in_region}:{names.dead_letters}",
            rule=f"arn:{identity.partition}:events:{in_region}:rule/{names.rule}",
        )


def delivery_resources(
    settings: SyncSettings, names: Names, arns: Arns, tags: Mapping[str, str], tables: CacheTables
) -> DeliveryResources:
    """Return the resources that the delivery needs between bucket and function."""
    rule = None
    if settings.delivery is Delivery.EVENTBRIDGE:
        target = {"Id": TARGET, "Arn": arns.queue}
        pattern = _pattern(settings.bucket, settings.prefix)
        rule = Rule(names.rule, arns.rule, pattern, "ENABLED", target, tags)
    return DeliveryResources(
        queue=_queue(settings, names, arns, tags),
        dead_letters=_dead_letters(names, arns, tags),
        mapping=_mapping(settings, arns, tables),
        rule=rule,
    )


def _queue(settings: SyncSettings, names: Names, arns: Arns, tags: Mapping[str, str]) -> Queue:
    visibility = max(VISIBILITY_FACTOR * settings.timeout, MIN_VISIBILITY_TIMEOUT)
    receive_count = max(-(-ATTEMPT_PERIOD // visibility), MIN_RECEIVE_COUNT)
    attributes = {
        "VisibilityTimeout": str(visibility),
        "MessageRetentionPeriod": RETENTION_SECONDS,
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": {"deadLetterTargetArn": arns.dead_letters, "maxReceiveCount": receive_count},
        "Policy": queue_policy(arns.bucket, arns.rule, arns.queue, arns.account),
    }
    return Queue(names.queue, arns.queue, attributes, tags)


def _dead_letters(names: Names, arns: Arns, tags: Mapping[str, str]) -> Queue:
    attributes = {
        "MessageRetentionPeriod": RETENTION_SECONDS,
        "SqsManagedSseEnabled": "true",
        "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [arns.queue]},
    }
    return Queue(names.dead_letters, arns.dead_letters, attributes, tags)


def _mapping(settings: SyncSettings, arns: Arns, tables: CacheTables) -> EventSourceMapping:
    configuration: dict[str, Any] = {
        "BatchSize": BATCH_SIZE,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "Enabled": True,
    }
    initial: dict[str, Any] = {}
    if settings.maximum_concurrency is not None:
        configuration["ScalingConfig"] = {"MaximumConcurrency": settings.maximum_concurrency}
    else:
        initial["ScalingConfig"] = {"MaximumConcurrency": default_concurrency(settings, tables)}
    return EventSourceMapping(arns.queue, arns.invoked, configuration, initial)


def default_concurrency(settings: SyncSettings, tables: CacheTables) -> int:
    """Return how many invocations may read the queue at the same time without overloading the cache."""
    if settings.cache_backend != "dynamo":
        return CONCURRENCY_OTHER
    return CONCURRENCY_ON_DEMAND if tables.on_demand else CONCURRENCY_PROVISIONED


def _pattern(bucket: str, prefix: str) -> dict[str, Any]:
    detail: dict[str, Any] = {"bucket": {"name": [bucket]}}
    if prefix:
        detail["object"] = {"key": [{"prefix": prefix}]}
    return {"source": ["aws.s3"], "detail-type": list(DETAIL_TYPES), "detail": detail}


def permission(settings: SyncSettings, names: Names, arns: Arns) -> dict[str, str] | None:
    """Return the arguments of ``AddPermission``, or None unless S3 invokes the function.

    The source account excludes a bucket of the same name that another account creates after this bucket is
    deleted (https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html).
    """
    if settings.delivery is not Delivery.DIRECT:
        return None
    return {
        "FunctionName": names.function,
        "Action": "lambda:InvokeFunction",
        "StatementId": names.alias_statement if settings.snap_start else names.statement,
        "Principal": "s3.amazonaws.com",
        "SourceArn": arns.bucket,
        "SourceAccount": arns.account,
        **({"Qualifier": ALIAS} if settings.snap_start else {}),
    }


def notification_owner(arns: Arns) -> NotificationOwner:
    """Return what identifies this tool's notification entries for any delivery."""
    return NotificationOwner((arns.function, arns.queue))


def subscription(settings: SyncSettings, names: Names, arns: Arns) -> Subscription:
    """Return this tool's part of the bucket's notifications."""
    if settings.delivery is Delivery.EVENTBRIDGE:
        return Subscription(None, None, eventbridge=True)
    kind = notifications.QUEUE if settings.delivery is Delivery.SQS else notifications.LAMBDA
    destination = arns.queue if settings.delivery is Delivery.SQS else arns.invoked
    return Subscription(kind, notifications.entry(kind, names.notification, destination, settings.prefix))


def deliveries_of(function: Function | None) -> frozenset[Delivery]:
    """Return the deliveries that may have resources in AWS, according to the function's tag."""
    tag = "" if function is None else function.tags.get(DELIVERY_TAG, "")
    return frozenset(delivery for delivery in Delivery if delivery in tag.split("+"))


def has_switch(resource: Rule | Function | Queue | None) -> bool:
    """Return whether a resource has the tag of an EventBridge that this tool turned on for the bucket."""
    return resource is not None and bool(resource.tags.get(SWITCH_TAG))


def owns_eventbridge(observed: Observed) -> bool:
    """Return whether this tool turned on EventBridge for the bucket."""
    found = observed.delivery_resources
    return any(map(has_switch, (found.rule, observed.function, found.queue)))


def may_turn_off_eventbridge(observed: Observed) -> bool:
    """Return whether this tool turned on EventBridge and no foreign rule needs the bucket's events."""
    return owns_eventbridge(observed) and not observed.delivery_resources.other_rules


def message_count(attributes: Mapping[str, str]) -> int:
    """Return the approximate number of messages in a queue: visible, in flight and delayed."""
    return sum(int(attributes.get(name, 0)) for name in COUNTS)
