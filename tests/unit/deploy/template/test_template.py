"""What both formats of a template have in common."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pypicloud_s3sync.deploy.template import Format, template
from pypicloud_s3sync.exceptions import ConfigError
from support.fakes import make_settings


@pytest.mark.parametrize("form", Format)
def test_without_a_region_there_is_no_template(form: Format) -> None:
    settings = make_settings(storage__region_name=None)
    with pytest.raises(ConfigError, match=r"no region is set.*: set storage\.region_name, or use -r"):
        template(settings, form)


PASSWORDS = {
    "redis": ({"pypi__db": "redis", "db__url": "redis://:s3cr3t@cache.example:6379/0"}, "db.url"),
    "sql": ({"pypi__db": "sql", "db__url": "mysql+pymysql://pypi:s3cr3t@db.example/pypi"}, "db.url"),
    "another setting": ({"db__api_key": "s3cr3t"}, "db.api_key"),
}
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:pypi-AbCdEf"


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(("changes", "setting"), PASSWORDS.values(), ids=PASSWORDS)
def test_a_password_in_the_environment_is_refused(
    form: Format, changes: dict[str, str], setting: str
) -> None:
    settings = make_settings(**changes, s3sync__secrets="environment")
    with pytest.raises(ConfigError, match=f"would contain the password of {setting}: set s3sync") as raised:
        template(settings, form)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(("changes", "setting"), PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("store", ["ssm", SECRET])
def test_a_password_that_is_kept_elsewhere_is_not_in_the_template(
    form: Format, changes: dict[str, str], setting: str, store: str
) -> None:
    text = json.dumps(template(make_settings(**changes, s3sync__secrets=store), form))
    assert "s3cr3t" not in text
    assert ("ssm:GetParameter" if store == "ssm" else SECRET) in text
    # A template cannot look at the secret: the condition limits the right to its key.
    assert ("kms:EncryptionContext:SecretARN" in text) == (store != "ssm")


@pytest.mark.parametrize("form", Format)
def test_credentials_of_the_operator_are_not_in_the_template(form: Format) -> None:
    credentials = {
        f"{section}__aws_{name}": "AKIAIOSFODNN7EXAMPLE"
        for section in ("storage", "db")
        for name in ("access_key_id", "secret_access_key")
    }
    assert "AKIA" not in json.dumps(template(make_settings(**credentials), form))


@pytest.mark.parametrize("form", Format)
def test_an_environment_that_lambda_refuses_is_refused(form: Format) -> None:
    with pytest.raises(ConfigError, match="but Lambda allows 4096"):
        template(make_settings(db__namespace="x" * 5000), form)


@pytest.mark.parametrize("form", Format)
def test_the_least_concurrency_is_used_because_the_capacity_of_the_tables_is_not_known(form: Format) -> None:
    assert concurrency(template(make_settings(), form)) == 2
    assert concurrency(template(make_settings(s3sync__maximum_concurrency="7"), form)) == 7


def concurrency(document: dict[str, Any]) -> int:
    if "Resources" in document:
        mapping = document["Resources"]["EventSourceMapping"]["Properties"]
        return int(mapping["ScalingConfig"]["MaximumConcurrency"])
    mapping = document["resource"]["aws_lambda_event_source_mapping"]["sync"]
    return int(mapping["scaling_config"]["maximum_concurrency"])
