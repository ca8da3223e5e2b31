"""Creating, updating and deleting the role."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG
from pypicloud_s3sync.deploy.writers.roles import RoleWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import BUCKET, FakeCalls, make_desired, not_none, refusal

ROLE = not_none(make_desired(s3sync__tags="team=infra").role)
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OTHER_BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
ATTACHED = "arn:aws:iam::111122223333:policy/a"
NO_ENTITY = refusal("NoSuchEntity", status=404)


def test_a_role_is_created_with_trust_path_and_tags_and_then_gets_its_policy() -> None:
    calls = FakeCalls()
    RoleWriter(calls).create(ROLE)
    assert calls.clients.operations == ["create_role", "put_role_policy"]
    created = calls.clients.arguments("create_role")
    assert json.loads(created["AssumeRolePolicyDocument"]) == ROLE.trust
    assert created["Path"] == "/pypicloud-s3sync/"
    assert created["Tags"] == [{"Key": OWNER_TAG, "Value": BUCKET}, {"Key": "team", "Value": "infra"}]
    assert "PermissionsBoundary" not in created
    put = calls.clients.arguments("put_role_policy")
    assert (put["RoleName"], put["PolicyName"]) == (ROLE.name, "sync")
    assert json.loads(put["PolicyDocument"]) == ROLE.policy


def test_a_role_is_created_with_its_permissions_boundary() -> None:
    calls = FakeCalls()
    RoleWriter(calls).create(replace(ROLE, boundary=BOUNDARY))
    assert calls.clients.arguments("create_role")["PermissionsBoundary"] == BOUNDARY


@pytest.mark.parametrize(
    ("change", "operations"),
    [
        ({}, []),
        ({"trust": {}}, ["update_assume_role_policy"]),
        ({"policy": None}, ["put_role_policy"]),
        ({"boundary": BOUNDARY}, []),
        ({"tags": {OWNER_TAG: BUCKET}}, ["tag_role"]),
        ({"tags": {**ROLE.tags, "team": "x"}}, ["tag_role"]),
        ({"tags": {**ROLE.tags, "cost-center": "x"}}, []),
    ],
    ids=["nothing", "trust", "policy", "a foreign boundary", "missing tag", "different tag", "foreign tag"],
)
def test_only_the_parts_that_differ_are_updated(change: dict[str, Any], operations: list[str]) -> None:
    calls = FakeCalls()
    RoleWriter(calls).update(ROLE, replace(ROLE, **change))
    assert calls.clients.operations == operations


def test_a_different_permissions_boundary_is_put() -> None:
    calls = FakeCalls()
    RoleWriter(calls).update(replace(ROLE, boundary=BOUNDARY), replace(ROLE, boundary=OTHER_BOUNDARY))
    assert calls.clients.calls == [
        ("put_role_permissions_boundary", {"RoleName": ROLE.name, "PermissionsBoundary": BOUNDARY})
    ]


POLICIES: dict[str, Any] = {
    "list_role_policies": {"PolicyNames": ["sync", "foreign"]},
    "list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": ATTACHED, "PolicyName": "a"}]},
}


def test_a_role_is_deleted_after_its_own_and_foreign_policies() -> None:
    calls = FakeCalls(POLICIES)
    RoleWriter(calls).delete("r")
    assert calls.clients.operations == [
        "list_role_policies",
        *("delete_role_policy", "delete_role_policy"),
        "list_attached_role_policies",
        "detach_role_policy",
        "delete_role",
    ]


@pytest.mark.parametrize("operation", ["delete_role_policy", "detach_role_policy", "delete_role"])
def test_a_missing_part_of_a_role_is_no_error(operation: str) -> None:
    calls = FakeCalls({**POLICIES, operation: NO_ENTITY})
    RoleWriter(calls).delete("r")
    assert calls.clients.operations[-1] == "delete_role"


def test_a_role_that_was_deleted_after_planning_is_no_error() -> None:
    operations = ("list_role_policies", "list_attached_role_policies", "delete_role_policy", "delete_role")
    RoleWriter(FakeCalls(dict.fromkeys(operations, NO_ENTITY))).delete("r")


def test_a_denied_deletion_is_an_error() -> None:
    calls = FakeCalls({**POLICIES, "delete_role": refusal("AccessDenied")})
    with pytest.raises(AwsError, match="AccessDenied for iam:DeleteRole on the role r"):
        RoleWriter(calls).delete("r")
