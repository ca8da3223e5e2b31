"""The command line in this process: run a command, and get its exit status and its output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.cli.main import main

INI = """
[DEFAULT]
region = eu-west-1
[app:main]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = %(bucket)s
storage.region_name = %(region)s
pypi.db = dynamo
db.region_name = %(region)s
[app:other]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = other
"""

#: Runs a command and returns its exit status, stdout and stderr.
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    """An ini that needs the variable ``bucket``."""
    path = tmp_path / "production.ini"
    path.write_text(INI)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_command(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run_command
