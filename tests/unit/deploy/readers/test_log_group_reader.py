"""Reading the log group."""

from __future__ import annotations

from pypicloud_s3sync.deploy.models import LogGroup
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.log_groups import find_log_group
from support.fakes import ACCOUNT, REGION, FakeClients

NAME = "/aws/lambda/sync"
ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{NAME}"


def test_the_log_group_of_exactly_this_name_is_read_with_its_tags() -> None:
    clients = FakeClients(
        {
            "describe_log_groups": {
                "logGroups": [
                    {"logGroupName": f"{NAME}-2", "arn": f"{ARN}-2:*"},
                    {"logGroupName": NAME, "arn": f"{ARN}:*", "retentionInDays": 30},
                ]
            },
            "list_tags_for_resource": {"tags": {"team": "x"}},
        }
    )
    assert find_log_group(Calls(clients), NAME) == LogGroup(NAME, 30, {"team": "x"})
    assert clients.arguments("list_tags_for_resource") == {"resourceArn": ARN}


def test_a_log_group_without_a_retention_has_none() -> None:
    clients = FakeClients({"describe_log_groups": {"logGroups": [{"logGroupName": NAME, "arn": ARN}]}})
    assert find_log_group(Calls(clients), NAME) == LogGroup(NAME, None, {})


def test_a_log_group_with_a_longer_name_is_none() -> None:
    clients = FakeClients(
        {"describe_log_groups": {"logGroups": [{"logGroupName": f"{NAME}-2", "arn": f"{ARN}-2:*"}]}}
    )
    assert find_log_group(Calls(clients), NAME) is None
    assert clients.operations == ["describe_log_groups"]
