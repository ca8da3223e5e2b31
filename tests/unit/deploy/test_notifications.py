"""Merging this tool's entry into a bucket's notifications and removing it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from pypicloud_s3sync.deploy import notifications
from pypicloud_s3sync.deploy.models import Subscription
from pypicloud_s3sync.deploy.notifications import equivalent, owned_entries, subscribed, unsubscribed
from support.notifications import (
    FOREIGN,
    FOREIGN_FUNCTION,
    FOREIGN_QUEUE,
    FROM_PYPICLOUD,
    FUNCTION,
    ID,
    OWN,
    OWN_FOR_QUEUE,
    OWNER,
    QUEUE,
    for_functions,
    own_entry,
    with_filter,
)

BY_QUEUE = Subscription(notifications.QUEUE, OWN_FOR_QUEUE)
BY_EVENTBRIDGE = Subscription(None, None, eventbridge=True)
EVENTBRIDGE_ON: dict[str, Any] = {"EventBridgeConfiguration": {}}


def with_own(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return subscribed(configuration, OWNER, Subscription(notifications.LAMBDA, OWN))


def without_own(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return unsubscribed(configuration, OWNER)


def has_own(configuration: Mapping[str, Any]) -> bool:
    return not equivalent(configuration, without_own(configuration))


def foreign_count(configuration: Mapping[str, Any], *, owns_eventbridge: bool = False) -> int:
    return notifications.foreign_count(configuration, OWNER, owns_eventbridge=owns_eventbridge)


def as_bytes(value: Any) -> bytes:
    """Return a value as bytes, which differ if the order of keys or items differs."""
    return json.dumps(value).encode()


# Adding and removing the entry


def test_the_entry_asks_for_all_events_that_create_or_remove_an_object() -> None:
    expected = {"s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"}
    assert set(OWN["Events"]) == expected


def test_the_entry_has_a_filter_only_if_there_is_a_prefix() -> None:
    assert own_entry("pkgs/")["Filter"] == {"Key": {"FilterRules": [{"Name": "prefix", "Value": "pkgs/"}]}}
    assert "Filter" not in own_entry("")


def test_adding_the_entry_keeps_foreign_entries_byte_for_byte() -> None:
    merged = with_own(FOREIGN)
    for kind, entries in FOREIGN.items():
        kept = [item for item in merged[kind] if item != OWN] if kind.startswith("Lambda") else merged[kind]
        assert as_bytes(kept) == as_bytes(entries), kind
    assert set(merged) == set(FOREIGN)


def test_adding_the_entry_twice_adds_it_once() -> None:
    once = with_own(FOREIGN)
    assert as_bytes(with_own(once)) == as_bytes(once)
    assert once["LambdaFunctionConfigurations"].count(OWN) == 1


def test_removing_the_entry_restores_the_foreign_configuration_byte_for_byte() -> None:
    restored = without_own(with_own(FOREIGN))
    for kind, entries in FOREIGN.items():
        assert as_bytes(restored[kind]) == as_bytes(entries), kind
    assert set(restored) == set(FOREIGN)


@pytest.mark.parametrize("kind", list(FOREIGN))
def test_removing_the_entry_restores_a_configuration_of_one_kind(kind: str) -> None:
    configuration = {kind: FOREIGN[kind]}
    assert as_bytes(without_own(with_own(configuration))) == as_bytes(configuration)


def test_removing_the_only_entry_leaves_an_empty_configuration() -> None:
    assert without_own(with_own({})) == {}


def test_the_arguments_are_not_modified() -> None:
    entries = for_functions(*FOREIGN["LambdaFunctionConfigurations"], *FROM_PYPICLOUD)
    configuration = copy.deepcopy({**FOREIGN, **entries})
    before, own_before = as_bytes(configuration), as_bytes(OWN)
    with_own(configuration)
    without_own(configuration)
    notifications.overlapping(configuration, OWNER, OWN)
    assert as_bytes(configuration) == before
    assert as_bytes(OWN) == own_before


def test_a_previous_entry_is_replaced_and_removed_regardless_of_its_content() -> None:
    previous = {
        "Id": ID,
        "LambdaFunctionArn": FUNCTION,
        "Events": ["s3:ObjectCreated:Put"],
        **with_filter(prefix="x"),
    }
    assert with_own(for_functions(previous)) == for_functions(OWN)
    assert without_own(for_functions(previous)) == {}


@pytest.mark.parametrize(
    "item",
    [
        {"Id": "", "LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]},
        {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectTagging:*"]},
        {"Id": "another", "LambdaFunctionArn": FUNCTION, "Events": OWN["Events"][:2]},
        {"Id": ID, "LambdaFunctionArn": f"{FUNCTION}:live", "Events": OWN["Events"]},
        *FROM_PYPICLOUD,
    ],
    ids=["an empty id", "no id", "another id", "an alias", "created by pypicloud", "removed by pypicloud"],
)
def test_an_entry_is_owned_if_it_sends_to_the_function(item: dict[str, Any]) -> None:
    """Other tools rewrite ids: CDK's handler of bucket notifications, for example."""
    assert without_own(for_functions(item)) == {}
    assert with_own(for_functions(item)) == for_functions(OWN)
    assert notifications.overlapping(for_functions(item), OWNER, OWN) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Id": ""},
        {"Id": "another"},
        {"Id": "another", "Events": OWN["Events"][::-1]},
        {"Id": "another", **with_filter(prefix="", suffix="")},
    ],
    ids=str,
)
def test_an_entry_that_works_keeps_the_id_that_another_tool_gave_it(changes: dict[str, Any]) -> None:
    configuration = for_functions(*FOREIGN["LambdaFunctionConfigurations"], {**OWN, **changes})
    assert as_bytes(with_own(configuration)) == as_bytes(configuration)
    twice = for_functions({**OWN, **changes}, {**OWN, "Id": "x", "Events": ["s3:ObjectTagging:*"]})
    assert with_own(twice) == for_functions({**OWN, **changes})


@pytest.mark.parametrize("arn", [FOREIGN_FUNCTION, f"{FUNCTION}-2", f"{FUNCTION[:-1]}"])
def test_an_entry_with_the_own_id_for_another_function_is_foreign(arn: str) -> None:
    item = {"Id": ID, "LambdaFunctionArn": arn, "Events": ["s3:ObjectTagging:*"]}
    assert without_own(for_functions(item)) == for_functions(item)
    assert with_own(for_functions(item)) == for_functions(item, OWN)
    assert not has_own(for_functions(item))


@pytest.mark.parametrize(
    ("prefix", "value"),
    [
        ("pkgs/", "pkgs/"),
        ("env=prod/", "env%3Dprod/"),
        ("my pkgs/", "my+pkgs/"),
        ("a+b/", "a%2Bb/"),
        ("größe/", "gr%C3%B6%C3%9Fe/"),
        ("a-b_c.d/", "a-b_c.d/"),
    ],
)
def test_s3_receives_the_prefix_url_encoded(prefix: str, value: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html"""
    entry = own_entry(prefix)
    assert entry["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": value}]
    foreign = {**entry, "Id": "x", "LambdaFunctionArn": FOREIGN_FUNCTION}
    assert f"prefix {prefix!r}" in str(notifications.overlapping(for_functions(foreign), OWNER, entry))


def test_an_owned_entry_is_recognised_among_foreign_ones_regardless_of_its_content() -> None:
    changed = {**OWN, "Events": ["s3:ObjectCreated:Put"]}
    assert has_own(for_functions(*FOREIGN["LambdaFunctionConfigurations"], changed))
    assert not has_own(FOREIGN)
    assert not has_own({})


# The entries of ppc-create-s3-sync


@pytest.mark.parametrize("has_ids", [True, False])
def test_the_two_entries_of_pypicloud_are_replaced(has_ids: bool) -> None:
    entries = [
        {key: value for key, value in item.items() if has_ids or key != "Id"} for item in FROM_PYPICLOUD
    ]
    assert with_own(for_functions(*entries)) == for_functions(OWN)
    assert notifications.overlapping(for_functions(*entries), OWNER, OWN) is None


def test_the_previous_entry_and_those_of_pypicloud_are_replaced() -> None:
    configuration = for_functions(*FOREIGN["LambdaFunctionConfigurations"], FROM_PYPICLOUD[1], OWN)
    assert list(owned_entries(configuration, OWNER)) == [FROM_PYPICLOUD[1], OWN]


def test_foreign_entries_and_eventbridge_are_counted_without_replaced_entries() -> None:
    assert foreign_count(FOREIGN) == 6
    assert foreign_count(with_own(FOREIGN)) == 6
    assert foreign_count(for_functions(*FROM_PYPICLOUD)) == 0
    assert foreign_count({}) == 0


# Equivalent configurations


def mirrored(value: Any) -> Any:
    """Return a value with its keys and items in the opposite order."""
    if isinstance(value, dict):
        return {key: mirrored(value[key]) for key in reversed(list(value))}
    return [mirrored(item) for item in reversed(value)] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FOREIGN, mirrored(FOREIGN)),
        (
            for_functions({**OWN, **with_filter(prefix="a")}),
            for_functions({**OWN, **with_filter(Prefix="a")}),
        ),
        (
            for_functions({**OWN, **with_filter(prefix="a", suffix="b")}),
            for_functions({**OWN, **with_filter(Suffix="b", Prefix="a")}),
        ),
        (for_functions({**OWN, "Filter": {}}), for_functions(OWN)),
        (for_functions({**OWN, "Filter": {"Key": {"FilterRules": []}}}), for_functions(OWN)),
        (for_functions({**OWN, "Filter": {"Key": {}}}), for_functions(OWN)),
        (for_functions({**OWN, **with_filter(prefix="", suffix="")}), for_functions(OWN)),
        (for_functions({**OWN, **with_filter(prefix="a", suffix="")}), for_functions(own_entry("a"))),
        (for_functions({**OWN, **with_filter(prefix="a%3db/")}), for_functions(own_entry("a=b/"))),
        (for_functions({**OWN, **with_filter(prefix="a%20b/")}), for_functions(own_entry("a b/"))),
        (for_functions(), {}),
        (EVENTBRIDGE_ON, dict(EVENTBRIDGE_ON)),
    ],
    ids=[
        *("order", "Prefix", "order of rules", "Filter {}", "no rules", "no Key", "empty values"),
        *("an empty suffix", "lower case", "a space", "empty list", "EventBridge"),
    ],
)
def test_order_and_spelling_make_no_difference(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert equivalent(one, other)
    assert equivalent(other, one)


@pytest.mark.parametrize("prefix", ["env=prod/", "my pkgs/", "größe/", "a+b/", "50%/"])
def test_an_entry_whose_prefix_is_not_encoded_is_replaced_because_s3_sends_it_nothing(prefix: str) -> None:
    """https://github.com/aws/aws-cdk/pull/28012"""
    raw = for_functions({**OWN, **with_filter(prefix=prefix)})
    wanted = for_functions(own_entry(prefix))
    assert not equivalent(raw, wanted)
    subscription = Subscription(notifications.LAMBDA, own_entry(prefix))
    assert subscribed(raw, OWNER, subscription) == wanted


@pytest.mark.parametrize(
    "other",
    [
        {},
        for_functions({**OWN, "Id": "another"}),
        for_functions({**OWN, "LambdaFunctionArn": FOREIGN_FUNCTION}),
        for_functions({**OWN, "Events": OWN["Events"][:2]}),
        for_functions({**OWN, **with_filter(prefix="a")}),
        for_functions(OWN, OWN),
        {**for_functions(OWN), **EVENTBRIDGE_ON},
        {**for_functions(OWN), "QueueConfigurations": FOREIGN["QueueConfigurations"]},
    ],
    ids=["empty", "id", "function", "event", "filter", "twice", "EventBridge", "another queue"],
)
def test_a_different_configuration_is_not_equivalent(other: dict[str, Any]) -> None:
    assert not equivalent(for_functions(OWN), other)
    assert not equivalent(other, for_functions(OWN))


def test_the_case_of_a_prefix_makes_a_difference() -> None:
    assert not equivalent(
        for_functions({**OWN, **with_filter(prefix="Pkgs/")}),
        for_functions({**OWN, **with_filter(prefix="pkgs/")}),
    )


# Queues and EventBridge


@pytest.mark.parametrize(
    "before",
    [{}, FOREIGN, for_functions(OWN), for_functions(*FROM_PYPICLOUD)],
    ids=["empty", "foreign", "own", "pypicloud"],
)
def test_the_entry_for_a_queue_replaces_the_entry_for_the_function(before: dict[str, Any]) -> None:
    merged = subscribed(before, OWNER, BY_QUEUE)
    assert merged["QueueConfigurations"][-1] == OWN_FOR_QUEUE
    assert OWN not in merged.get("LambdaFunctionConfigurations", [])
    assert equivalent(without_own(merged), FOREIGN if before is FOREIGN else {})


def test_the_entry_for_the_function_replaces_the_entry_for_a_queue() -> None:
    assert with_own({"QueueConfigurations": [OWN_FOR_QUEUE]}) == for_functions(OWN)


def test_an_entry_with_the_own_id_for_a_foreign_queue_is_not_owned() -> None:
    foreign = {"QueueConfigurations": [{**OWN_FOR_QUEUE, "QueueArn": FOREIGN_QUEUE}]}
    assert without_own(foreign) == foreign
    assert not has_own(foreign)


def test_an_entry_that_sends_to_the_queue_is_owned() -> None:
    entry = {"QueueConfigurations": [{"Id": "x", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]}
    assert without_own(entry) == {}


def test_eventbridge_is_turned_on_without_an_entry() -> None:
    assert subscribed(for_functions(OWN), OWNER, BY_EVENTBRIDGE) == EVENTBRIDGE_ON
    assert subscribed(FOREIGN, OWNER, BY_EVENTBRIDGE) == FOREIGN


def test_eventbridge_is_turned_off_only_on_request() -> None:
    assert unsubscribed(EVENTBRIDGE_ON, OWNER) == EVENTBRIDGE_ON
    assert unsubscribed(EVENTBRIDGE_ON, OWNER, eventbridge=False) == {}
    assert with_own(EVENTBRIDGE_ON) == {**EVENTBRIDGE_ON, **for_functions(OWN)}


def test_eventbridge_is_not_counted_as_foreign_if_this_tool_turned_it_on() -> None:
    assert foreign_count(EVENTBRIDGE_ON) == 1
    assert foreign_count(EVENTBRIDGE_ON, owns_eventbridge=True) == 0
