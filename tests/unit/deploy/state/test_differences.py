"""Describing what differs in values that fit into a line."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import Action, Change
from pypicloud_s3sync.deploy.state.differences import change_document, differences, is_empty, visible


def differing(field: str, before: Any, after: Any) -> list[dict[str, Any]]:
    return differences(Action("update", "function", "f", "c", changes=(Change(field, before, after),)))


@pytest.mark.parametrize(
    ("field", "before", "after", "expected"),
    [
        ("MemorySize", 128, 512, ("memory", 128, 512, "MB")),
        ("Timeout", 3, 60, ("timeout", 3, 60, "s")),
        ("retention_days", None, 30, ("retention", None, 30, "days")),
        ("Runtime", "python3.11", "python3.12", ("runtime", "python3.11", "python3.12", None)),
        ("state", "DISABLED", "ENABLED", ("state", "DISABLED", "ENABLED", None)),
        ("boundary", "arn:aws:iam::1:policy/b", None, ("boundary", "arn:aws:iam::1:policy/b", None, None)),
        ("Architectures", ["arm64"], ["x86_64"], ("architecture", "arm64", "x86_64", None)),
    ],
)
def test_a_value_keeps_its_type_and_gets_a_plain_name(
    field: str, before: Any, after: Any, expected: tuple[Any, ...]
) -> None:
    (found,) = differing(field, before, after)
    assert (found["field"], found["before"], found["after"], found.get("unit")) == expected


def test_only_the_statement_of_a_policy_that_differs_is_named() -> None:
    def policy(*actions: str) -> dict[str, Any]:
        kept = {"Sid": "Keep", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}
        rows = {"Sid": "WriteRows", "Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return {"Version": "2012-10-17", "Statement": [kept, rows]}

    (found,) = differing(
        "policy", policy("dynamodb:PutItem"), policy("dynamodb:PutItem", "dynamodb:DeleteItem")
    )
    assert found == {
        "field": "policy.Statement.WriteRows.Action",
        "before": "dynamodb:PutItem",
        "after": "dynamodb:PutItem, dynamodb:DeleteItem",
    }


def test_only_the_variable_that_differs_is_named() -> None:
    before = {"PYPICLOUD_SETTINGS": "a", "PPC_X": "kept"}
    assert differing("Environment", before, {**before, "PYPICLOUD_SETTINGS": "b"}) == [
        {"field": "environment.PYPICLOUD_SETTINGS", "before": "a", "after": "b"}
    ]


def test_the_events_of_an_entry_are_compared() -> None:
    before = [{"Id": "old", "Events": ["s3:ObjectCreated:*"], "LambdaFunctionArn": "a"}]
    after = {"Id": "new", "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "LambdaFunctionArn": "a"}
    assert [item["field"] for item in differing("entry", before, after)] == ["entry.Events", "entry.Id"]


EMPTY: list[Any] = [None, "", [], {}, {"SubnetIds": [], "SecurityGroupIds": []}]


@pytest.mark.parametrize("after", EMPTY, ids=repr)
@pytest.mark.parametrize("before", EMPTY, ids=repr)
def test_a_change_from_nothing_to_nothing_is_left_out(before: Any, after: Any) -> None:
    assert list(visible((Change("VpcConfig", before, after),))) == []


@pytest.mark.parametrize("value", [0, False, " ", [0], {"x": 0}], ids=repr)
def test_zero_and_false_are_values(value: Any) -> None:
    assert not is_empty(value)
    assert len(list(visible((Change("x", None, value),)))) == 1


def test_a_change_names_its_unit() -> None:
    assert change_document(Change("MemorySize", 128, 512)) == {
        "field": "MemorySize",
        "before": 128,
        "after": 512,
        "unit": "MB",
    }
    assert "unit" not in change_document(Change("Runtime", "a", "b"))
