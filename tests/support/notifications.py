"""Notification configurations as S3 returns them, and a fake bucket that stores one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pypicloud_s3sync.deploy import notifications
from pypicloud_s3sync.deploy.models import NotificationOwner
from support.fakes import FakeClients

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:sync"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:sync"
FOREIGN_FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:other"
FOREIGN_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:queue"
FOREIGN_TOPIC = "arn:aws:sns:eu-west-1:111122223333:topic"
ID = "pypicloud-s3sync-sync"
GET = "get_bucket_notification_configuration"
PUT = "put_bucket_notification_configuration"
OWNER = NotificationOwner((FUNCTION, QUEUE))


def own_entry(prefix: str = "") -> dict[str, Any]:
    """Return this tool's entry for the function."""
    return notifications.entry(notifications.LAMBDA, ID, FUNCTION, prefix)


def foreign_entry(**fields: Any) -> dict[str, Any]:
    """Return a foreign entry for the same events, which overlaps unless ``fields`` change that."""
    return {
        "Id": "foreign",
        "LambdaFunctionArn": FOREIGN_FUNCTION,
        "Events": ["s3:ObjectCreated:*"],
        **fields,
    }


def for_functions(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with entries for functions only."""
    return {"LambdaFunctionConfigurations": list(entries)}


def with_filter(**rules: str) -> dict[str, Any]:
    """Return the field of an entry that filters on prefix or suffix."""
    return {
        "Filter": {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]}}
    }


OWN = own_entry()
OWN_FOR_QUEUE = notifications.entry(notifications.QUEUE, ID, QUEUE, "")
#: A bucket with foreign notifications of each kind, in S3's spelling and order.
FOREIGN: dict[str, Any] = {
    "QueueConfigurations": [
        {
            "Id": "q",
            "QueueArn": FOREIGN_QUEUE,
            "Events": ["s3:ObjectTagging:Put", "s3:ObjectTagging:Delete"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".log"}, {"Name": "Prefix"}]}},
        },
        {"Id": "YTk0", "QueueArn": FOREIGN_QUEUE, "Events": ["s3:ObjectAcl:Put"]},
    ],
    "TopicConfigurations": [{"Id": "t", "TopicArn": FOREIGN_TOPIC, "Events": ["s3:ObjectRestore:*"]}],
    "LambdaFunctionConfigurations": [
        {"Id": "l2", "LambdaFunctionArn": FOREIGN_FUNCTION, "Events": ["s3:Replication:*"]},
        {"Id": "l1", "LambdaFunctionArn": FOREIGN_FUNCTION, "Events": ["s3:ReducedRedundancyLostObject"]},
    ],
    "EventBridgeConfiguration": {},
}
#: The entries that ppc-create-s3-sync created without ids; S3 has assigned ids to them.
FROM_PYPICLOUD: list[dict[str, Any]] = [
    {"Id": "MzQ1", "LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]},
    {"Id": "NjY2", "LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectRemoved:*"]},
]


class FakeBucket(FakeClients):
    """Fake clients for a bucket whose notification configuration can be read and written.

    Parameters
    ----------
    configuration : dict
    answers : dict, optional
        See :class:`FakeClients`; they may replace reading and writing.
    """

    def __init__(self, configuration: Mapping[str, Any], answers: dict[str, Any] | None = None) -> None:
        super().__init__({GET: self.read, PUT: self.write, **(answers or {})})
        self.configuration = configuration

    def read(self, Bucket: str) -> dict[str, Any]:
        return {**json.loads(json.dumps(self.configuration)), "ResponseMetadata": {}}

    def write(self, NotificationConfiguration: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        self.configuration = NotificationConfiguration
        return {}
