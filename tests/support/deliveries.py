"""What each delivery creates in AWS, and what is left of it."""

from __future__ import annotations

from typing import Any

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.devtools.processes import wait_until
from support.sites import Site

MUTATIONS_OF_ANY_DELIVERY = [
    *("iam:CreateRole", "iam:PutRolePolicy", "logs:CreateLogGroup", "logs:PutRetentionPolicy"),
    *("sqs:CreateQueue", "sqs:CreateQueue", "lambda:CreateFunction", "lambda:CreateEventSourceMapping"),
]
#: The mutating calls of enable for each delivery.
MUTATIONS = {
    Delivery.DIRECT: [
        *MUTATIONS_OF_ANY_DELIVERY,
        *("lambda:AddPermission", "s3:PutBucketNotificationConfiguration"),
    ],
    Delivery.SQS: [*MUTATIONS_OF_ANY_DELIVERY, "s3:PutBucketNotificationConfiguration"],
    Delivery.EVENTBRIDGE: [
        *MUTATIONS_OF_ANY_DELIVERY,
        *("events:PutRule", "events:PutTargets", "s3:PutBucketNotificationConfiguration"),
    ],
}
MOVES = [(before, after) for before in Delivery for after in Delivery if before is not after]
NO_RESOURCES: dict[str, Any] = {"queues": [], "mappings": 0, "rules": []}


def deployment(site: Site, delivery: Delivery) -> Deployment:
    return site.deployment(s3sync__delivery=delivery)


def delivery_resources(site: Site) -> dict[str, Any]:
    """Return the queues, the number of mappings and the rules of a site."""
    names = site.deployment().plan().desired.names
    urls = list(site.client("sqs").get_paginator("list_queues").paginate().search("QueueUrls[]"))
    mappings = site.client("lambda").list_event_source_mappings(FunctionName=site.function)
    rules = site.client("events").list_rules(NamePrefix=names.rule)["Rules"]
    return {
        "queues": sorted(
            url.rsplit("/", 1)[-1] for url in urls if url and url.endswith((names.queue, names.dead_letters))
        ),
        "mappings": len(mappings["EventSourceMappings"]),
        "rules": [rule["Name"] for rule in rules],
    }


def wait_until_handled(site: Site) -> None:
    """Wait until the function has handled what is in its queue, such as S3's test message.

    See :func:`remains`: after ``disable``, the end of an invocation would create a log group without tags,
    and the next ``enable`` takes that for the group of another owner.
    """
    sqs, counts = site.client("sqs"), ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName=site.deployment().plan().desired.names.queue)["QueueUrl"]

    def is_empty() -> bool:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        return all(attributes[name] == "0" for name in counts)

    wait_until(is_empty, "the function has handled its queue")


def remains(site: Site) -> dict[str, Any]:
    """Return the remaining resources of a site except its log group.

    The emulator creates the log group again for an invocation in progress, for example by S3's test message.
    AWS would require logs:CreateLogGroup for that, which the role lacks.
    """
    return {**site.remains(), "log groups": []}
