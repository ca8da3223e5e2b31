from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pypicloud_s3sync.deploy.models import Desired, Observed
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.exceptions import ConfigError
from pypicloud_s3sync.sync import environment
from pypicloud_s3sync.sync.environment import VARIABLE, redact, secrets, with_timeouts
from pypicloud_s3sync.sync.masking import MASK
from support.fakes import NOTHING, deployed, make_desired, make_settings, not_none
from support.secret_urls import SECRET, URLS


class TestRead:
    def test_it_returns_what_write_has_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cache_settings = {"pypi.db": "dynamo", "db.region_name": "eu-central-1"}
        variables = environment.write(cache_settings, "packages", "pkgs/", "eu-west-1")
        assert variables.keys() == {VARIABLE}
        monkeypatch.setenv(VARIABLE, variables[VARIABLE])
        settings = environment.read()
        assert {name: settings[name] for name in json.loads(variables[VARIABLE])} == {
            **cache_settings,
            "storage.bucket": "packages",
            "storage.prefix": "pkgs/",
            "storage.region_name": "eu-west-1",
        }

    def test_ppc_variables_override_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, '{"storage.bucket": "packages"}')
        monkeypatch.setenv("PPC_STORAGE_BUCKET", "another")
        assert environment.read()["storage.bucket"] == "another"

    def test_a_url_gets_timeouts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, '{"pypi.db": "sql", "db.url": "postgresql://h/d"}')
        assert environment.read()["db.url"] == "postgresql://h/d?connect_timeout=5"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param(None, "PYPICLOUD_SETTINGS is not set: run ppc-s3sync enable", id="missing"),
            pytest.param("", r"is not a JSON object \(.*\): run ppc-s3sync enable", id="empty"),
            pytest.param("not json", r"is not a JSON object \(.*\): run ppc-s3sync enable", id="not JSON"),
            pytest.param("[]", r"is not a JSON object \(it is a list\): run ppc-s3sync", id="a list"),
        ],
    )
    def test_settings_that_are_missing_or_invalid_are_an_error_with_a_remedy(
        self, monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
    ) -> None:
        if text is not None:
            monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(ConfigError, match=message):
            environment.read()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:6379/0", "redis://h:6379/0?socket_connect_timeout=5&socket_timeout=10"),
        (
            "rediss://h/0?ssl_cert_reqs=none",
            "rediss://h/0?ssl_cert_reqs=none&socket_connect_timeout=5&socket_timeout=10",
        ),
        ("redis://h/0?socket_timeout=2", "redis://h/0?socket_timeout=2&socket_connect_timeout=5"),
        ("postgresql://u:p@h/d", "postgresql://u:p@h/d?connect_timeout=5"),
        ("postgresql+psycopg2://h/d?connect_timeout=1", "postgresql+psycopg2://h/d?connect_timeout=1"),
        (
            "mysql+pymysql://h/d?read_timeout=30",
            "mysql+pymysql://h/d?read_timeout=30&connect_timeout=5&write_timeout=10",
        ),
        ("mariadb://h/d", "mariadb://h/d?connect_timeout=5&read_timeout=10&write_timeout=10"),
        ("postgresql+pg8000://h/d", "postgresql+pg8000://h/d"),
    ],
    ids=str,
)
def test_a_driver_that_would_wait_for_ever_gets_a_timeout(url: str, expected: str) -> None:
    assert with_timeouts(url) == expected


class TestSecrets:
    def test_the_url_of_the_cache_and_its_password_are_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        url = "mysql://app:s3cr%40t@db.example/pypi"
        monkeypatch.setenv(VARIABLE, json.dumps({"pypi.db": "sql", "db.url": url}))
        assert {url, "s3cr%40t", "s3cr@t"} <= set(secrets())

    def test_so_are_the_credentials_and_overrides_in_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PPC_DB_URL", f"redis://:{SECRET}@h")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "a session's token")
        assert {SECRET, "a session's token"} <= set(secrets())

    @pytest.mark.parametrize("text", [None, '{"pypi.db": "dynamo"}'], ids=["no settings", "no URL"])
    def test_there_may_be_no_secrets(self, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        if text is not None:
            monkeypatch.setenv(VARIABLE, text)
        assert not secrets()


def redacted(**settings: Any) -> Any:
    """Return what is shown of a function's settings."""
    configuration = {"Environment": {VARIABLE: json.dumps(settings)}}
    return redact(configuration)["Environment"][VARIABLE]


class TestRedact:
    @pytest.mark.parametrize("url", URLS.values(), ids=URLS)
    def test_a_password_in_a_url_is_masked(self, url: str) -> None:
        shown = redacted(**{"db.url": url})["db.url"]
        assert SECRET not in shown
        assert MASK in shown

    @pytest.mark.parametrize("url", URLS.values(), ids=URLS)
    def test_the_scheme_of_a_url_is_shown(self, url: str) -> None:
        """It names the kind of database, and a password cannot be in it."""
        assert redacted(**{"db.url": url})["db.url"].startswith(url.partition("://")[0] + "://")

    @pytest.mark.parametrize(
        "name",
        [
            *("db.password", "db.PASSWORD", "db.passwd", "db.passphrase", "db.sslpassword", "db.pwd"),
            *("db.secret", "db.client_secret", "db.auth_token", "db.apikey", "db.api_key", "db.auth"),
            *("db.credentials", "db.sentinel_password", "db.aws_access_key_id", "db.aws_secret_access_key"),
            "db.aws_session_token",
        ],
    )
    def test_an_option_with_the_name_of_a_secret_is_masked(self, name: str) -> None:
        assert redacted(**{name: SECRET}) == {name: MASK}

    def test_options_that_are_known_to_hold_no_secret_are_shown(self) -> None:
        settings = {
            "pypi.db": "dynamo",
            "db.region_name": "eu-west-1",
            "db.namespace": "eu-",
            "db.tablenames": "rows summaries",
            "db.graceful_reload": True,
            "storage.bucket": "packages",
            "storage.prefix": "pkgs/",
        }
        assert redacted(**settings) == settings

    @pytest.mark.parametrize(
        "value",
        [
            {"url": f"redis://:{SECRET}@h"},
            {"password": SECRET},
            [f"redis://:{SECRET}@h"],
            [[{"token": SECRET}]],
        ],
        ids=str,
    )
    def test_a_secret_in_nested_settings_is_masked(self, value: Any) -> None:
        """A function that was built by hand may have any settings, and ``plan -f`` shows them."""
        assert SECRET not in json.dumps(redacted(db=value))

    @pytest.mark.parametrize("text", [SECRET, f'"{SECRET}"', f'["{SECRET}"]', f"{{'db.url': '{SECRET}'", ""])
    def test_settings_that_are_not_an_object_are_masked(self, text: str) -> None:
        assert redact({"Environment": {VARIABLE: text}}) == {"Environment": {VARIABLE: MASK}}

    @pytest.mark.parametrize("name", ["PPC_DB_URL", "DEBUG", "pypicloud_settings", "PYPICLOUD_SETTINGS_2"])
    def test_only_the_name_of_any_other_variable_is_shown(self, name: str) -> None:
        assert redact({"Environment": {name: SECRET}}) == {"Environment": {name: MASK}}

    def test_the_rest_of_a_configuration_and_the_original_are_not_changed(self) -> None:
        configuration = {"Timeout": 3, "Environment": {"X": SECRET}}
        assert redact(configuration) == {"Timeout": 3, "Environment": {"X": MASK}}
        assert configuration == {"Timeout": 3, "Environment": {"X": SECRET}}
        assert redact({"Timeout": 3}) == {"Timeout": 3}


def observations(desired: Desired, settings: str) -> Iterator[tuple[str, Observed]]:
    """Yield what AWS may have, each with a description."""
    yield "nothing", NOTHING
    yield "as desired", deployed(desired)
    for description, variables in {
        "another password": {VARIABLE: settings.replace(SECRET, f"old-{SECRET}")},
        "another host": {VARIABLE: settings.replace("example", "invalid")},
        "other variables": {VARIABLE: "{}", "DB_PASSWORD": SECRET, "X": SECRET},
        "no settings": {"PPC_DB_URL": f"redis://:{SECRET}@h"},
        "not JSON": {VARIABLE: f"db.url={SECRET}"},
    }.items():
        observed = deployed(desired)
        function = not_none(observed.function)
        configuration = {**function.configuration, "Timeout": 3, "Environment": variables}
        yield description, replace(observed, function=replace(function, configuration=configuration))


class TestDocuments:
    """The plan and the status are printed, logged and sent to browsers."""

    @pytest.mark.untraced
    @pytest.mark.parametrize("url", URLS.values(), ids=URLS)
    @pytest.mark.parametrize("store", ["ssm", "environment"])
    def test_they_do_not_contain_the_password(self, url: str, store: str) -> None:
        cache = "redis" if url.startswith("redis") else "sql"
        changes = {"pypi__db": cache, "db__region_name": None, "db__url": url, "db__password": SECRET}
        changes["s3sync__secrets"] = store
        settings, desired = make_settings(**changes), make_desired(**changes)
        written = desired.function.configuration["Environment"][VARIABLE]
        assert (SECRET in written) == (store == "environment")
        assert store == "environment" or SECRET in not_none(desired.parameter).value
        for description, observed in observations(desired, written):
            for force in (False, True):
                plan = plan_enable(desired, observed, force=force)
                for document in (plan_document(plan, "enable"), status_document(plan, settings)):
                    assert SECRET not in json.dumps(document), description
            document = plan_document(plan_disable(desired, observed), "disable")
            assert SECRET not in json.dumps(document), description

    def test_the_repr_of_settings_and_plans_does_not_contain_a_password(self) -> None:
        """It ends up in tracebacks and logs."""
        changes = {
            "pypi__db": "redis",
            "db__url": URLS["a user"],
            "storage__aws_access_key_id": "AKIA",
            "storage__aws_secret_access_key": SECRET,
            "storage__aws_session_token": SECRET,
        }
        desired = make_desired(**changes)
        plan = plan_enable(desired, NOTHING)
        update = plan_enable(desired, deployed(desired))
        for value in (make_settings(**changes), desired, plan, *plan.actions, update):
            assert SECRET not in repr(value)


def test_the_certificates_are_where_the_bundle_was_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "rediss://cache.example?socket_timeout=1&ssl_ca_certs=/var/task/certificates/ssl_ca_certs.pem"
    monkeypatch.setenv(VARIABLE, json.dumps({"pypi.db": "redis", "db.url": url}))
    root = Path(environment.__file__).parents[2]
    path = parse_qs(urlsplit(environment.read()["db.url"]).query)["ssl_ca_certs"]
    assert path == [f"{root}/certificates/ssl_ca_certs.pem"]
