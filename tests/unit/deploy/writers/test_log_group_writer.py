"""Creating, updating and deleting the log group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG
from pypicloud_s3sync.deploy.writers.log_groups import LogGroupWriter
from support.fakes import ACCOUNT, BUCKET, FakeCalls, make_desired, refusal

GROUP = make_desired(s3sync__tags="team=infra", s3sync__log_retention_days="30").log_group
ARN = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{GROUP.name}"
GROUPS = {
    "describe_log_groups": {
        "logGroups": [
            {"logGroupName": f"{GROUP.name}-2", "arn": f"{ARN}-2:*"},
            {"logGroupName": GROUP.name, "arn": f"{ARN}:*"},
        ]
    }
}


def test_a_log_group_is_created_with_tags_and_retention() -> None:
    calls = FakeCalls()
    LogGroupWriter(calls).create(GROUP)
    assert calls.clients.calls == [
        ("create_log_group", {"logGroupName": GROUP.name, "tags": dict(GROUP.tags)}),
        ("put_retention_policy", {"logGroupName": GROUP.name, "retentionInDays": 30}),
    ]


@pytest.mark.parametrize(
    ("change", "owned", "operations"),
    [
        ({"retention_days": 7}, True, ["put_retention_policy"]),
        ({"retention_days": None, "tags": {"x": "y"}}, False, ["put_retention_policy"]),
        ({"tags": {**GROUP.tags, "team": "x"}}, True, ["describe_log_groups", "tag_resource"]),
        ({"tags": {**GROUP.tags, "cost-center": "x"}}, True, []),
        ({"tags": {OWNER_TAG: BUCKET}}, True, ["describe_log_groups", "tag_resource"]),
        ({"tags": {"x": "y"}}, False, []),
    ],
    ids=[
        *("retention", "retention of a foreign group", "different tag", "foreign tag", "missing tag"),
        "tags of a foreign group",
    ],
)
def test_only_the_parts_that_differ_are_updated(
    change: dict[str, Any], owned: bool, operations: list[str]
) -> None:
    calls = FakeCalls(dict(GROUPS))
    LogGroupWriter(calls).update(GROUP, replace(GROUP, **change), owned)
    assert calls.clients.operations == operations


def test_tags_are_set_on_the_log_group_of_exactly_this_name() -> None:
    """TagResource takes the ARN without the suffix ``:*``."""
    calls = FakeCalls(dict(GROUPS))
    LogGroupWriter(calls).update(GROUP, replace(GROUP, tags={OWNER_TAG: BUCKET}), True)
    assert calls.clients.arguments("tag_resource") == {"resourceArn": ARN, "tags": dict(GROUP.tags)}


def test_deleting_a_missing_log_group_is_no_error() -> None:
    LogGroupWriter(FakeCalls({"delete_log_group": refusal("ResourceNotFoundException")})).delete("g")
