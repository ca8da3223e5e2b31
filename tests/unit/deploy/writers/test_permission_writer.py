"""Granting and revoking the permission to invoke the function."""

from __future__ import annotations

from pypicloud_s3sync.deploy.writers.permissions import PermissionWriter
from support.fakes import FakeCalls, make_desired, not_none, refusal

DESIRED = make_desired()
PERMISSION = not_none(DESIRED.permission)
NOT_FOUND = refusal("ResourceNotFoundException", status=404)


def test_a_permission_is_added_with_bucket_and_account() -> None:
    calls = FakeCalls()
    PermissionWriter(calls).add(PERMISSION)
    assert calls.clients.calls == [("add_permission", dict(PERMISSION))]


def test_a_permission_is_replaced_by_removing_and_adding_it() -> None:
    calls = FakeCalls()
    PermissionWriter(calls).replace(PERMISSION)
    assert calls.clients.operations == ["remove_permission", "add_permission"]
    assert calls.clients.arguments("remove_permission") == {
        "FunctionName": "sync",
        "StatementId": DESIRED.names.statement,
    }


def test_replacing_a_missing_permission_adds_it() -> None:
    calls = FakeCalls({"remove_permission": NOT_FOUND})
    PermissionWriter(calls).replace(PERMISSION)
    assert calls.clients.operations == ["remove_permission", "add_permission"]


def test_removing_a_missing_permission_is_no_error() -> None:
    PermissionWriter(FakeCalls({"remove_permission": NOT_FOUND})).remove("sync", "statement")
