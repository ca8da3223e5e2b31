"""Building the addresses of AWS's console."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.resources import desire
from pypicloud_s3sync.deploy.models import Identity, Plan
from pypicloud_s3sync.deploy.plan.planner import compare
from pypicloud_s3sync.deploy.state.console_urls import console_url, metrics_url
from pypicloud_s3sync.deploy.state.status_document import RESOURCES
from support.fakes import ACCOUNT, BUCKET, FINGERPRINT, deployed, make_settings

LOGS = "cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group"


def plan(partition: str = "aws", region: str = "eu-west-1", delivery: str = "sqs") -> Plan:
    settings = make_settings(s3sync__delivery=delivery)
    desired = desire(settings, Identity(ACCOUNT, partition), region, FINGERPRINT)
    return compare(desired, deployed(desired))


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("function", "lambda/home?region=eu-west-1#/functions/sync"),
        ("log group", f"{LOGS}/$252Faws$252Flambda$252Fsync"),
        ("notification", f"s3/buckets/{BUCKET}?region=eu-west-1&tab=properties"),
        ("queue", "sqs/v3/home?region=eu-west-1#/queues/https%3A%2F%2Fqueue.example%2Fqueue"),
        ("dead-letter queue", "sqs/v3/home?region=eu-west-1#/queues/https%3A%2F%2Fqueue.example%2Ffailed"),
    ],
)
def test_a_part_has_its_page(kind: str, page: str) -> None:
    assert console_url(plan(), kind) == f"https://console.aws.amazon.com/{page}"


@pytest.mark.parametrize("delivery", list(RESOURCES))
def test_every_part_has_a_page(delivery: Delivery) -> None:
    for kind in RESOURCES[delivery]:
        url = console_url(plan(delivery=delivery), kind)
        assert url is not None
        assert url.startswith("https://console.aws.amazon.com/")
        assert " " not in url


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_its_own_console(partition: str, region: str, host: str) -> None:
    url = console_url(plan(partition, region), "function")
    assert url == f"https://{host}/lambda/home?region={region}#/functions/sync"


def test_a_partition_whose_console_is_not_known_has_no_links() -> None:
    assert console_url(plan("aws-iso", "us-iso-east-1"), "function") is None
    assert metrics_url(plan("aws-iso", "us-iso-east-1")) is None


def test_the_metrics_are_a_tab_of_the_function() -> None:
    url = metrics_url(plan())
    assert url is not None
    assert url.endswith("#/functions/sync?tab=monitoring")
