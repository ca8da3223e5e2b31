"""Facts that cannot be read are errors of their own; what depends on them says so."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.doctor import reading
from pypicloud_s3sync.doctor.models import BucketFacts, Facts
from pypicloud_s3sync.exceptions import AwsError, ConfigError, NotReadError, UnreachableError
from support.examinations import NOW, OTHER, ROLE, rule
from support.fakes import ACCOUNT, BUCKET, FakeClients, make_settings, refusal

CALLER = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/operator"}
DENIED = refusal("AccessDenied", status=403)
MISSING = refusal("ResourceNotFoundException", status=404)
TABLE = {"TableName": "x", "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
#: An account with a bucket and tables, and nothing else.
EMPTY: dict[str, Any] = {
    "get_caller_identity": CALLER,
    "head_bucket": {"BucketRegion": "eu-west-1"},
    "get_function": MISSING,
    "get_policy": MISSING,
    "get_role": refusal("NoSuchEntity", status=404),
    "get_queue_url": refusal("QueueDoesNotExist", status=400),
    "get_bucket_replication": refusal("ReplicationConfigurationNotFoundError", status=404),
    "describe_table": {"Table": TABLE},
}


class Adapter:
    """A cache that returns prepared answers."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self, keys: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def read(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], cache: Any = None) -> Facts:
    """Return the facts of an AWS with these answers, and of a cache."""

    def open_cache(settings: SyncSettings) -> Adapter:
        return Adapter({} if cache is None else cache)

    monkeypatch.setattr(reading, "open_adapter", open_cache)
    clients = FakeClients({**EMPTY, **answers})

    def make(settings: SyncSettings, region: str | None = None) -> Clients:
        return clients

    return reading.read_facts(make_settings(), make, NOW)


def test_an_empty_account_is_read_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = read(monkeypatch, {"describe_table": MISSING})
    assert facts.identity.get().arn == CALLER["Arn"]
    assert (facts.function.get(), facts.role.get(), facts.replication.get()) == (None, None, None)
    assert facts.tables.get().missing == ("DynamoPackage", "PackageSummary")
    assert isinstance(facts.cache.error, NotReadError), "opening the cache would create the tables"
    assert isinstance(facts.probe.error, NotReadError)
    assert isinstance(facts.intervals.error, NotReadError)


def test_without_credentials_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = read(monkeypatch, {"get_caller_identity": refusal("ExpiredToken", status=403)})
    assert isinstance(facts.identity.error, AwsError)
    for fact in (facts.bucket, facts.versioning, facts.function, facts.role, facts.notifications):
        assert isinstance(fact.error, NotReadError), fact
        assert "the credentials do not work" in str(fact.error)


def test_a_bucket_of_another_account_is_told_from_one_that_may_not_be_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def head(**arguments: Any) -> dict[str, Any]:
        if "ExpectedBucketOwner" in arguments:
            raise DENIED
        return {"ResponseMetadata": {"HTTPHeaders": {}}}

    assert read(monkeypatch, {"head_bucket": head}).bucket.get() == BucketFacts("eu-west-1", is_foreign=True)
    assert isinstance(read(monkeypatch, {"head_bucket": DENIED}).bucket.error, AwsError)


def test_a_denied_read_leaves_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = read(monkeypatch, {"get_function": DENIED, "get_bucket_versioning": {"Status": "Enabled"}})
    assert isinstance(facts.function.error, AwsError)
    assert facts.versioning.get() == "Enabled"
    assert "the function is unknown" in str(facts.delivery.error)


@pytest.mark.parametrize("locked", [(), (BUCKET,), (BUCKET, OTHER)])
def test_object_lock_is_read_of_the_buckets_whose_replication_needs_it(
    monkeypatch: pytest.MonkeyPatch, locked: tuple[str, ...]
) -> None:
    def lock(Bucket: str) -> dict[str, Any]:
        if Bucket not in locked:
            raise refusal("ObjectLockConfigurationNotFoundError", status=404)
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}

    assert read(monkeypatch, {"get_object_lock_configuration": lock}).object_locks[BUCKET].get() is False
    answers = {
        "get_bucket_replication": {"ReplicationConfiguration": {"Role": ROLE, "Rules": [rule()]}},
        "get_object_lock_configuration": lock,
    }
    found = read(monkeypatch, answers).object_locks
    asked = (BUCKET, OTHER) if locked else (BUCKET,)
    assert {name: fact.get() for name, fact in found.items()} == {name: name in locked for name in asked}
    denied = read(monkeypatch, {**answers, "get_object_lock_configuration": DENIED}).object_locks
    assert "AccessDenied for s3:GetBucketObjectLockConfiguration" in str(denied[BUCKET].error)


@pytest.mark.parametrize(
    ("cache", "kind", "text"),
    [
        (refusal("AccessDeniedException", status=400), AwsError, "AccessDenied for dynamodb:Operation"),
        ({"x": refusal("AccessDeniedException", status=400)}, AwsError, "AccessDenied for dynamodb:"),
        ({"x": UnreachableError("throttled")}, UnreachableError, "throttled"),
        (ConnectionError("gone"), UnreachableError, "ConnectionError: gone"),
    ],
)
def test_an_error_of_the_cache_is_named(
    monkeypatch: pytest.MonkeyPatch, cache: ClientError, kind: type[Exception], text: str
) -> None:
    error = read(monkeypatch, {}, cache).cache.error
    assert isinstance(error, kind)
    assert text in str(error)


def test_a_configuration_of_this_host_that_cannot_be_used_is_an_error_of_the_command() -> None:
    def make(settings: SyncSettings, region: str | None = None) -> Clients:
        raise ConfigError("the AWS configuration cannot be used")

    with pytest.raises(ConfigError):
        reading.read_facts(make_settings(), make)
