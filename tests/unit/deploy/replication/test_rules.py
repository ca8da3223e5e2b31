"""Merging this tool's rules into a bucket's replication and removing them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_s3sync.deploy.replication import rules
from pypicloud_s3sync.deploy.replication.rules import equivalent, is_own, merged, without_own
from pypicloud_s3sync.exceptions import ConflictError
from support.characters import UTF_8
from support.fakes import ACCOUNT
from support.replication import (
    AP,
    EU,
    FOREIGN_ROLE,
    KEYS,
    OFF,
    ON,
    US,
    arn,
    as_bytes,
    check,
    configuration,
    foreign,
    old,
    wanted,
)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/own"


def merge(*present: dict[str, Any], want: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the configuration of a bucket with some rules after the merge; the input stays as it is."""
    before = configuration(*present) if present else None
    kept = copy.deepcopy(before)
    result = merged(US, before, want or [wanted()], ROLE)
    assert before == kept, "the merge changed its input"
    check(result["Rules"])
    return result


def own(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in result["Rules"] if is_own(rule)]


# The rule


def test_a_rule_replicates_packages_deletions_and_modifications_of_replicas() -> None:
    assert wanted(EU, "team one/+") == {
        "ID": "pypicloud-s3sync-packages-eu",
        "Status": "Enabled",
        # Not URL-encoded, unlike in a notification.
        "Filter": {"Prefix": "team one/+"},
        "DeleteMarkerReplication": ON,
        "SourceSelectionCriteria": {"ReplicaModifications": ON},
        "Destination": {"Bucket": arn(EU)},
    }


def test_a_destination_with_a_key_gets_replicas_that_are_encrypted_with_it() -> None:
    rule = wanted(EU, key=KEYS[EU])
    assert rule["SourceSelectionCriteria"] == {"ReplicaModifications": ON, "SseKmsEncryptedObjects": ON}
    assert rule["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": KEYS[EU]}


def test_a_destination_of_another_account_owns_the_replicas() -> None:
    assert wanted(EU, account="444455556666")["Destination"] == {
        "Bucket": arn(EU),
        "Account": "444455556666",
        "AccessControlTranslation": {"Owner": "Destination"},
    }


# Merging


def test_a_bucket_without_rules_gets_one_for_each_destination_and_the_role() -> None:
    result = merge(want=[wanted(EU), wanted(AP)])
    assert result == {
        "Role": ROLE,
        "Rules": [{**wanted(EU), "Priority": 1}, {**wanted(AP), "Priority": 2}],
    }


def test_foreign_rules_and_their_role_stay_byte_for_byte() -> None:
    others = [
        foreign("logs", AP, Filter={"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}}),
        foreign("all", "vault", Priority=1, Filter={}, ExistingObjectReplication=ON),
    ]
    result = merge(*others)
    assert result["Role"] == FOREIGN_ROLE
    assert [as_bytes(rule) for rule in result["Rules"][:2]] == [as_bytes(rule) for rule in others]
    assert own(result) == [{**wanted(), "Priority": 2}]


def test_a_second_merge_changes_nothing() -> None:
    result = merge(foreign("logs", AP))
    assert merged(US, result, [wanted()], ROLE) == result


def test_what_others_set_on_an_own_rule_stays() -> None:
    time = {"Status": "Enabled", "Time": {"Minutes": 15}}
    changed = {**wanted(), "Priority": 30, "Status": "Disabled"}
    changed["Destination"] = {
        **changed["Destination"],
        "StorageClass": "STANDARD_IA",
        "ReplicationTime": time,
    }
    (rule,) = own(merge(changed))
    assert rule == {**changed, "Status": "Enabled"}


def test_an_own_rule_of_the_first_version_gets_a_filter_in_place_of_its_prefix() -> None:
    (rule,) = own(merge({**old(f"{rules.ID_PREFIX}{EU}", prefix="x")}, want=[wanted(EU, "y")]))
    assert rule == {**wanted(EU, "y"), "Priority": 1}


@pytest.mark.parametrize(
    ("others", "priority"),
    [
        ([], 1),
        ([foreign("a", AP, Priority=1), foreign("b", AP, Priority=3)], 2),
        ([foreign("a", AP, Priority=0)], 1),
        # A rule for the same packages that would do less: of two with one destination, the highest applies.
        ([foreign("a", EU, Priority=9, DeleteMarkerReplication=OFF)], 10),
        ([foreign("a", EU, Priority=9, Status="Disabled"), foreign("b", AP, Priority=10)], 11),
        # A rule for a part of them that does as much may have any.
        ([foreign("a", EU, Priority=9, Filter={"Prefix": "team/"})], 1),
        ([foreign("a", EU, Priority=9, Filter={"Prefix": "team/"}, DeleteMarkerReplication=OFF)], 10),
    ],
)
def test_a_priority_is_free_and_above_rules_that_would_do_less(
    others: list[dict[str, Any]], priority: int
) -> None:
    (rule,) = own(merge(*others))
    assert rule["Priority"] == priority


@pytest.mark.parametrize(
    ("others", "before", "after"),
    [
        ([foreign("a", AP, Priority=3)], 4, 4),
        ([foreign("a", AP, Priority=4)], 4, 1),
        ([foreign("a", EU, Priority=9, DeleteMarkerReplication=OFF)], 4, 10),
        ([foreign("a", EU, Priority=3, DeleteMarkerReplication=OFF)], 4, 4),
    ],
)
def test_an_own_rule_keeps_its_priority_unless_it_collides_or_is_too_low(
    others: list[dict[str, Any]], before: int, after: int
) -> None:
    (rule,) = own(merge({**wanted(), "Priority": before}, *others))
    assert rule["Priority"] == after


def test_a_foreign_rule_with_the_highest_priority_that_does_less_is_named() -> None:
    with pytest.raises(ConflictError, match="lower the priority of top"):
        merge(foreign("top", Priority=2**31 - 1, DeleteMarkerReplication=OFF))


# Foreign rules for the same packages


@pytest.mark.parametrize(
    ("rule", "prefix"),
    [
        (foreign(), ""),
        (foreign(), "team/"),
        (foreign(Filter={}), ""),
        (foreign(Filter={"And": {"Prefix": "te"}}), "team/"),
        (foreign(SourceSelectionCriteria=None), ""),
        (old(), "team/"),
        (old(prefix="team/"), "team/"),
    ],
)
def test_a_foreign_rule_that_does_the_same_makes_an_own_one_unnecessary(
    rule: dict[str, Any], prefix: str
) -> None:
    assert merge(rule, want=[wanted(EU, prefix)]) == configuration(rule)


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"Status": "Disabled"}, ["the status Enabled"]),
        ({"DeleteMarkerReplication": OFF}, ["delete markers"]),
        (
            {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "DeleteMarkerReplication": OFF},
            ["objects without its tags", "delete markers"],
        ),
    ],
)
def test_a_foreign_rule_that_does_less_stays_beside_an_own_one(
    changes: dict[str, Any], lacks: list[str]
) -> None:
    rule = foreign(**changes)
    result = merge(rule)
    assert result["Rules"] == [rule, {**wanted(), "Priority": 8}]
    assert rules.missing_features(rule, wanted()) == lacks


def test_a_foreign_rule_without_kms_is_not_enough_for_a_destination_with_a_key() -> None:
    result = merge(foreign(), want=[wanted(key=KEYS[EU])])
    assert len(own(result)) == 1
    assert rules.missing_features(foreign(), wanted(key=KEYS[EU])) == ["objects encrypted with KMS"]


def test_a_foreign_rule_for_a_part_of_the_packages_or_for_another_bucket_is_not_enough() -> None:
    assert len(own(merge(foreign(Filter={"Prefix": "team/a"}), want=[wanted(EU, "team/")]))) == 1
    assert len(own(merge(foreign(destination=AP)))) == 1


def test_a_foreign_rule_in_the_shadow_of_one_that_does_less_is_not_enough() -> None:
    complete = foreign("complete", Priority=1)
    shadow = foreign("shadow", Priority=2, Filter={"Prefix": "team/"}, DeleteMarkerReplication=OFF)
    assert [rule["Priority"] for rule in own(merge(complete, shadow, want=[wanted(EU, "team/")]))] == [3]
    below = {**shadow, "Priority": 0}
    assert not own(merge(complete, below, want=[wanted(EU, "team/")]))


def test_a_rule_is_own_by_its_id_and_its_destination() -> None:
    assert is_own(wanted())
    assert not is_own({**wanted(), "Destination": {"Bucket": arn(AP)}})
    assert not is_own(foreign())


# The first version of the schema


def test_rules_of_the_first_version_are_named_because_s3_does_not_mix_them_with_others() -> None:
    with pytest.raises(ConflictError) as caught:
        merge(old("one", AP), old("two", "vault"))
    assert str(caught.value) == (
        "the bucket packages-us has replication rules of the first version of S3's schema (one, two), which"
        " S3 does not mix with rules that have a filter and a priority: give each of them a Filter, a"
        " Priority and a DeleteMarkerReplication in place of its Prefix, then run again"
    )


def test_a_rule_with_a_priority_is_of_the_second_version_even_without_a_filter() -> None:
    assert not rules.is_old({**old(), "Priority": 1})
    assert rules.is_old(old())


# Removing


def test_only_own_rules_to_the_named_buckets_are_removed() -> None:
    present = [foreign(), {**wanted(EU), "Priority": 1}, {**wanted(AP), "Priority": 2}]
    assert without_own(configuration(*present), [EU]) == configuration(present[0], present[2])
    assert without_own(configuration(*present), [EU, AP]) == configuration(present[0])


def test_a_configuration_whose_last_rule_is_removed_goes_as_a_whole() -> None:
    assert without_own(configuration({**wanted(), "Priority": 1}), [EU]) is None
    assert without_own(None, [EU]) is None


# Comparing


def test_order_and_the_spelling_of_an_empty_filter_make_no_difference() -> None:
    one = configuration(foreign("a", Filter={"Prefix": ""}), foreign("b", AP))
    other = configuration(foreign("b", AP), foreign("a", Filter={}))
    assert equivalent(one, other)
    assert not equivalent(one, configuration(foreign("a"), foreign("b", AP), role=ROLE))
    assert not equivalent(one, configuration(foreign("a", Priority=1), foreign("b", AP)))
    assert not equivalent(one, None)


# Any foreign rules

prefixes = st.sampled_from(["", "t", "team/", "team/a/", "logs/"])
filters: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    prefixes.map(lambda prefix: {"Prefix": prefix}),
    st.just({"Tag": {"Key": "a", "Value": "b"}}),
    prefixes.map(lambda prefix: {"And": {"Prefix": prefix, "Tags": [{"Key": "a", "Value": "b"}]}}),
)
foreign_rules = st.lists(
    st.builds(
        foreign,
        st.text(UTF_8, min_size=1, max_size=5),
        st.sampled_from([EU, AP, "vault"]),
        Priority=st.integers(0, 12),
        Filter=filters,
        Status=st.sampled_from(["Enabled", "Disabled"]),
        DeleteMarkerReplication=st.sampled_from([ON, OFF]),
        SourceSelectionCriteria=st.sampled_from([None, {"ReplicaModifications": ON}]),
    ),
    max_size=6,
    unique_by=(lambda rule: rule["ID"], lambda rule: rule["Priority"]),
)


@given(foreign_rules, st.permutations([EU, AP]), prefixes)
def test_foreign_rules_survive_and_every_destination_gets_all_packages_and_deletions(
    others: list[dict[str, Any]], order: list[str], prefix: str
) -> None:
    want = [wanted(destination, prefix) for destination in order]
    before = configuration(*others) if others else None
    after = merged(US, before, want, ROLE)
    check(after["Rules"])
    survivors = [rule for rule in after["Rules"] if not is_own(rule)]
    assert as_bytes(survivors) == as_bytes(others)
    assert after["Role"] == (FOREIGN_ROLE if others else ROLE)
    assert merged(US, after, list(reversed(want)), ROLE) == after
    left = without_own(after, order)
    assert as_bytes(left) == as_bytes(before)
    for rule in want:
        for key in (f"{prefix}x", f"{prefix}team/a/x", f"{prefix}logs/x"):
            applied = applying(after["Rules"], rule, key)
            assert applied["Status"] == "Enabled"
            assert applied["DeleteMarkerReplication"] == ON


def applying(present: list[dict[str, Any]], wanted_one: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the rule that S3 applies to an object without tags: the highest for its destination."""
    matching = [
        rule
        for rule in present
        if rules.destination_of(rule) == rules.destination_of(wanted_one)
        and rule["Status"] == "Enabled"
        and key.startswith(rules.prefix_of(rule))
        and not rules.has_tags(rule)
    ]
    return max(matching, key=lambda rule: int(rule["Priority"]))
