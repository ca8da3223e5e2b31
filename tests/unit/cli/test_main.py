"""The command line turns arguments into settings, and errors into one line and an exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync import __version__
from pypicloud_s3sync.cli.main import cli, main
from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.exceptions import AwsError, BundleError, ConfigError, ConflictError

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
    path = tmp_path / "production.ini"
    path.write_text(INI)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run_command


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the command ``plan`` fail."""

    def replace(error: BaseException) -> None:
        def plan(self: Deployment, **arguments: Any) -> None:
            raise error

        monkeypatch.setattr(Deployment, "plan", plan)

    return replace


@pytest.fixture
def settings_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SyncSettings]:
    """Run a command up to where it would call AWS, and return its settings."""
    used: list[SyncSettings] = []

    def stop(self: Deployment, **arguments: Any) -> None:
        used.append(self.settings)
        raise ConflictError("stop")

    for name in ("plan", "enable", "status", "disable", "bundle"):
        monkeypatch.setattr(Deployment, name, stop)

    def settings(*arguments: object) -> SyncSettings:
        status, _, err = run(*arguments)
        assert (status, err) == (1, "ppc-s3sync: stop\n")
        return used.pop()

    return settings


# Arguments


def test_the_commands_are_those_of_the_documentation() -> None:
    assert set(cli.commands) == {"plan", "enable", "status", "disable", "bundle"}


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_takes_a_name_and_a_region(
    settings_of: Callable[..., SyncSettings], ini: Path, command: str
) -> None:
    settings = settings_of(command, ini, "bucket=b", "-n", "sync-2", "-r", "us-east-1")
    assert (settings.function_name, settings.region) == ("sync-2", "us-east-1")


@pytest.mark.parametrize("command", ["plan", "enable"])
def test_a_role_can_be_given_to_the_commands_that_create_one(
    settings_of: Callable[..., SyncSettings], ini: Path, command: str
) -> None:
    arn = "arn:aws:iam::111122223333:role/sync"
    assert settings_of(command, ini, "bucket=b", "-a", arn).role_arn == arn


def test_options_may_be_before_and_after_the_variables(
    settings_of: Callable[..., SyncSettings], ini: Path
) -> None:
    settings = settings_of("plan", "-n", "x", ini, "bucket=b=c", "-r", "us-east-1")
    assert (settings.function_name, settings.bucket, settings.region) == ("x", "b=c", "us-east-1")


def test_the_section_of_the_ini_can_be_named(settings_of: Callable[..., SyncSettings], ini: Path) -> None:
    ini.write_text(
        INI.replace("bucket = other\n", "bucket = other\ndb.url = redis://cache\npypi.db = redis\n")
    )
    assert settings_of("plan", f"{ini}#other", "bucket=b").bucket == "other"


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"ppc-s3sync, version {__version__}\n", "")


def test_no_command_prints_the_help_and_is_a_usage_error(run: Run) -> None:
    status, _, err = run()
    assert status == 2
    assert "Commands:" in err


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan"], "Missing argument 'CONFIG_URI'"),
        (["plan", "nowhere.ini"], "the config file 'nowhere.ini' does not exist"),
        (["plan", "nowhere.ini", "a"], "Invalid value 'a': expected NAME=VALUE"),
        (["plan", "nowhere.ini", "=a"], "Invalid value '=a': expected NAME=VALUE"),
        (["frob"], "No such command 'frob'"),
        (["plan", "x.ini", "--frob"], "No such option"),
        (["status", "x.ini", "-f"], "No such option"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_status_2(run: Run, arguments: list[str], message: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("ppc-s3sync: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConfigError("a"), 2), (AwsError("a"), 1), (ConflictError("a"), 1), (BundleError("a\nb"), 1)],
)
def test_each_error_is_one_line_and_has_its_exit_status(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None], error: Exception, status: int
) -> None:
    fail_with(error)
    found, out, err = run("plan", ini, "bucket=b")
    assert (found, out) == (status, "")
    assert err == f"ppc-s3sync: {' '.join(str(error).split())}\n"


def test_verbose_adds_the_traceback(run: Run, ini: Path, fail_with: Callable[[BaseException], None]) -> None:
    fail_with(ConflictError("a"))
    assert "Traceback" not in run("plan", ini, "bucket=b")[2]
    assert "Traceback" in run("plan", ini, "bucket=b", "-v")[2]


def test_an_unexpected_error_is_one_line_too(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None]
) -> None:
    fail_with(ZeroDivisionError("division by zero"))
    status, out, err = run("plan", ini, "bucket=b")
    assert (status, out) == (1, "")
    message = "unexpected ZeroDivisionError: division by zero: run it with -v and report the traceback"
    assert err == f"ppc-s3sync: {message}\n"


def test_an_interrupt_is_one_line_and_exit_status_130(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None]
) -> None:
    fail_with(KeyboardInterrupt())
    assert run("plan", ini, "bucket=b") == (
        130,
        "",
        "ppc-s3sync: interrupted: run the command again to continue\n",
    )


def test_with_json_a_failure_is_a_document_and_a_line_on_stderr(run: Run, ini: Path) -> None:
    status, out, err = run("plan", ini, "bucket=b", "-r", "nowhere", "--json")
    assert status == 2
    document = json.loads(out)
    assert document["result"] == "failed"
    assert document["message"].startswith("Invalid value 'nowhere' for s3sync.region")
    assert err == f"ppc-s3sync: {document['message']}\n"
