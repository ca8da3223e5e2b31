"""An error of the command line is one line and an exit status, without secrets and control characters."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.devtools.processes import clean_environment
from pypicloud_s3sync.exceptions import AwsError, BundleError, ConfigError, ConflictError
from support.command_line import Run


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the command ``plan`` fail."""

    def replace(error: BaseException) -> None:
        def plan(self: Deployment, **arguments: Any) -> None:
            raise error

        monkeypatch.setattr(Deployment, "plan", plan)

    return replace


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frob"], "No such command 'frob'"),
        ([], "Missing command"),
        (["plan"], "Missing argument 'CONFIG_URI'"),
        (["plan", "x.ini", "--frob"], "No such option"),
        (["plan", "x.ini", "a"], "Invalid value 'a': expected NAME=VALUE"),
        (["plan", "x.ini", "-r"], "Option '-r' requires an argument"),
        (["plan", "x\x1b[2J\u202e.ini"], r"the config file 'x\x1b[2J\u202e.ini' does not exist"),
        (["bundle", "{ini}", "bucket=b", "-o", ""], "Invalid value for '-o' / '--output': it is empty"),
        (["bundle", "{ini}", "bucket=b", "-o", "-"], "cannot write - (a terminal cannot show it)"),
        (["bundle", "{ini}", "bucket=b", "-o", "/nonexistent/x.zip"], "there is no directory /nonexistent"),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["before the command", "after it"])
def test_with_json_a_usage_error_is_a_document_too(
    run: Run, ini: Path, place: str, arguments: list[str], message: str
) -> None:
    arguments = [argument.format(ini=ini) for argument in arguments]
    arguments = ["--json", *arguments] if place == "before the command" else [*arguments, "--json"]
    if arguments[-2:] == ["-r", "--json"]:
        arguments = ["plan", "--json", "x.ini", "-r"]
    status, out, err = run(*arguments)
    document = json.loads(out)
    assert (status, document["result"]) == (2, "failed")
    assert message in document["message"]
    assert err == f"ppc-s3sync: {document['message']}\n"


@pytest.mark.parametrize("options", [["--json"], ["-v"], ["--json", "-v"]], ids=str)
def test_json_and_verbose_may_be_before_the_command(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None], options: list[str]
) -> None:
    fail_with(ConflictError("a"))
    status, out, err = run(*options, "plan", ini, "bucket=b")
    assert status == 1
    assert bool(out) is ("--json" in options)
    assert ("Traceback" in err) is ("-v" in options)


@pytest.mark.parametrize("argument", ["\x1b[2J", "\x9b2J", "\u202e", "a\x7f"], ids=ascii)
def test_a_usage_error_shows_the_control_characters_of_an_argument(run: Run, argument: str) -> None:
    for arguments in ([argument], ["plan", "x.ini", f"--{argument}"], ["plan", "x.ini", argument]):
        status, _, err = run(*arguments)
        assert status == 2
        assert ascii(argument)[1:-1] in err
        assert argument not in err


def test_a_usage_error_names_the_help_of_its_command(run: Run) -> None:
    assert run("plan")[2].endswith("See ppc-s3sync plan --help.\n")
    assert run("frob")[2].endswith("See ppc-s3sync --help.\n")


def test_what_aws_returns_in_an_error_cannot_control_the_terminal(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None]
) -> None:
    error = AwsError("the function x\x1b]0;owned\x07 \u202efailed: \x9b31m Größe")
    error.add_note("a note with \x1b[2J")
    fail_with(error)
    _, out, err = run("plan", ini, "bucket=b", "-v", "--json")
    assert r"x\x1b]0;owned\x07 \u202efailed: \x9b31m Größe" in err
    assert r"a note with \x1b[2J" in err
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*out, *err}


SECRETS_INI = """
[DEFAULT]
cache_password = {secret}
[app:main]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = b
storage.region_name = eu-west-1
storage.aws_access_key_id = AKIAIOSFODNN7EXAMPLE
storage.aws_secret_access_key = {secret}1
storage.aws_session_token = {secret}2
session.encrypt_key = {secret}3
auth.ldap.service_password = {secret}4
user.admin = $6${secret}5
pypi.db = redis
db.url = redis://app:%(cache_password)s@cache.example
"""
SECRET = "Xq7-hunter"


@pytest.fixture
def secrets_ini(tmp_path: Path) -> Path:
    path = tmp_path / "secrets.ini"
    path.write_text(SECRETS_INI.format(secret=SECRET))
    return path


def chained(text: str) -> Exception:
    """Return an error with a cause, a context and a note that contain a text."""
    error = RuntimeError(text)
    error.__cause__ = ValueError(repr(text))
    error.__cause__.__context__ = SyntaxError("bad", ("x.ini", 1, 1, f"db.url = {text}"))
    error.add_note(json.dumps(text))
    return error


@pytest.mark.parametrize("number", ["", *range(1, 6)])
@pytest.mark.parametrize("options", [[], ["-v"], ["--json"], ["-v", "--json"]], ids=str)
def test_no_error_shows_a_secret_of_the_ini(
    run: Run,
    secrets_ini: Path,
    fail_with: Callable[[BaseException], None],
    options: list[str],
    number: object,
) -> None:
    fail_with(chained(f"the cache rejects {SECRET}{number} of redis://app:{SECRET}@cache.example"))
    status, out, err = run("plan", secrets_ini, *options)
    assert (status, "the cache rejects" in err) == (1, True)
    assert SECRET not in out + err


@pytest.mark.parametrize(
    "line",
    [
        "db.url = redis://:SECRET-one%(nope)sSECRET-two@cache.example",
        "db.url = redis://:SECRET%SECRET@cache.example",
        "db.url redis://:SECRET@cache.example",
        "db.password = SECRET\ndb.password = SECRET",
        "[app:main]\ndb.url = redis://:SECRET@cache.example",
        "db.url = redis://:SECRET/x@cache.example:x",
        "pypi.db = SECRET.Cache\ndb.password = SECRET",
        "storage.aws_access_key_id = SECRET-id",
    ],
)
@pytest.mark.parametrize("options", [[], ["-v"], ["--json", "-v"]], ids=str)
def test_an_ini_that_cannot_be_used_is_refused_without_its_secrets(
    run: Run, tmp_path: Path, line: str, options: list[str]
) -> None:
    path = tmp_path / "broken.ini"
    base = "[app:main]\nuse = egg:pypicloud\npypi.storage = s3\nstorage.bucket = b\npypi.db = redis\n"
    path.write_text(base + line.replace("SECRET", "SEC-hunter2-RET") + "\n")
    status, out, err = run("plan", path, *options)
    assert status in (1, 2)
    assert "hunter2" not in out + err


def test_a_variable_of_the_command_and_of_the_environment_may_be_a_secret(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPC_DB_URL", "redis://:in-the-environment@h")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token-of-a-session")
    fail_with(chained("from-the-command in-the-environment the-token-of-a-session"))
    _, out, err = run("plan", ini, "bucket=b", "password=from-the-command", "-v", "--json")
    for secret in ("from-the-command", "in-the-environment", "the-token-of-a-session"):
        assert secret not in out + err


@pytest.mark.parametrize("arguments", [["--help"], ["policy", "{ini}", "bucket=b"]], ids=str)
def test_a_full_disk_behind_stdout_is_an_error_of_one_line(ini: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pypicloud_s3sync.cli", *(each.format(ini=ini) for each in arguments)]
    with open("/dev/full", "w") as full:
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert process.returncode == 1
    message = "the output cannot be read or written (No space left on device): check the disk"
    assert process.stderr == f"ppc-s3sync: {message} and the permissions\n"


def test_an_error_is_one_line_even_if_the_document_cannot_be_written() -> None:
    command = [sys.executable, "-m", "pypicloud_s3sync.cli", "frob", "--json"]
    with open("/dev/full", "w") as full:
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)


def test_with_json_a_failure_is_a_document_and_a_line_on_stderr(run: Run, ini: Path) -> None:
    status, out, err = run("plan", ini, "bucket=b", "-r", "nowhere", "--json")
    assert status == 2
    document = json.loads(out)
    assert document["result"] == "failed"
    assert document["message"].startswith("Invalid value 'nowhere' for s3sync.region")
    assert err == f"ppc-s3sync: {document['message']}\n"


def test_a_denied_read_names_all_rights_at_once(
    run: Run, ini: Path, fail_with: Callable[[BaseException], None]
) -> None:
    error = AwsError("AccessDenied for iam:GetRole on the role r", "AccessDenied", "iam:GetRole")
    error.policy = {
        "Statement": [{"Action": ["iam:GetRole", "lambda:GetPolicy"]}, {"Action": "s3:ListBucket"}]
    }
    fail_with(error)
    status, out, err = run("plan", ini, "bucket=b", "--json")
    assert status == 1
    assert err.endswith("; reading needs all of iam:GetRole, lambda:GetPolicy, s3:ListBucket\n")
    assert json.loads(out)["policy"] == error.policy


#: Reads an ini file as the commands do, and prints which of the slow imports came along.
IMPORTS = """
import sys
from pypicloud_s3sync.cli.commands import Command
command = Command(sys.argv[1], {"bucket": "b"}, {"region": "eu-west-1"}, as_json=True)
with command._deployment() as deployment:
    deployment._bundle.fingerprint()
    assert not {"boto3", "botocore.session"} & sys.modules.keys(), "it has not called AWS"
    deployment._clients(command.settings, None)["dynamodb"]
print(sorted({"pypicloud", "pyramid.path", "redis", "sqlalchemy"} & sys.modules.keys()))
"""


def test_plan_and_status_do_not_import_the_web_application(ini: Path) -> None:
    command = [sys.executable, "-c", IMPORTS, str(ini)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.stdout, process.stderr) == ("[]\n", "")


#: Replaces the console script by one that Ctrl-C interrupts while a library runs code from a string.
INTERRUPTED_IN_A_STRING = """
from pypicloud_s3sync.cli import main as module


def main():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 130


module.main = main
"""


def test_an_interrupt_that_was_handled_does_not_end_the_module_by_a_signal(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_IN_A_STRING)
    environment = clean_environment({"PYTHONPATH": str(tmp_path)})
    command = [sys.executable, "-m", "pypicloud_s3sync.cli"]
    assert subprocess.run(command, env=environment, check=False).returncode == 130
