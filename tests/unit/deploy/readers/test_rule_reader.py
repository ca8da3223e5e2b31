"""Reading the rules of the default event bus."""

from __future__ import annotations

import json
from typing import Any

from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.rules import find_rule, other_rules
from support.fakes import BUCKET, FakeClients, make_desired, not_none, refusal

DESIRED = make_desired(s3sync__delivery="eventbridge")
RULE = not_none(DESIRED.delivery_resources.rule)
TARGET = not_none(RULE.target)


def answers(**target: Any) -> dict[str, Any]:
    """Return the answers of EventBridge for the rule as it was created, with further fields in its target."""
    return {
        "describe_rule": {
            "Arn": RULE.arn,
            "State": "ENABLED",
            "EventPattern": json.dumps(RULE.pattern),
        },
        "list_targets_by_rule": {"Targets": [{"Id": "foreign", "Arn": "x"}, {**TARGET, **target}]},
        "list_tags_for_resource": {
            "Tags": [{"Key": key, "Value": value} for key, value in RULE.tags.items()]
        },
    }


def test_a_created_rule_equals_the_desired_one() -> None:
    assert find_rule(Calls(FakeClients(answers())), RULE.name) == RULE


def test_what_others_set_on_the_target_is_read() -> None:
    foreign = {"RetryPolicy": {"MaximumRetryAttempts": 3}, "DeadLetterConfig": {"Arn": "q"}}
    rule = find_rule(Calls(FakeClients(answers(**foreign))), RULE.name)
    assert not_none(rule).target == {**TARGET, **foreign}


def test_a_target_that_receives_a_part_of_the_event_differs() -> None:
    rule = find_rule(Calls(FakeClients(answers(InputPath="$.detail"))), RULE.name)
    assert not_none(rule).target != RULE.target


def test_a_rule_without_the_own_target_has_none() -> None:
    rule = find_rule(Calls(FakeClients({**answers(), "list_targets_by_rule": {}})), RULE.name)
    assert not_none(rule).target is None


def test_a_missing_rule_is_none() -> None:
    clients = FakeClients({"describe_rule": refusal("ResourceNotFoundException")})
    assert find_rule(Calls(clients), RULE.name) is None
    assert clients.operations == ["describe_rule"]


def test_the_rule_is_named_after_its_bucket() -> None:
    assert BUCKET in RULE.name


def test_other_rules_that_may_receive_the_events_are_found_on_all_pages() -> None:
    foreign = {"Name": "foreign", "EventPattern": json.dumps({"source": ["aws.s3"]})}
    unrelated = {"Name": "unrelated", "EventPattern": json.dumps({"source": ["aws.ec2"]})}
    own = {"Name": RULE.name, "EventPattern": foreign["EventPattern"]}
    pages = [
        {"Rules": [own, unrelated], "NextToken": "more"},
        {"Rules": [foreign, {"Name": "hourly", "ScheduleExpression": "rate(1 hour)"}]},
    ]
    clients = FakeClients({"list_rules": pages})
    assert list(other_rules(Calls(clients), DESIRED)) == ["foreign"]
    assert clients.calls == [("list_rules", {}), ("list_rules", {"NextToken": "more"})]
