"""The command line: what it prints, where, and the exit status."""

import json
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from pypicloud_s3sync import __version__
from pypicloud_s3sync.cli.main import cli, main
from pypicloud_s3sync.exceptions import AwsError, BundleError, ConfigError, ConflictError

COMMANDS = ("plan", "enable", "status", "disable", "bundle")


@pytest.fixture
def ini(site, tmp_path):
    """The site's settings as an ini, whose bucket a NAME=VALUE can change."""
    path = tmp_path / "production.ini"
    lines = [f"{key} = {value}" for key, value in site.given.items() if key != "storage.bucket"]
    text = ["[DEFAULT]", f"bucket = {site.bucket}", "[app:main]", "use = egg:pypicloud", *lines]
    path.write_text("\n".join([*text, "storage.bucket = %(bucket)s", ""]))
    return path


@pytest.fixture
def run(capsys):
    """Runs a command in this process: its status, stdout and stderr."""

    def running(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return running


def test_the_story_of_a_deployment_as_a_user_sees_it(run, ini, site):
    status, out, err = run("plan", ini)
    assert (status, err) == (0, "")
    assert "+ function  " + site.function in out
    assert "5 to create, 0 to update, 0 to delete." in out
    assert run("status", ini)[0] == 1

    status, out, err = run("enable", ini)
    assert (status, err) == (0, "")
    assert [
        line.split(" the ")[1].split(site.function)[0] for line in out.splitlines() if "created" in line
    ] == [
        "role ",
        "log group /aws/lambda/",
        "function ",
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


@pytest.mark.parametrize("command", COMMANDS)
def test_with_json_stdout_is_one_document_and_nothing_else(run, ini, tmp_path, command):
    more = ["-o", tmp_path / "bundle.zip"] if command == "bundle" else []
    status, out, err = run(command, ini, "--json", *more)
    assert status == (1 if command == "status" else 0)
    assert isinstance(json.loads(out), dict)
    assert err == ""


def test_the_status_document_says_whether_it_is_in_sync(run, ini):
    assert json.loads(run("status", ini, "--json")[1])["in_sync"] is False
    run("enable", ini)
    status, out, _ = run("status", ini, "--json")
    document = json.loads(out)
    assert (status, document["in_sync"], document["state"]) == (0, True, "on")


def test_the_plan_document_holds_the_actions_that_enable_performs(run, ini):
    planned = json.loads(run("plan", ini, "--json")[1])
    performed = json.loads(run("enable", ini, "--json")[1])
    assert performed["result"] == "ok"
    assert performed["actions"] == planned["actions"]


def test_with_json_a_failure_is_a_document_too_and_a_line_on_stderr(run, ini):
    status, out, err = run("enable", ini, "-r", "eu-west-1", "--json")
    assert status == 2
    assert json.loads(out)["result"] == "failed"
    assert err == f"ppc-s3sync: {json.loads(out)['message']}\n"


def test_name_and_region_are_understood_by_every_command(run, ini, site, tmp_path):
    for command in COMMANDS:
        more = ["-o", tmp_path / "b.zip"] if command == "bundle" else []
        status, out, _ = run(command, ini, "-n", f"{site.function}-2", "-r", site.region, "--json", *more)
        assert status in (0, 1), command
        assert command == "bundle" or json.loads(out)["function"] == f"{site.function}-2"


def test_options_may_stand_before_and_behind_the_variables(run, ini, site, make_site):
    other = make_site()
    ini.write_text(ini.read_text().replace(f"bucket = {site.bucket}\n", ""))
    status, out, err = run("plan", "--json", ini, "-n", "x", f"bucket={other.bucket}", "-r", "us-east-1")
    assert (status, err) == (0, "")
    assert json.loads(out)["bucket"] == other.bucket


def test_a_given_role_that_does_not_exist_is_named(run, ini, site):
    arn = f"arn:aws:iam::{site.aws.account_id}:role/nobodys"
    status, out, err = run("enable", ini, "-a", arn)
    assert (status, out) == (1, "")
    assert err == f"ppc-s3sync: the role {arn} does not exist: correct the ARN, or leave it out\n"


def test_force_redeploys(run, ini):
    run("enable", ini)
    assert "updated the code" in run("enable", ini, "-f")[1]


def test_no_credentials_are_said_to_be_missing(run, ini):
    ini.write_text("\n".join(line for line in ini.read_text().splitlines() if "aws_" not in line))
    status, out, err = run("plan", ini)
    assert (status, out) == (1, "")
    assert err.startswith("ppc-s3sync: no AWS credentials for sts:GetCallerIdentity")
    assert err.count("\n") == 1


def test_an_aws_that_does_not_answer_is_named_with_what_to_do(run, ini, site):
    ini.write_text(ini.read_text().replace(site.aws.endpoint_url, "http://127.0.0.1:9"))
    status, _, err = run("plan", ini)
    assert status == 1
    assert "AWS at http://127.0.0.1:9 does not answer" in err
    assert "pserve development.ini" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan"], "Missing argument 'CONFIG_URI'"),
        (["plan", "nowhere.ini"], "no config file 'nowhere.ini'"),
        (["plan", "nowhere.ini", "a"], "'a' is not NAME=VALUE"),
        (["frob"], "No such command 'frob'"),
        (["plan", "x.ini", "--frob"], "No such option"),
        (["status", "x.ini", "-f"], "No such option"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_2(run, arguments, said):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("ppc-s3sync: ")
    assert said in err
    assert err.count("\n") == 1


def test_no_command_shows_the_help_and_is_a_usage_error(run):
    status, _, err = run()
    assert status == 2
    assert "Commands:" in err


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConfigError("a"), 2), (AwsError("a"), 1), (ConflictError("a"), 1), (BundleError("a\nb"), 1)],
)
def test_each_error_has_its_exit_status_and_one_line(run, ini, monkeypatch, error, status):
    def fail(self, **arguments):
        raise error

    monkeypatch.setattr("pypicloud_s3sync.deploy.Deployment.plan", fail)
    found, out, err = run("plan", ini)
    assert (found, out) == (status, "")
    assert err == f"ppc-s3sync: {' '.join(str(error).split())}\n"
    assert "Traceback" in run("plan", ini, "-v")[2]


def test_what_nobody_thought_of_is_one_line_too(run, ini, monkeypatch):
    monkeypatch.setattr("pypicloud_s3sync.deploy.Deployment.plan", lambda self, **arguments: 1 // 0)
    status, _, err = run("plan", ini)
    assert status == 1
    assert err.startswith("ppc-s3sync: unexpected ZeroDivisionError")
    assert err.count("\n") == 1


def test_the_bundle_is_written_where_it_is_asked_for(run, ini, tmp_path, site):
    path = tmp_path / "own.zip"
    status, out, err = run("bundle", ini, "-o", path)
    assert (status, err) == (0, "")
    assert str(path) in out
    with open(site.given["s3sync.bundle"], "rb") as ready:
        assert path.read_bytes() == ready.read()


def test_a_bundle_that_cannot_be_written_names_the_file(run, ini):
    status, _, err = run("bundle", ini, "-o", "/nowhere/x.zip")
    assert status == 2
    assert "cannot write /nowhere/x.zip" in err


def test_the_version_is_told(run):
    assert run("--version") == (0, f"ppc-s3sync, version {__version__}\n", "")


def test_no_password_is_shown_by_any_command(run, ini, site):
    """Redis, since its URL carries the password to the function."""
    text = ini.read_text().replace(
        "pypi.db = dynamo", "pypi.db = redis\ndb.url = redis://u:hunter2@cache.example"
    )
    ini.write_text(text)
    shown = []
    for command in ("plan", "enable", "status", "disable"):
        for option in ([], ["--json"], ["-v"]):
            shown.append("".join(map(str, run(command, ini, *option))))
    ini.write_text(text.replace("hunter2", "hunter3"))
    run("enable", ini)
    ini.write_text(text)
    shown.append("".join(map(str, run("plan", ini))))
    run("disable", ini)
    for output in shown:
        assert "hunter" not in output
        assert site.aws.secret_access_key + "\n" not in output


def command_line(*arguments):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return [sys.executable, "-m", "pypicloud_s3sync.cli", *map(str, arguments)], environment


def test_ctrl_c_is_one_line_and_exit_130(ini):
    """Sent once the bundle is being built, which is the longest part of a run."""
    ini.write_text("\n".join(line for line in ini.read_text().splitlines() if "bundle" not in line))
    command, environment = command_line("enable", ini)
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that a shell runs in the background is deaf to SIGINT, and its children would be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "distributions" in first
    assert process.returncode == 130, err
    assert err == "ppc-s3sync: interrupted: run it again to go on from here\n"


def test_on_a_terminal_the_steps_are_shown_as_they_go(ini):
    command, environment = command_line("enable", ini)
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
    assert "creating the function" in shown.decode(), "nothing was shown while the function was made"


def test_a_reader_of_stdout_that_goes_away_is_no_traceback(ini):
    command, environment = command_line("plan", ini)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    err = process.stderr.read()
    process.wait()
    process.stderr.close()
    assert "Traceback" not in err


def test_every_command_of_the_contract_is_there():
    assert set(cli.commands) == set(COMMANDS)
