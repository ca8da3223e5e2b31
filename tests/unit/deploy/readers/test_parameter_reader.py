"""Reading the SSM parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import PARAMETER_TAG
from pypicloud_s3sync.deploy.models import Desired, Parameter
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.parameters import find_parameter
from support.fakes import ACCOUNT, REDIS, REGION, FakeClients, make_desired, refusal

ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/pypicloud-s3sync/sync"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FOUND: dict[str, Any] = {
    "get_parameter": {"Parameter": {"Type": "SecureString", "Value": "{}", "ARN": ARN}},
    "describe_parameters": {"Parameters": [{"KeyId": "alias/aws/ssm", "Tier": "Standard"}]},
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


def described(answers: dict[str, Any]) -> tuple[Any, FakeClients]:
    """Return the parameter with other answers, and the clients that were asked."""
    clients = FakeClients({**FOUND, **answers})
    return find_parameter(Calls(clients), make_desired(**REDIS), None, None), clients


@pytest.mark.parametrize(
    ("key", "arn"),
    [
        ("alias/aws/ssm", None),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/ssm", None),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", KEY),
        ("mrk-1234abcd12ab34cd56ef", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/mrk-1234abcd12ab34cd56ef"),
        (KEY, KEY),
        ("arn:aws:kms:eu-west-1:999999999999:key/x", "arn:aws:kms:eu-west-1:999999999999:key/x"),
    ],
)
def test_the_key_of_a_parameter_is_known_however_it_is_named(key: str, arn: str | None) -> None:
    """Verified in botocore's model of ssm, DescribeParameters: KeyId; PutParameter takes each of them."""
    found, clients = described({"describe_parameters": {"Parameters": [{"KeyId": key, "Tier": "Standard"}]}})
    assert found.key == arn
    assert found.kept == {"Tier": "Standard", **({"KeyId": key} if arn else {})}
    assert "describe_key" not in clients.operations


@pytest.mark.parametrize("alias", ["alias/security", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/security"])
def test_an_alias_is_resolved_and_kept(alias: str) -> None:
    """The new value shall follow the alias, as the old one did."""
    described_key = {"KeyMetadata": {"KeyId": KEY.rpartition("/")[2], "Arn": KEY}}
    found, clients = described(
        {"describe_parameters": {"Parameters": [{"KeyId": alias}]}, "describe_key": described_key}
    )
    assert clients.arguments("describe_key") == {"KeyId": alias}
    assert (found.key, found.kept) == (KEY, {"KeyId": alias})


def test_a_parameter_is_looked_for_on_all_pages() -> None:
    """Systems Manager returns pages with what it has read so far, which may be nothing."""
    metadata = {"KeyId": KEY, "Tier": "Advanced", "Description": "by security", "LastModifiedUser": "x"}
    pages = [{"Parameters": [], "NextToken": "more"}, {"Parameters": [metadata]}]
    found, clients = described({"describe_parameters": pages})
    name = make_desired(**REDIS).names.parameter
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    asked = [arguments for operation, arguments in clients.calls if operation == "describe_parameters"]
    assert asked[0]["ParameterFilters"] == filters
    assert asked[-1]["NextToken"] == "more"
    assert found.kept == {"KeyId": KEY, "Tier": "Advanced", "Description": "by security"}


def test_a_parameter_without_metadata_has_no_key_of_its_own() -> None:
    """It was deleted, or created, between the calls."""
    assert described({"describe_parameters": {"Parameters": []}})[0].key is None


def test_a_parameter_that_is_not_encrypted_has_no_key() -> None:
    found, clients = described(
        {"get_parameter": {"Parameter": {"Type": "String", "Value": "{}", "ARN": ARN}}}
    )
    assert (found.secure, found.key) == (False, None)
    assert "describe_parameters" not in clients.operations
