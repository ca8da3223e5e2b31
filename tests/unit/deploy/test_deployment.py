"""The bucket and the tables must be in one account."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.exceptions import ConfigError
from support.fakes import REGION, FakeClients, make_settings

KEYS = {
    "storage__aws_access_key_id": "AKIDSTORAGE",
    "storage__aws_secret_access_key": "secret",
    "db__aws_access_key_id": "AKIDTABLES",
    "db__aws_secret_access_key": "secret",
}
ACCOUNTS = {"AKIDSTORAGE": "111122223333", "AKIDTABLES": "444455556666", None: "777788889999"}


class TwoAccounts(FakeClients):
    """Clients of an account for each pair of credentials."""

    def __init__(self, settings: SyncSettings, region: str | None = None) -> None:
        account = ACCOUNTS[settings.credentials.access_key_id if settings.credentials else None]
        identity = {"Account": account, "Arn": f"arn:aws:iam::{account}:user/x", "UserId": "AIDA"}
        super().__init__({"get_caller_identity": identity, "head_bucket": {"BucketRegion": REGION}})
        self.settings = settings

    def with_credentials_of_tables(self) -> Clients:
        """Return clients with the credentials of the tables."""
        return Clients.with_credentials_of_tables(self)


def plan(**changes: str | None) -> None:
    Deployment(make_settings(**{**KEYS, **changes}), clients=TwoAccounts).plan()


@pytest.mark.parametrize(
    ("changes", "bucket"),
    [
        ({}, "111122223333"),
        ({"storage__aws_access_key_id": None, "storage__aws_secret_access_key": None}, "777788889999"),
        ({"pypi__db": "pypicloud.cache.dynamo.DynamoCache"}, "111122223333"),
        ({"db__host": "dynamodb.eu-west-1.amazonaws.com"}, "111122223333"),
    ],
    ids=["both", "tables", "class", "host"],
)
def test_credentials_of_two_accounts_are_refused(changes: dict[str, str | None], bucket: str) -> None:
    with pytest.raises(ConfigError, match=f"account 444455556666, .* belong to {bucket}: the function can"):
        plan(**changes)


@pytest.mark.parametrize(
    ("changes", "foreign"),
    [
        ({"db__aws_access_key_id": "AKIDSTORAGE"}, False),
        ({"db__aws_access_key_id": None, "db__aws_secret_access_key": None}, False),
        ({"pypi__db": "redis", "db__url": "redis://cache.example"}, False),
        ({"db__host": "dynamodb-local.example"}, False),
        ({}, True),
    ],
    ids=["same", "none", "redis", "local", "other"],
)
def test_only_other_credentials_are_compared(changes: dict[str, str | None], foreign: bool) -> None:
    assert make_settings(**{**KEYS, **changes}).tables_may_be_foreign is foreign
