"""Reading the key of the user's own secret."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.policy import ANY_KEY
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.keys import find_secret_key
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import ACCOUNT, REGION, FakeClients, make_desired, refusal

SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/cache-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"


def find(answers: dict[str, Any], secret: str = SECRET) -> tuple[str | None, FakeClients]:
    clients = FakeClients(answers)
    desired = make_desired(
        pypi__db="redis", db__region_name=None, db__url="redis://:p@cache", s3sync__secrets=secret
    )
    return find_secret_key(Calls(clients), desired), clients


@pytest.mark.parametrize(
    ("described", "key"),
    [
        # Secrets Manager leaves the field out for its own key: botocore, secretsmanager, DescribeSecret.
        ({"ARN": SECRET}, None),
        ({"KmsKeyId": "alias/aws/secretsmanager"}, None),
        ({"KmsKeyId": KEY}, KEY),
        ({"KmsKeyId": "1234abcd"}, KEY),
    ],
)
def test_the_key_of_a_secret_is_that_which_secrets_manager_shows(
    described: dict[str, Any], key: str | None
) -> None:
    found, clients = find({"describe_secret": described})
    assert found == key
    assert clients.calls == [("describe_secret", {"SecretId": SECRET})]


def test_an_alias_is_resolved() -> None:
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/security"
    answers = {"describe_secret": {"KmsKeyId": alias}, "describe_key": {"KeyMetadata": {"Arn": KEY}}}
    found, clients = find(answers)
    assert found == KEY
    assert clients.arguments("describe_key") == {"KeyId": alias}


def test_an_alias_that_may_not_be_resolved_is_an_error_that_names_the_right() -> None:
    answers = {"describe_secret": {"KmsKeyId": "alias/security"}, "describe_key": refusal("AccessDenied")}
    with pytest.raises(AwsError, match=r"kms:DescribeKey on the KMS key alias/security"):
        find(answers)


def test_the_secret_of_another_account_is_not_looked_at() -> None:
    """Its owner need only allow the function to read it."""
    found, clients = find({}, SECRET.replace(ACCOUNT, "999999999999"))
    assert (found, clients.calls) == (ANY_KEY, [])


def test_the_secret_of_another_region_is_looked_at_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def in_region(clients: FakeClients, region: str) -> FakeClients:
        asked.append(region)
        return clients

    monkeypatch.setattr(FakeClients, "in_region", in_region)
    find({"describe_secret": {"KmsKeyId": KEY}}, SECRET.replace(REGION, "us-east-2"))
    assert asked == ["us-east-2"]


def test_without_a_secret_or_if_it_is_gone_there_is_no_key() -> None:
    assert find({"describe_secret": refusal("ResourceNotFoundException")})[0] is None
    clients = FakeClients({})
    assert find_secret_key(Calls(clients), make_desired()) is None
    assert clients.calls == []
