"""Reading the SSM parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pypicloud_s3sync.deploy.desired.tags import PARAMETER_TAG
from pypicloud_s3sync.deploy.models import Desired, Parameter
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.parameters import find_parameter
from support.fakes import FakeClients, make_desired, refusal

REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__region_name": None,
    "db__url": "redis://:p-word@cache.example",
}
FOUND: dict[str, Any] = {
    "get_parameter": {"Parameter": {"Type": "SecureString", "Value": "{}"}},
    "list_tags_for_resource": {"TagList": [{"Key": "team", "Value": "x"}]},
}


def find(
    wanted: Desired, answers: dict[str, Any], function: Any = None, role: Any = None
) -> tuple[Any, list[str]]:
    clients = FakeClients(answers)
    return find_parameter(Calls(clients), wanted, function, role), clients.operations


def test_a_parameter_is_read_decrypted_and_with_its_tags() -> None:
    wanted = make_desired(**REDIS)
    clients = FakeClients(FOUND)
    found = find_parameter(Calls(clients), wanted, None, None)
    assert found == Parameter(wanted.names.parameter, "{}", {"team": "x"})
    assert clients.arguments("get_parameter") == {"Name": wanted.names.parameter, "WithDecryption": True}


def test_a_missing_parameter_is_none() -> None:
    assert find(make_desired(**REDIS), {"get_parameter": refusal("ParameterNotFound")})[0] is None


def test_no_right_is_needed_if_no_parameter_can_exist() -> None:
    without = make_desired()
    assert find(without, FOUND) == (None, [])
    function = replace(without.function, tags={PARAMETER_TAG: ""})
    assert find(without, FOUND, function, without.role) == (None, [])


def test_a_parameter_that_the_function_still_refers_to_is_read() -> None:
    """The cache has moved to DynamoDB since."""
    assert find(make_desired(), FOUND, make_desired(**REDIS).function)[0] is not None


def test_a_parameter_that_an_interrupted_run_may_have_left_is_read() -> None:
    """The role may read it before it exists; the function's tag stays until it is deleted."""
    with_parameter, without = make_desired(**REDIS), make_desired()
    assert find(without, FOUND, role=with_parameter.role)[0] is not None
    assert find(without, FOUND, replace(without.function, tags={PARAMETER_TAG: "created"}))[0] is not None
