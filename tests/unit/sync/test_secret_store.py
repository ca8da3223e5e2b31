"""Reading the function's secrets, once per process and again after a refused login."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from pypicloud_s3sync.exceptions import ConfigError, UnreachableError
from pypicloud_s3sync.sync import environment, invocation, secret_store
from pypicloud_s3sync.sync.events import Record
from pypicloud_s3sync.sync.pending import Outcome
from support.fakes import refusal

NAME = "/pypicloud-s3sync/sync-eu-west-1-packages-0123abcd"
ARN = "arn:aws:secretsmanager:us-east-2:111122223333:secret:cache-AbCdEf"
KEYS = ("a/one-1.0.tar.gz", "a/two-1.0.tar.gz")
RECORDS = tuple(Record("bucket", key, "ObjectCreated:Put", None, None) for key in KEYS)


class FakeStore:
    """Stands for both services: returns the value, or raises it if it is an error."""

    def __init__(self) -> None:
        self.value: Any = json.dumps({"db.url": "redis://:old-word@cache.example"})
        self.calls: list[tuple[str, str | None]] = []

    def client(self, service: str, region: str | None) -> FakeStore:
        self.calls.append((service, region))
        return self

    def _answer(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def get_parameter(self, Name: str, WithDecryption: bool) -> Any:
        assert (Name, WithDecryption) == (NAME, True)
        return {"Parameter": {"Value": self._answer()}}

    def get_secret_value(self, SecretId: str) -> Any:
        assert SecretId == ARN
        return {"SecretString": self._answer()}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    fake = FakeStore()
    monkeypatch.setattr(secret_store, "_client", fake.client)
    monkeypatch.setattr(secret_store, "_settings", {})
    monkeypatch.setattr(secret_store, "_seen", {})
    return fake


def configure(monkeypatch: pytest.MonkeyPatch, reference: str = NAME) -> None:
    cache = {"pypi.db": "redis"}
    for name, value in environment.write(cache, "packages", "", "eu-west-1", reference).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("reference", "call"), [(NAME, ("ssm", "eu-west-1")), (ARN, ("secretsmanager", "us-east-2"))]
)
def test_the_settings_are_completed_by_one_call_per_process(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch, reference: str, call: tuple[str, str]
) -> None:
    configure(monkeypatch, reference)
    for _ in range(2):
        assert environment.read()["db.url"].startswith("redis://:old-word@cache.example")
    assert store.calls == [call]


def test_settings_without_a_reference_ask_nobody(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPICLOUD_SETTINGS", '{"pypi.db": "dynamo"}')
    environment.read()
    assert environment.refresh_secrets() is False
    assert store.calls == []


def test_former_and_current_passwords_are_masked(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)
    environment.read()
    assert environment.refresh_secrets() is False
    store.value = json.dumps({"db.url": "redis://:new-word@cache.example"})
    assert environment.refresh_secrets() is True
    assert {"old-word", "new-word"} <= set(environment.secrets())


def test_a_vpc_without_a_way_to_the_service_is_told(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch)
    store.value = ConnectTimeoutError(endpoint_url="https://ssm.eu-west-1.amazonaws.com")
    with pytest.raises(UnreachableError) as caught:
        environment.read()
    assert NAME in str(caught.value)
    assert "add an interface endpoint for ssm, or set s3sync.secrets = environment" in str(caught.value)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ParameterNotFound"])
def test_a_refusal_names_the_parameter(store: FakeStore, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    configure(monkeypatch)
    store.value = refusal(code)
    with pytest.raises(ConfigError, match=f"the SSM parameter {NAME} cannot be read .{code}"):
        environment.read()


@pytest.mark.parametrize("value", ["hunter2", "[]", "{}", '{"password": "hunter2"}', '"hunter2"'])
def test_a_value_of_another_form_is_refused_but_not_quoted(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    configure(monkeypatch, ARN)
    store.value = value
    with pytest.raises(ConfigError, match=r"does not hold a JSON object of db.\* settings") as caught:
        environment.read()
    assert "hunter2" not in str(caught.value)


class FakeSyncer:
    """Its database accepts only one password; converges one key, and then the connection is new."""

    def __init__(self, accepted: str) -> None:
        self.url = environment.read()["db.url"]
        self.accepted = accepted
        self.converged: list[str] = []

    def converge(self, bucket: str, keys: Any, report: Any) -> None:
        for key in keys:
            accepted = self.accepted in self.url or key == KEYS[0]
            self.converged += [key]
            error = ConnectionError("WRONGPASS invalid username-password pair or user is disabled.")
            report(bucket, key, Outcome("saved", key) if accepted else error)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[FakeSyncer]:
    """The syncers that were started, as long as nothing cleared the cache."""
    configure(monkeypatch)
    found: list[FakeSyncer] = []
    current: list[FakeSyncer] = []

    def start() -> Any:
        if not current:
            current.append(FakeSyncer("new-word"))
            found.append(current[0])
        return current[0]

    fake: Any = start
    fake.cache_clear = current.clear
    monkeypatch.setattr(invocation, "syncer", fake)
    return found


def test_after_a_rotation_what_failed_is_tried_again_with_the_new_password(
    store: FakeStore, started: list[FakeSyncer]
) -> None:
    environment.read()
    store.value = json.dumps({"db.url": "redis://:new-word@cache.example"})
    outcomes = invocation.converge(RECORDS, 10)
    assert all(isinstance(outcome, Outcome) for outcome in outcomes.values())
    assert [syncer.converged for syncer in started] == [list(KEYS), [KEYS[1]]]
    assert len(store.calls) == 2


def test_a_wrong_password_that_has_not_changed_is_not_tried_twice(
    store: FakeStore, started: list[FakeSyncer]
) -> None:
    """A server may lock an account after some failures."""
    outcomes = invocation.converge(RECORDS, 10)
    assert "WRONGPASS" in str(outcomes["bucket", KEYS[1]])
    assert len(started) == 1


def test_a_secret_that_cannot_be_read_again_is_the_error_of_what_failed(
    store: FakeStore, started: list[FakeSyncer]
) -> None:
    environment.read()
    store.value = refusal("AccessDeniedException")
    outcomes = invocation.converge(RECORDS, 10)
    assert isinstance(outcomes["bucket", KEYS[0]], Outcome)
    assert isinstance(outcomes["bucket", KEYS[1]], ConfigError)
