"""Creating, updating and deleting the rule."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.writers.rules import RuleWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeCalls, make_desired, not_none, refusal

RULE = not_none(make_desired(s3sync__delivery="eventbridge").delivery_resources.rule)
NOT_FOUND = refusal("ResourceNotFoundException", status=404)


def test_a_rule_is_created_with_its_tags_before_its_target() -> None:
    calls = FakeCalls()
    RuleWriter(calls).create(RULE)
    assert calls.clients.operations == ["put_rule", "put_targets"]
    sent = calls.clients.arguments("put_rule")
    assert json.loads(sent["EventPattern"]) == RULE.pattern
    assert {tag["Key"]: tag["Value"] for tag in sent["Tags"]} == RULE.tags


@pytest.mark.parametrize(
    ("change", "operations"),
    [
        ({"tags": {}}, ["tag_resource"]),
        ({"pattern": {}}, ["put_rule"]),
        ({"state": "DISABLED"}, ["put_rule"]),
        ({"target": None}, ["put_targets"]),
        ({"tags": {}, "pattern": {}, "target": None}, ["tag_resource", "put_rule", "put_targets"]),
    ],
    ids=["tags", "pattern", "state", "target", "all"],
)
def test_only_the_parts_that_differ_are_updated(change: dict[str, Any], operations: list[str]) -> None:
    calls = FakeCalls()
    RuleWriter(calls).update(RULE, replace(RULE, **change))
    assert calls.clients.operations == operations


def test_a_target_that_eventbridge_refuses_in_its_response_is_an_error() -> None:
    failed = {
        "FailedEntryCount": 1,
        "FailedEntries": [{"ErrorCode": "X", "ErrorMessage": "no such function"}],
    }
    calls = FakeCalls({"put_targets": failed})
    with pytest.raises(AwsError, match=r"events:PutTargets on the rule .* failed: X: no such function"):
        RuleWriter(calls).create(RULE)


def test_a_rule_is_deleted_after_its_own_and_foreign_targets() -> None:
    targets = {"Targets": [{"Id": "own", "Arn": "a"}, {"Id": "foreign", "Arn": "b"}]}
    calls = FakeCalls({"list_targets_by_rule": targets})
    RuleWriter(calls).delete("rule")
    assert calls.clients.operations == ["list_targets_by_rule", "remove_targets", "delete_rule"]
    assert calls.clients.arguments("remove_targets")["Ids"] == ["own", "foreign"]


def test_deleting_a_missing_rule_is_no_error() -> None:
    operations = ("list_targets_by_rule", "remove_targets", "delete_rule")
    RuleWriter(FakeCalls(dict.fromkeys(operations, NOT_FOUND))).delete("rule")
