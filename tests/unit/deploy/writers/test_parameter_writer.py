"""Creating, updating and deleting the SSM parameter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.writers.parameters import ParameterWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import ACCOUNT, REGION, FakeCalls, make_desired, not_none, refusal

PARAMETER = not_none(
    make_desired(pypi__db="redis", db__region_name=None, db__url="redis://:p-word@cache.example").parameter
)
TAGS = [{"Key": key, "Value": value} for key, value in PARAMETER.tags.items()]
ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{PARAMETER.name}"
EXISTS = refusal("ParameterAlreadyExists", "The parameter already exists.")


def test_it_is_created_encrypted_and_with_tags() -> None:
    calls = FakeCalls()
    ParameterWriter(calls).create(PARAMETER)
    arguments = calls.clients.arguments("put_parameter")
    assert (arguments["Type"], arguments["Value"]) == ("SecureString", PARAMETER.value)
    assert arguments["Tags"] == TAGS
    assert "Overwrite" not in arguments


@pytest.mark.parametrize(("value", "created"), [(PARAMETER.value, True), ("other", False)])
def test_a_lost_response_is_no_error_if_the_parameter_is_as_wanted(value: str, created: bool) -> None:
    calls = FakeCalls(
        {
            "put_parameter": EXISTS,
            "get_parameter": {"Parameter": {"Type": "SecureString", "Value": value, "ARN": ARN}},
            "list_tags_for_resource": {"TagList": TAGS},
        }
    )
    if created:
        ParameterWriter(calls).create(PARAMETER)
        return
    with pytest.raises(AwsError, match="already exists") as caught:
        ParameterWriter(calls).create(PARAMETER)
    assert "p-word" not in str(caught.value)


def test_only_what_differs_is_updated() -> None:
    calls = FakeCalls()
    writer = ParameterWriter(calls)
    writer.update(PARAMETER, replace(PARAMETER, value="{}"))
    assert calls.clients.operations == ["put_parameter"]
    assert calls.clients.arguments("put_parameter")["Overwrite"]
    writer.update(PARAMETER, replace(PARAMETER, tags={}))
    assert calls.clients.operations == ["put_parameter", "add_tags_to_resource"]


@pytest.mark.parametrize("key", ["alias/security", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"])
def test_a_new_value_keeps_the_key_and_what_else_others_chose(key: str) -> None:
    """Systems Manager would use the account's own key; an advanced parameter can't become a standard one."""
    chosen = {"KeyId": key, "Tier": "Advanced", "Description": "by security", "AllowedPattern": r"^\{.*\}$"}
    calls = FakeCalls()
    ParameterWriter(calls).update(PARAMETER, replace(PARAMETER, value="{}", kept=chosen))
    arguments = calls.clients.arguments("put_parameter")
    assert chosen.items() <= arguments.items()
    assert (arguments["Value"], arguments["Overwrite"]) == (PARAMETER.value, True)


def test_a_parameter_that_is_gone_is_deleted_without_an_error() -> None:
    calls = FakeCalls({"delete_parameter": refusal("ParameterNotFound")})
    ParameterWriter(calls).delete(PARAMETER.name)
    assert calls.clients.operations == ["delete_parameter"]
