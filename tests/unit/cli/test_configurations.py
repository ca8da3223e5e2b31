"""Commands for several regions take several inis, and variables for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypicloud_s3sync.cli.configurations import Configuration, read_configurations, split
from pypicloud_s3sync.exceptions import ConfigError

INI = """
[app:main]
use = egg:pypicloud
pypi.storage = s3
pypi.db = dynamo
storage.bucket = {bucket}
db.region_name = eu-west-1
"""


def write(folder: Path, name: str, bucket: str, more: str = "") -> str:
    path = folder / name
    path.write_text(INI.format(bucket=bucket) + more)
    return str(path)


def configurations(uris: list[str], variables: dict[str, str], **overrides: str) -> list[Configuration]:
    return read_configurations(uris, variables, overrides)


@pytest.mark.parametrize(
    ("arguments", "uris", "variables"),
    [
        (["us.ini", "eu.ini"], ["us.ini", "eu.ini"], {}),
        (["us.ini", "a=b", "eu.ini#other"], ["us.ini", "eu.ini#other"], {"a": "b"}),
        (["us.ini?port=1#main", "./x=y/eu.ini"], ["us.ini?port=1#main", "./x=y/eu.ini"], {}),
        (["url=redis://host/?a=b"], [], {"url": "redis://host/?a=b"}),
        (["empty=", "two words=x"], ["two words=x"], {"empty": ""}),
    ],
)
def test_variables_may_stand_anywhere_among_the_inis(
    arguments: list[str], uris: list[str], variables: dict[str, str]
) -> None:
    assert split(arguments) == (uris, variables)


def test_a_file_with_an_equals_sign_in_its_name_is_an_ini(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "region=eu.ini", "b")
    assert split(["region=eu.ini", "region=us.ini"]) == (["region=eu.ini"], {"region": "us.ini"})


def test_variables_apply_to_all_inis_and_must_have_an_effect_in_one(tmp_path: Path) -> None:
    uris = [
        write(tmp_path, "us.ini", "%(company)s-us"),
        write(tmp_path, "eu.ini", "%(company)s-eu", "storage.prefix = %(team)s/\n"),
    ]
    found = configurations(uris, {"company": "acme", "team": "web"})
    assert [(item.uri, item.settings.bucket, item.settings.prefix) for item in found] == [
        (uris[0], "acme-us", ""),
        (uris[1], "acme-eu", "web/"),
    ]
    with pytest.raises(ConfigError, match=r"the variable tema has no effect: .*us\.ini"):
        configurations(uris, {"company": "acme", "team": "web", "tema": "x"})


def test_a_variable_in_the_uri_of_an_ini_must_have_an_effect_there(tmp_path: Path) -> None:
    uris = [write(tmp_path, "us.ini", "us"), write(tmp_path, "eu.ini", "%(name)s")]
    assert configurations([uris[0], f"{uris[1]}?name=eu"], {})[1].settings.bucket == "eu"
    with pytest.raises(ConfigError, match=r"the variable name has no effect: .*us\.ini"):
        configurations([f"{uris[0]}?name=x", f"{uris[1]}?name=eu"], {})


def test_a_region_on_the_command_line_is_that_of_inis_without_one(tmp_path: Path) -> None:
    uris = [
        write(tmp_path, "us.ini", "us", "storage.region_name = us-east-1\n"),
        write(tmp_path, "x.ini", "x"),
    ]
    found = configurations(uris, {}, region="eu-north-1", function_name="sync")
    assert [(item.settings.region, item.settings.function_name) for item in found] == [
        ("us-east-1", "sync"),
        ("eu-north-1", "sync"),
    ]
