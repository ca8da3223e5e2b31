"""The ini and the environment become values that the rest of the package uses."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.config.runtimes import RUNTIMES, WITHOUT_SNAP_START, default_runtime
from pypicloud_s3sync.config.settings import SyncSettings, read
from pypicloud_s3sync.exceptions import ConfigError
from pypicloud_s3sync.sync import environment

BASE = {
    "pypi.storage": "s3",
    "storage.bucket": "packages",
    "storage.region_name": "eu-west-1",
    "pypi.db": "dynamo",
    "db.region_name": "eu-west-1",
}


def settings(
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, str | None] | None = None,
    /,
    **more: str | None,
) -> SyncSettings:
    """Read the base settings with others: ``db__url`` stands for ``db.url``, None removes a setting."""
    given = {**BASE, **{key.replace("__", "."): value for key, value in more.items()}}
    return read(
        EnvironSettings({key: value for key, value in given.items() if value is not None}, env or {}),
        overrides,
    )


def refusal(env: Mapping[str, str] | None = None, /, **more: str | None) -> str:
    """Return the message with which such settings are refused."""
    with pytest.raises(ConfigError) as caught:
        settings(env, **more)
    return str(caught.value)


# The s3sync.* options


def test_the_defaults_are_those_of_the_documentation() -> None:
    found = settings()
    assert (found.function_name, found.memory_size, found.timeout) == ("pypicloud_s3_sync", 512, 60)
    assert (found.architecture, found.log_retention_days, found.delivery) == ("x86_64", None, "direct")
    assert found.runtime == default_runtime()
    assert (found.role_arn, found.bundle, found.endpoint_url, found.tags) == (None, None, None, {})


def test_the_default_runtime_of_an_emulator_is_the_one_that_it_can_run() -> None:
    found = settings(s3sync__endpoint_url="http://localhost:4566")
    assert found.runtime == default_runtime(emulated=True)


def test_snap_start_is_off_and_needs_a_runtime_that_has_it() -> None:
    assert settings().snap_start is False
    for runtime in sorted(RUNTIMES.keys() - WITHOUT_SNAP_START):
        assert settings(s3sync__snap_start="true", s3sync__runtime=runtime).snap_start is True
    message = "s3sync.snap_start needs the runtime python3.12 or newer, but the function has python3.11"
    with pytest.raises(ConfigError, match=message):
        settings(s3sync__snap_start="true", s3sync__runtime="python3.11")
    assert settings(s3sync__snap_start="false", s3sync__runtime="python3.11").snap_start is False


def test_every_option_is_read_and_converted() -> None:
    found = settings(
        s3sync__function_name="sync",
        s3sync__memory_size="1024",
        s3sync__vpc_subnet_ids="subnet-1, subnet-2",
        s3sync__vpc_security_group_ids="sg-1\nsg-2",
        s3sync__tags="team = infra\ncost=1",
        s3sync__extra_packages="own-cache",
        s3sync__role_arn="arn:aws-cn:iam::123456789012:role/path/sync",
    )
    assert found.function_name == "sync"
    assert found.memory_size == 1024
    assert found.vpc_subnet_ids == ("subnet-1", "subnet-2")
    assert found.vpc_security_group_ids == ("sg-1", "sg-2")
    assert found.tags == {"team": "infra", "cost": "1"}
    assert found.extra_packages == ("own-cache",)
    assert found.role_arn == "arn:aws-cn:iam::123456789012:role/path/sync"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("function_name", "no spaces", "1 to 64 letters, digits, '-' and '_'"),
        ("role_arn", "sync-role", "the ARN of an IAM role"),
        ("region", "Ireland", "an AWS region, for example eu-west-1"),
        ("runtime", "python2.7", "one of python3.11, python3.12, python3.13, python3.14"),
        ("architecture", "sparc", "one of x86_64, arm64"),
        ("memory_size", "64", "a whole number of MB from 128 to 10240"),
        ("memory_size", "much", "a whole number of MB from 128 to 10240"),
        ("timeout", "901", "a whole number of seconds from 1 to 900"),
        ("log_retention_days", "31", "one of 1, 3, 5, 7, 14, 30, "),
        ("delivery", "pigeon", "one of direct, sqs, eventbridge"),
        ("tags", "no value", "lines of key=value"),
        ("endpoint_url", "localhost", "a URL, for example http://localhost:4566"),
        ("endpoint_url", "http://[", "a URL, for example http://localhost:4566"),
        ("endpoint_url", "http://:4566", "a URL, for example http://localhost:4566"),
        ("endpoint_url", "http://localhost:port", "a URL, for example http://localhost:4566"),
        ("permissions_boundary", "boundary", "the ARN of an IAM policy"),
        ("bundle", "s3://", "the path of a zip, or s3://bucket/key"),
        ("bundle", "s3://artifacts/", "the path of a zip, or s3://bucket/key"),
        ("bundle", "s3:///sync.zip", "the path of a zip, or s3://bucket/key"),
        ("bundle", "https://example.com/sync.zip", "the path of a zip, or s3://bucket/key"),
        ("reconcile_schedule", "daily", "rate(VALUE UNIT) or cron(...) with six fields, for example"),
        ("reconcile_schedule", "rate(0 days)", "rate(VALUE UNIT) or cron(...) with six fields"),
        ("reconcile_schedule", "rate(1 week)", "rate(VALUE UNIT) or cron(...) with six fields"),
        ("reconcile_schedule", "cron(0 3 * * *)", "rate(VALUE UNIT) or cron(...) with six fields"),
        ("snap_start", "PublishedVersions", "true or false"),
        ("secrets", "vault", "ssm, environment, or the ARN of a secret of Secrets Manager"),
        # Without the characters that Secrets Manager appends, no policy could name exactly this secret.
        (
            "secrets",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:cache",
            "ssm, environment, or the ARN of a secret of Secrets Manager",
        ),
    ],
)
def test_an_invalid_value_is_named_with_what_is_expected(name: str, value: str, expected: str) -> None:
    message = refusal(**{f"s3sync__{name}": value})
    assert message.startswith(f"Invalid value {value!r} for s3sync.{name}: expected {expected}")


@pytest.mark.parametrize(("typo", "meant"), [("functionname", "function_name"), ("memory", "memory_size")])
def test_an_unknown_option_is_refused_with_the_nearest_one(typo: str, meant: str) -> None:
    message = refusal(**{f"s3sync__{typo}": "1"})
    assert message == f"unknown setting s3sync.{typo}: did you mean s3sync.{meant}?"


def test_an_unknown_option_in_the_environment_is_refused_too() -> None:
    assert "did you mean s3sync.timeout?" in refusal({"PPC_S3SYNC_TIMEOUTS": "1"})


def test_an_invalid_region_or_endpoint_is_refused_outside_of_the_options_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = refusal(storage__region_name="us east")
    assert message.startswith("Invalid value 'us east' for storage.region_name: expected an AWS region")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566")
    assert refusal().startswith("Invalid value 'localhost:4566' for AWS_ENDPOINT_URL: expected a URL")


def test_only_subnets_or_only_security_groups_are_refused() -> None:
    message = refusal(s3sync__vpc_subnet_ids="subnet-1")
    assert message.startswith("only one of s3sync.vpc_subnet_ids and s3sync.vpc_security_group_ids is set")


# The environment and the command line


def test_the_environment_overrides_the_ini_and_the_command_line_overrides_both() -> None:
    env = {
        "PPC_S3SYNC_FUNCTION_NAME": "env",
        "PPC_STORAGE_BUCKET": "env-bucket",
        "PPC_DB_REGION_NAME": "us-east-1",
    }
    found = settings(env, s3sync__function_name="ini")
    assert (found.function_name, found.bucket, found.db_region) == ("env", "env-bucket", "us-east-1")
    assert settings(env, {"function_name": "cli"}).function_name == "cli"


def test_reading_does_not_change_the_applications_settings() -> None:
    given = EnvironSettings(dict(BASE), {"PPC_S3SYNC_TIMEOUT": "5"})
    read(given, {"function_name": "other"})
    assert dict(given.items()) == BASE


def test_the_emulators_address_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a Lambda function cannot reach" in refusal(db__host="localhost")
    assert settings(db__host="localhost", s3sync__endpoint_url="http://localhost:4566").cache == "dynamo"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert settings(db__host="localhost").endpoint_url == "http://localhost:4566"


# pypicloud's settings


def test_a_storage_outside_of_s3_is_refused() -> None:
    assert "set pypi.storage = s3" in refusal(pypi__storage=None)


def test_without_a_region_only_the_bucket_can_tell_it() -> None:
    assert settings(storage__region_name=None).region is None


def test_the_default_cache_is_sql_as_in_pypicloud() -> None:
    assert "pypi.db = sql needs the URL" in refusal(pypi__db=None)
    found = settings(pypi__db=None, db__url="postgresql://user:pw@db.example.com/ppc")
    assert found.cache == "sql"


@pytest.mark.parametrize(
    ("spelling", "changes"),
    [
        ("pypicloud.cache.dynamo.DynamoCache", {"pypi__db": "dynamo"}),
        (
            "pypicloud.cache.redis_cache:RedisCache",
            {"pypi__db": "redis", "db__url": "redis://:p@cache.example"},
        ),
        (":SQLCache", {"pypi__db": "sql", "db__url": "postgresql://u:p@db.example/ppc"}),
    ],
)
def test_a_cache_named_by_its_class_is_the_same_as_by_its_short_name(
    spelling: str, changes: dict[str, str]
) -> None:
    assert settings(**{**changes, "pypi__db": spelling}) == settings(**changes)
    assert settings({"PPC_PYPI_DB": f"{spelling} "}, **changes) == settings(**changes)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("pypicloud.cache.dynamo.DynamoCache", "db.region_name is not set"),
        ("pypicloud.cache.RedisCache", "db.url is not set: pypi.db = redis needs the URL"),
        ("pypicloud.cache.sql.SQLCache", "db.url is not set: pypi.db = sql needs the URL"),
    ],
)
def test_a_cache_named_by_its_class_is_checked(spelling: str, message: str) -> None:
    assert message in refusal(pypi__db=spelling, db__region_name=None)


def test_the_region_of_the_endpoint_is_the_buckets_region() -> None:
    url = "https://s3.eu-north-1.amazonaws.com"
    assert settings(storage__region_name=None, storage__endpoint_url=url).region == "eu-north-1"
    assert settings(storage__endpoint_url=url).region == "eu-west-1"


def test_a_vpc_endpoint_is_used_by_this_host_and_not_by_the_function() -> None:
    url = "https://bucket.vpce-1a2b3c4d-5e6f.s3.eu-west-1.vpce.amazonaws.com"
    found = settings(storage__endpoint_url=url)
    assert found.s3_endpoint_url == url
    assert "vpce" not in sent_to_function(found)
    assert settings(storage__endpoint_url="https://s3.eu-west-1.amazonaws.com").s3_endpoint_url is None


@pytest.mark.parametrize(
    ("secure", "scheme"), [(None, "http"), ("y", "https"), ("T", "https"), ("1", "https"), ("off", "http")]
)
def test_the_address_of_dynamodb_is_read_as_pypicloud_reads_it(secure: str | None, scheme: str) -> None:
    found = settings(db__host="dynamodb.example", db__secure=secure)
    assert found.db_endpoint_url == f"{scheme}://dynamodb.example:8000"


@pytest.mark.parametrize(
    ("name", "value"), [("db.port", "many"), ("db.region_name", "Ireland"), ("db.host", " ")]
)
def test_an_invalid_setting_of_dynamodb_is_refused(name: str, value: str) -> None:
    assert name in refusal(**{name.replace(".", "__"): value})


@pytest.mark.parametrize("prefix", ["storage", "db"])
def test_half_a_pair_of_credentials_is_refused(prefix: str) -> None:
    message = refusal(**{f"{prefix}__aws_access_key_id": "AKID"})
    assert message.startswith(
        f"only one of {prefix}.aws_access_key_id and {prefix}.aws_secret_access_key is set: set both"
    )


# What the function gets


def sent_to_function(found: SyncSettings) -> str:
    """Return the function's environment variable."""
    variables = environment.write(found.function_cache_settings, found.bucket, found.prefix, "eu-west-1")
    return variables["PYPICLOUD_SETTINGS"]


def test_the_function_gets_the_settings_of_the_cache_and_the_bucket_and_no_others() -> None:
    found = settings(storage__prefix="pkgs/", user__admin="hash", session__encrypt_key="key")
    assert json.loads(sent_to_function(found)) == {
        "pypi.db": "dynamo",
        "db.region_name": "eu-west-1",
        "storage.bucket": "packages",
        "storage.prefix": "pkgs/",
        "storage.region_name": "eu-west-1",
    }


def test_the_function_gets_db_options_from_the_environment() -> None:
    assert settings({"PPC_DB_TABLENAMES": "a b"}).cache_settings["db.tablenames"] == "a b"


def test_credentials_are_read_but_never_reach_the_function() -> None:
    found = settings(
        storage__aws_access_key_id="AKIDSTORAGE",
        storage__aws_secret_access_key="secret-one",
        db__aws_access_key_id="AKIDDB",
        db__aws_secret_access_key="secret-two",
        db__aws_session_token="secret-three",
    )
    assert found.credentials is not None
    assert found.credentials.access_key_id == "AKIDSTORAGE"
    assert found.db_credentials is not None
    assert found.db_credentials.session_token == "secret-three"
    for secret in ("AKID", "secret-"):
        assert secret not in sent_to_function(found)
    assert "secret-" not in repr(found)
