from __future__ import annotations

from pathlib import Path

import pytest
from pyramid.paster import get_appsettings

from pypicloud_s3sync.config.settings import load_ini, read
from pypicloud_s3sync.demo.__main__ import main

ROOT = Path(__file__).parents[3]


def test_an_ini_for_a_server_on_this_machine_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my own.ini"
    assert main(["--write-ini", str(path)]) == 0
    assert f"pserve '{path}'" in capsys.readouterr().out
    assert read(load_ini(str(path))).bucket == "pypicloud-development"
    includes = get_appsettings(str(path))["pyramid.includes"].split()
    assert includes == ["pypicloud_s3sync.embedded", "pypicloud_s3sync"]


def test_without_a_name_it_is_development_ini_as_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--write-ini"]) == 0
    assert (tmp_path / "development.ini").read_text() == (ROOT / "development.ini").read_text()


@pytest.mark.parametrize(("name", "reason"), [("x.ini", "File exists"), ("missing/x.ini", "No such file")])
def test_an_existing_file_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    (tmp_path / "x.ini").write_text("mine")
    assert main(["--write-ini", str(tmp_path / name)]) == 2
    assert reason in capsys.readouterr().err
    assert (tmp_path / "x.ini").read_text() == "mine"
