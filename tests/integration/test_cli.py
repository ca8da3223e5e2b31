"""The command line on a real bucket: what it changes, what it prints and where, and the exit status."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import Deployment
from support.command_line import Run
from support.sites import Site

COMMANDS = ("plan", "enable", "status", "disable", "bundle")


@pytest.fixture
def ini(site: Site, tmp_path: Path) -> Path:
    """An ini with the settings of the site, whose bucket can be changed with ``bucket=NAME``."""
    path = tmp_path / "production.ini"
    lines = [f"{key} = {value}" for key, value in site.given.items() if key != "storage.bucket"]
    text = ["[DEFAULT]", f"bucket = {site.bucket}", "[app:main]", "use = egg:pypicloud", *lines]
    path.write_text("\n".join([*text, "storage.bucket = %(bucket)s", ""]))
    return path


@pytest.fixture
def run(run: Run) -> Run:
    """Run a command in this process; ``enable`` without a comparison."""

    def run_command(*arguments: object) -> tuple[int, str, str]:
        # The sites share their tables, so none of them is in sync with its bucket.
        return run(*arguments, *(["--no-reconcile"] if arguments[0] == "enable" else []))

    return run_command


def remove_settings(ini: Path, word: str) -> None:
    """Remove the lines of an ini that contain a word."""
    ini.write_text("\n".join(line for line in ini.read_text().splitlines() if word not in line))


def test_a_user_plans_enables_checks_and_disables_s3_sync(run: Run, ini: Path, site: Site) -> None:
    status, out, err = run("plan", ini)
    assert (status, err) == (0, "")
    assert "+ function  " + site.function in out
    assert "8 to create, 0 to update, 0 to delete." in out
    assert run("status", ini)[0] == 1

    status, out, err = run("enable", ini)
    assert (status, err) == (0, "")
    assert [
        line.split(" the ")[1].split(site.function)[0] for line in out.splitlines() if "created" in line
    ] == [
        "role ",
        "log group /aws/lambda/",
        "dead-letter queue failed-",
        "queue ",
        "function ",
        "event source mapping ",
        "permission ",
        "notification pypicloud-s3sync-",
    ]
    assert run("enable", ini) == (0, "Nothing to do.\n", "")
    status, out, err = run("status", ini)
    assert (status, err) == (0, "")
    assert "S3 sync is on." in out

    status, out, err = run("disable", ini)
    assert (status, err) == (0, "")
    assert "S3 sync is off." in out
    assert run("disable", ini) == (0, "Nothing to remove.\n", "")


# JSON


@pytest.mark.parametrize("command", COMMANDS)
def test_with_json_stdout_is_one_document(run: Run, ini: Path, tmp_path: Path, command: str) -> None:
    more = ["-o", tmp_path / "bundle.zip"] if command == "bundle" else []
    status, out, err = run(command, ini, "--json", *more)
    assert status == (1 if command == "status" else 0)
    assert isinstance(json.loads(out), dict)
    assert err == ""


def test_the_status_document_says_whether_s3_sync_is_in_sync(run: Run, ini: Path) -> None:
    assert json.loads(run("status", ini, "--json")[1])["in_sync"] is False
    run("enable", ini)
    status, out, _ = run("status", ini, "--json")
    document = json.loads(out)
    assert (status, document["in_sync"], document["state"]) == (0, True, "on")


def test_the_plan_document_has_the_actions_that_enable_performs(run: Run, ini: Path) -> None:
    planned = json.loads(run("plan", ini, "--json")[1])
    performed = json.loads(run("enable", ini, "--json")[1])
    assert performed["result"] == "ok"
    assert performed["actions"] == planned["actions"]


def test_with_json_a_failure_is_a_document_and_a_line_on_stderr(run: Run, ini: Path) -> None:
    status, out, err = run("enable", ini, "-r", "eu-west-1", "--json")
    assert status == 2
    assert json.loads(out)["result"] == "failed"
    assert err == f"ppc-s3sync: {json.loads(out)['message']}\n"


# Options


def test_every_command_takes_a_name_and_a_region(run: Run, ini: Path, site: Site, tmp_path: Path) -> None:
    for command in COMMANDS:
        more = ["-o", tmp_path / "b.zip"] if command == "bundle" else []
        status, out, _ = run(command, ini, "-n", f"{site.function}-2", "-r", site.region, "--json", *more)
        assert status in (0, 1), command
        assert command == "bundle" or json.loads(out)["function"] == f"{site.function}-2"


def test_options_may_be_before_and_after_the_variables(
    run: Run, ini: Path, site: Site, make_site: Callable[[], Site]
) -> None:
    other = make_site()
    ini.write_text(ini.read_text().replace(f"bucket = {site.bucket}\n", ""))
    status, out, err = run("plan", "--json", ini, "-n", "x", f"bucket={other.bucket}", "-r", "us-east-1")
    assert (status, err) == (0, "")
    assert json.loads(out)["bucket"] == other.bucket


def test_a_given_role_that_does_not_exist_is_named(run: Run, ini: Path, site: Site) -> None:
    arn = f"arn:aws:iam::{site.aws.account_id}:role/missing"
    status, out, err = run("enable", ini, "-a", arn)
    assert (status, out) == (1, "")
    assert err == f"ppc-s3sync: the role {arn} does not exist: correct the ARN, or leave it out\n"


def test_force_deploys_the_code_again(run: Run, ini: Path) -> None:
    run("enable", ini)
    assert "updated the code" in run("enable", ini, "-f")[1]


def test_the_bundle_is_written_to_the_given_file(run: Run, ini: Path, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "own.zip"
    status, out, err = run("bundle", ini, "-o", path)
    assert (status, err) == (0, "")
    assert str(path) in out
    assert path.read_bytes() == Path(site.given["s3sync.bundle"]).read_bytes()


def test_a_bundle_that_cannot_be_written_is_refused_before_it_is_built(
    run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "bundle", lambda self: pytest.fail("the bundle is built"))
    status, _, err = run("bundle", ini, "-o", "/nowhere/x.zip")
    assert status == 2
    assert err == (
        "ppc-s3sync: cannot write /nowhere/x.zip (there is no directory /nowhere):"
        " choose another file with -o\n"
    )


# Errors


def test_missing_credentials_are_an_error_of_one_line(run: Run, ini: Path) -> None:
    remove_settings(ini, "aws_")
    status, out, err = run("plan", ini)
    assert (status, out) == (1, "")
    assert err.startswith("ppc-s3sync: no AWS credentials for sts:GetCallerIdentity")
    assert err.count("\n") == 1


def test_an_aws_that_does_not_answer_is_named_with_what_to_do(run: Run, ini: Path, site: Site) -> None:
    ini.write_text(ini.read_text().replace(site.aws.endpoint_url, "http://127.0.0.1:9"))
    status, _, err = run("plan", ini)
    assert status == 1
    assert "AWS at http://127.0.0.1:9 does not answer" in err
    assert "python -m pypicloud_s3sync.embedded 9`" in err
    assert err.count("\n") == 1


def test_no_command_shows_a_password(run: Run, ini: Path, site: Site) -> None:
    """The URL of a Redis cache carries the password to the function."""
    redis = "pypi.db = redis\ndb.url = redis://u:hunter2@cache.example"
    text = ini.read_text().replace("pypi.db = dynamo", redis)
    ini.write_text(text)
    shown = []
    for command in ("plan", "enable", "status", "disable"):
        for options in ([], ["--json"], ["-v"]):
            shown.append("".join(map(str, run(command, ini, *options))))
    ini.write_text(text.replace("hunter2", "hunter3"))
    run("enable", ini)
    ini.write_text(text)
    shown.append("".join(map(str, run("plan", ini))))
    run("disable", ini)
    for output in shown:
        assert "hunter" not in output
        assert site.aws.secret_access_key + "\n" not in output


# In a process of its own


def command_line(*arguments: object) -> tuple[list[str], dict[str, str]]:
    """Return a command and its environment."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return [sys.executable, "-m", "pypicloud_s3sync.cli", *map(str, arguments)], environment


def test_ctrl_c_is_one_line_and_exit_status_130(ini: Path) -> None:
    """The signal is sent while the bundle is being built, which is the longest part of a run."""
    remove_settings(ini, "bundle")
    command, environment = command_line("enable", ini, "--no-reconcile")
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background lets them and their children ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "distributions" in first
    assert process.returncode == 130, err
    assert err == "ppc-s3sync: interrupted: run the command again to continue\n"


def test_on_a_terminal_each_step_is_shown_while_it_runs(ini: Path) -> None:
    command, environment = command_line("enable", ini, "--no-reconcile")
    parent, child = pty.openpty()
    with subprocess.Popen(
        command, env={**environment, "TERM": "xterm"}, stdout=child, stderr=child
    ) as process:
        os.close(child)
        shown = b""
        while select.select([parent], [], [], 60)[0]:
            try:
                chunk = os.read(parent, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
    os.close(parent)
    assert process.returncode == 0
    assert "✓ created the notification" in shown.decode()
    assert "creating the function" in shown.decode(), "nothing was shown while the function was created"


def test_a_reader_of_stdout_that_goes_away_causes_no_traceback(ini: Path) -> None:
    command, environment = command_line("plan", ini)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
