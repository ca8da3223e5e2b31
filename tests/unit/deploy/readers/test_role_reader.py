"""Reading IAM roles."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.roles import find_role
from support.fakes import FakeClients, make_desired, not_none, refusal

ROLE = not_none(make_desired(s3sync__tags="team=infra").role)
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
NO_ENTITY = refusal("NoSuchEntity", status=404)


def answers(**fields: Any) -> dict[str, Any]:
    """Return the answers of IAM for the role as it was created."""
    role = {
        "Path": ROLE.path,
        "Arn": ROLE.arn,
        "AssumeRolePolicyDocument": ROLE.trust,
        "Tags": [{"Key": key, "Value": value} for key, value in ROLE.tags.items()],
        **fields,
    }
    return {"get_role": {"Role": role}, "get_role_policy": {"PolicyDocument": ROLE.policy}}


def test_a_created_role_equals_the_desired_one() -> None:
    clients = FakeClients(answers())
    assert find_role(Calls(clients), ROLE.name) == ROLE
    assert clients.arguments("get_role_policy") == {"RoleName": ROLE.name, "PolicyName": "sync"}


def test_a_missing_role_is_none() -> None:
    clients = FakeClients({"get_role": NO_ENTITY})
    assert find_role(Calls(clients), "r") is None
    assert clients.operations == ["get_role"]


def test_a_role_without_the_inline_policy_has_no_policy() -> None:
    role = find_role(Calls(FakeClients({**answers(), "get_role_policy": NO_ENTITY})), "r")
    assert not_none(role).policy is None


def test_the_boundary_of_a_role_is_read() -> None:
    boundary = {"PermissionsBoundaryArn": BOUNDARY}
    role = find_role(Calls(FakeClients(answers(PermissionsBoundary=boundary))), "r")
    assert not_none(role).boundary == BOUNDARY


@pytest.mark.parametrize("tags", [None, []], ids=["missing", "empty"])
def test_a_role_without_tags_has_none(tags: list[Any] | None) -> None:
    answer = answers()
    answer["get_role"]["Role"].pop("Tags")
    answer["get_role"]["Role"] |= {} if tags is None else {"Tags": tags}
    assert not_none(find_role(Calls(FakeClients(answer)), "r")).tags == {}


def test_a_url_encoded_document_is_decoded() -> None:
    encoded = quote(json.dumps(ROLE.trust))
    role = find_role(Calls(FakeClients(answers(AssumeRolePolicyDocument=encoded))), ROLE.name)
    assert not_none(role).trust == ROLE.trust
