from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.resources import DESCRIPTION
from pypicloud_s3sync.deploy.snap_start import ALIAS, description
from pypicloud_s3sync.deploy.writers.aliases import AliasWriter
from pypicloud_s3sync.deploy.writers.functions import FunctionWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import BUCKET, FakeCalls, refusal

ROLE = "arn:aws:iam::111122223333:role/x/role"


def alias(version: str, name: str = ALIAS, **weights: float) -> dict[str, Any]:
    routing = {"RoutingConfig": {"AdditionalVersionWeights": weights}} if weights else {}
    return {"Name": name, "FunctionVersion": version, **routing}


def writer(*aliases: dict[str, Any], **answers: Any) -> tuple[AliasWriter, FakeCalls]:
    calls = FakeCalls(
        {
            "publish_version": {"Version": "3"},
            "get_role": {"Role": {"RoleId": "AROA1"}},
            "list_aliases": {"Aliases": list(aliases)},
            **answers,
        }
    )
    return AliasWriter(calls, FunctionWriter(calls, BUCKET)), calls


def mutations(calls: FakeCalls) -> list[tuple[str, dict[str, Any]]]:
    reads = ("get_", "list_")
    return [(name, arguments) for name, arguments in calls.clients.calls if not name.startswith(reads)]


def test_a_version_is_published_and_the_alias_created_once_its_snapshot_exists() -> None:
    states = [{"Configuration": {"State": state}} for state in ("Active", "Pending", "Pending", "Active")]
    write, calls = writer(get_function=states)
    write.create("sync", ROLE, None, ())
    (publish, create) = mutations(calls)
    assert publish == ("publish_version", {"FunctionName": "sync", "Description": description("AROA1")})
    assert (create[0], create[1]["Name"], create[1]["FunctionVersion"]) == ("create_alias", ALIAS, "3")
    assert states == []
    qualifiers = [
        arguments.get("Qualifier") for name, arguments in calls.clients.calls if name == "get_function"
    ]
    assert qualifiers == [None, "3", "3", "3"]


def test_an_alias_that_exists_after_a_lost_response_is_adopted() -> None:
    exists = refusal("ResourceConflictException", "Alias already exists", status=409)
    write, calls = writer(alias("3"), create_alias=exists)
    write.create("sync", ROLE, None, ())
    assert [name for name, _ in mutations(calls)] == ["publish_version", "create_alias"]
    write, calls = writer(alias("2"), create_alias=exists)
    write.create("sync", ROLE, "3", ())
    assert [name for name, _ in mutations(calls)] == ["create_alias", "update_alias"]


def test_the_alias_moves_without_weights_before_the_version_before_is_deleted() -> None:
    moved = [{"Aliases": [alias("2")]}, {"Aliases": [alias("3")]}]
    write, calls = writer(list_aliases=moved)
    write.update("sync", ROLE, None, (), ("2",))
    assert mutations(calls)[1:] == [
        (
            "update_alias",
            {
                "FunctionName": "sync",
                "Name": ALIAS,
                "FunctionVersion": "3",
                "RoutingConfig": {"AdditionalVersionWeights": {}},
            },
        ),
        ("delete_function", {"FunctionName": "sync", "Qualifier": "2"}),
    ]


def test_a_function_that_has_not_changed_keeps_its_version() -> None:
    """Lambda returns the last version instead of publishing the same again."""
    write, calls = writer(alias("3"))
    write.update("sync", ROLE, None, (), ("3",))
    assert [name for name, _ in mutations(calls)] == ["publish_version"]


def test_a_version_that_must_not_be_used_is_published_again() -> None:
    answers = [{"Version": "3"}, {"Version": "4"}]
    write, calls = writer(alias("4"), publish_version=answers)
    write.update("sync", ROLE, None, ("3",), ("3",))
    found = mutations(calls)
    assert [name for name, _ in found] == [
        *("publish_version", "update_function_configuration", "publish_version"),
        *("update_function_configuration", "delete_function"),
    ]
    assert found[1][1]["Description"] != DESCRIPTION == found[3][1]["Description"]


@pytest.mark.parametrize("other", [alias("2", "live"), alias("9", "live", **{"2": 0.1})])
def test_a_version_that_another_alias_invokes_is_not_deleted(other: dict[str, Any]) -> None:
    write, calls = writer(other)
    write.delete_version("sync", "2")
    assert mutations(calls) == []


@pytest.mark.parametrize("number", ["", "$LATEST", ALIAS])
def test_only_a_number_is_deleted_and_never_the_function(number: str) -> None:
    write, calls = writer()
    with pytest.raises(ValueError, match="not the number of a version"):
        write.delete_version("sync", number)
    assert calls.clients.calls == []


def test_deleting_what_is_gone_is_no_error() -> None:
    gone = refusal("ResourceNotFoundException", status=404)
    write, _ = writer(delete_function=gone, delete_alias=gone)
    write.delete_version("sync", "1")
    write.delete("sync")


def test_a_version_without_a_snapshot_is_deleted_and_the_alias_stays() -> None:
    failed = {"State": "Failed", "StateReason": "the module cannot be imported"}
    states = [{"Configuration": {}}, {"Configuration": failed}]
    write, calls = writer(alias("2"), get_function=states)
    with pytest.raises(AwsError, match="the version 3 of the function sync: the module cannot be imported"):
        write.update("sync", ROLE, None, (), ("2",))
    assert mutations(calls)[1:] == [("delete_function", {"FunctionName": "sync", "Qualifier": "3"})]


def test_a_snapshot_that_never_exists_is_a_time_out() -> None:
    write, calls = writer(get_function=lambda **given: {"Configuration": {"State": "Pending"}})
    with pytest.raises(
        AwsError, match="Timed out after 20 minutes waiting for the snapshot of the version 7"
    ):
        write.create("sync", ROLE, "7", ())
    assert mutations(calls) == []
