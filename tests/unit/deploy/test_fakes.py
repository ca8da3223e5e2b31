"""The fake AWS clients: a call that boto3 would refuse fails the test."""

from __future__ import annotations

import pytest

from support.fakes import FakeClients


def test_a_valid_call_is_logged_and_answered() -> None:
    clients = FakeClients({"get_role": {"Role": {}}})
    assert clients["iam"].get_role(RoleName="r") == {"Role": {}}
    assert clients.calls == [("get_role", {"RoleName": "r"})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, 'Missing required parameter in input: "RoleName"'),
        ({"RoleName": "r", "Rolename": "r"}, 'Unknown parameter in input: "Rolename"'),
        ({"RoleName": 1}, "Invalid type for parameter RoleName"),
    ],
    ids=["missing", "unknown", "type"],
)
def test_invalid_arguments_fail(arguments: dict[str, object], message: str) -> None:
    clients = FakeClients()
    with pytest.raises(AssertionError, match=rf"invalid arguments of iam\.get_role: {message}"):
        clients["iam"].get_role(**arguments)
    assert clients.calls == []


def test_an_unknown_operation_fails() -> None:
    with pytest.raises(AssertionError, match="the iam client has no operation 'get_rolle'"):
        FakeClients()["iam"].get_rolle(RoleName="r")


def test_an_operation_of_another_service_fails() -> None:
    with pytest.raises(AssertionError, match="the sqs client has no operation 'get_role'"):
        FakeClients()["sqs"].get_role(RoleName="r")


def test_an_unknown_service_fails() -> None:
    with pytest.raises(AssertionError, match="no client for the service 'lamda'"):
        FakeClients()["lamda"]
