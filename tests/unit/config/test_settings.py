import json
import os
import sys

import pytest
from pypicloud.storage import S3Storage
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.config.settings import load_ini, read
from pypicloud_s3sync.exceptions import ConfigError
from pypicloud_s3sync.sync import environment

BASE = {
    "pypi.storage": "s3",
    "storage.bucket": "packages",
    "storage.region_name": "eu-west-1",
    "pypi.db": "dynamo",
    "db.region_name": "eu-west-1",
}


class OwnStorage(S3Storage):
    """A storage of somebody's own."""


def settings(env=None, overrides=None, **more):
    given = {**BASE, **{key.replace("__", "."): value for key, value in more.items()}}
    return read(
        EnvironSettings({key: value for key, value in given.items() if value is not None}, env or {}),
        overrides,
    )


def refused(**more):
    with pytest.raises(ConfigError) as caught:
        settings(**more)
    return str(caught.value)


@pytest.fixture
def ini(tmp_path):
    def write(text):
        path = tmp_path / "production.ini"
        path.write_text(text)
        return str(path)

    return write


def test_the_defaults_are_those_of_the_table():
    found = settings()
    assert (found.function_name, found.memory_size, found.timeout) == ("pypicloud_s3_sync", 512, 60)
    assert (found.architecture, found.log_retention_days, found.delivery) == ("x86_64", 30, "direct")
    assert found.runtime == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert (found.role_arn, found.bundle, found.endpoint_url, found.tags) == (None, None, None, {})


def test_every_option_is_read_and_converted():
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
    ("name", "value"),
    [
        ("function_name", "no spaces"),
        ("role_arn", "sync-role"),
        ("region", "Ireland"),
        ("runtime", "python2.7"),
        ("architecture", "sparc"),
        ("memory_size", "64"),
        ("memory_size", "much"),
        ("timeout", "901"),
        ("log_retention_days", "31"),
        ("delivery", "pigeon"),
        ("tags", "no value"),
        ("endpoint_url", "localhost"),
        ("permissions_boundary", "boundary"),
    ],
)
def test_a_value_that_is_not_possible_is_named_with_what_is(name, value):
    said = refused(**{f"s3sync__{name}": value})
    assert said.startswith(f"s3sync.{name} = {value} is not possible: it takes ")


@pytest.mark.parametrize(("typo", "meant"), [("functionname", "function_name"), ("memory", "memory_size")])
def test_an_unknown_option_names_the_nearest_one(typo, meant):
    assert (
        refused(**{f"s3sync__{typo}": "1"}) == f"unknown setting s3sync.{typo}: did you mean s3sync.{meant}?"
    )


def test_an_unknown_option_in_the_environment_is_refused_too():
    assert "did you mean s3sync.timeout?" in refused(env={"PPC_S3SYNC_TIMEOUTS": "1"})


def test_the_environment_overrides_the_ini_and_the_command_line_both():
    env = {
        "PPC_S3SYNC_FUNCTION_NAME": "env",
        "PPC_STORAGE_BUCKET": "env-bucket",
        "PPC_DB_REGION_NAME": "us-east-1",
    }
    found = settings(env=env, s3sync__function_name="ini")
    assert (found.function_name, found.bucket, found.db_region) == ("env", "env-bucket", "us-east-1")
    assert settings(env=env, overrides={"function_name": "cli"}).function_name == "cli"


def test_a_db_option_that_only_the_environment_has_reaches_the_function():
    assert settings(env={"PPC_DB_TABLENAMES": "a b"}).cache_settings["db.tablenames"] == "a b"


def test_reading_leaves_the_applications_settings_as_they_are():
    given = EnvironSettings(dict(BASE), {"PPC_S3SYNC_TIMEOUT": "5"})
    read(given, {"function_name": "other"})
    assert dict(given.items()) == BASE


@pytest.mark.parametrize(
    "storage", ["s3", "cloudfront", f"{__name__}.OwnStorage", "pypicloud.storage.S3Storage"]
)
def test_storages_in_s3_are_taken(storage, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    assert settings(pypi__storage=storage).bucket == "packages"


@pytest.mark.parametrize("storage", [None, "file", "gcs", "azure-blob", "pypicloud.storage.FileStorage"])
def test_other_storages_are_refused_with_what_to_set(storage):
    assert "set pypi.storage = s3" in refused(pypi__storage=storage)


def test_a_storage_that_cannot_be_imported_is_named():
    assert "no_such.module cannot be imported" in refused(pypi__storage="no_such.module")


def test_no_bucket_is_refused():
    assert "storage.bucket is not set" in refused(storage__bucket=None)


def test_no_region_is_left_to_the_bucket():
    assert settings(storage__region_name=None).region is None


def test_no_db_means_sql_as_in_pypicloud():
    assert "pypi.db = sql needs the URL" in refused(pypi__db=None)
    found = settings(pypi__db=None, db__url="postgresql://user:pw@db.example.com/ppc")
    assert found.cache == "sql"


@pytest.mark.parametrize("url", ["sqlite:///db.sqlite", "sqlite://"])
def test_sqlite_is_refused_as_no_lambda_can_reach_it(url):
    assert "sqlite file" in refused(pypi__db="sql", db__url=url)


@pytest.mark.parametrize(
    ("db", "more"),
    [
        ("redis", {"db__url": "redis://localhost:6379/0"}),
        ("sql", {"db__url": "postgresql://u:p@127.0.0.1/x"}),
        ("sql", {"db__url": "mysql+pymysql://u:p@[::1]/x"}),
        ("sql", {"db__url": "postgresql:///x"}),
        ("dynamo", {"db__host": "localhost"}),
    ],
)
def test_a_cache_on_this_machine_is_refused_but_for_an_emulator(db, more, monkeypatch):
    assert "a Lambda function cannot reach" in refused(pypi__db=db, **more)
    assert settings(pypi__db=db, s3sync__endpoint_url="http://localhost:4566", **more).cache == db
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert settings(pypi__db=db, **more).endpoint_url == "http://localhost:4566"


def test_no_error_tells_the_password_of_a_url():
    for url in ("postgresql://u:hunter2@localhost/x", "postgresql://u:hunter2@[broken/x"):
        assert "hunter2" not in refused(pypi__db="sql", db__url=url)


def test_a_dynamo_cache_needs_its_region():
    assert "db.region_name is not set" in refused(db__region_name=None)


def sent_to_function(found):
    """The function's variable, as JSON."""
    variables = environment.write(found.cache_settings, found.bucket, found.prefix, "eu-west-1")
    return variables["PYPICLOUD_SETTINGS"]


def test_credentials_are_used_and_never_reach_the_function():
    found = settings(
        storage__aws_access_key_id="AKIDSTORAGE",
        storage__aws_secret_access_key="secret-one",
        db__aws_access_key_id="AKIDDB",
        db__aws_secret_access_key="secret-two",
        db__aws_session_token="secret-three",
    )
    assert found.credentials.access_key_id == "AKIDSTORAGE"
    assert found.db_credentials.session_token == "secret-three"
    for secret in ("AKID", "secret-"):
        assert secret not in sent_to_function(found)
    assert "secret-" not in repr(found)


def test_half_a_pair_of_credentials_is_refused():
    assert "go together" in refused(storage__aws_access_key_id="AKID")


def test_a_storage_elsewhere_than_in_aws_is_refused_but_for_an_emulator():
    assert "not in AWS's S3" in refused(storage__endpoint_url="https://minio.example")
    assert settings(
        storage__endpoint_url="http://localhost:4566", s3sync__endpoint_url="http://localhost:4566"
    )


def test_table_names_come_in_a_pair():
    assert "takes two names" in refused(db__tablenames="one")


def test_a_region_or_an_endpoint_that_is_none_is_refused_wherever_it_comes_from(monkeypatch):
    assert "storage.region_name = us east is not possible" in refused(storage__region_name="us east")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566")
    assert "AWS_ENDPOINT_URL = localhost:4566 is not possible" in refused()


def test_half_a_vpc_is_refused():
    assert "go together" in refused(s3sync__vpc_subnet_ids="subnet-1")


def test_the_function_is_told_the_cache_and_the_bucket_and_no_more():
    found = settings(storage__prefix="pkgs/", user__admin="hash", session__encrypt_key="key")
    assert json.loads(sent_to_function(found)) == {
        "pypi.db": "dynamo",
        "db.region_name": "eu-west-1",
        "storage.bucket": "packages",
        "storage.prefix": "pkgs/",
        "storage.region_name": "eu-west-1",
    }


def test_an_ini_is_read_as_pserve_reads_it(ini):
    path = ini(
        "[app:main]\nuse = egg:pypicloud\nstorage.bucket = %(bucket)s\nwhere = %(here)s\n"
        "[app:other]\nuse = egg:pypicloud\nstorage.bucket = other\n"
    )
    assert load_ini(path, {"bucket": "b"})["storage.bucket"] == "b"
    assert load_ini(path, {"bucket": "b"})["where"] == os.path.dirname(path)
    assert load_ini(f"{path}#other", {"bucket": "b"})["storage.bucket"] == "other"


def test_an_ini_is_overridden_by_ppc_variables(ini, monkeypatch):
    monkeypatch.setenv("PPC_STORAGE_BUCKET", "env")
    assert load_ini(ini("[app:main]\nuse = egg:pypicloud\nstorage.bucket = b\n"))["storage.bucket"] == "env"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just words\n", "is not an ini file"),
        ("[app:other]\nuse = egg:pypicloud\n", "has no section [app:main]"),
        ("[app:main]\nuse = egg:pypicloud\na = %(nothing)s\n", "give it as nothing=VALUE"),
        ("[app:main]\nuse = egg:pypicloud\na = 100%\n", "write a literal % as %%"),
        ("[app:main]\nuse = egg:no_such_distribution\n", "no_such_distribution"),
    ],
)
def test_an_ini_that_cannot_be_read_is_refused_in_words(ini, text, said):
    path = ini(text)
    with pytest.raises(ConfigError) as caught:
        load_ini(path)
    assert said in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_ini_of_bytes_is_refused(tmp_path):
    (tmp_path / "x.ini").write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(ConfigError, match="is not an ini file"):
        load_ini(str(tmp_path / "x.ini"))


def test_a_config_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no config file .*nowhere\.ini"):
        load_ini(str(tmp_path / "nowhere.ini"))
