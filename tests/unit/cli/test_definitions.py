"""The commands and their options become settings; ``policy`` and ``template`` need no AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync import __version__
from pypicloud_s3sync.cli.definitions import cli
from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.deploy.cache.reading import WORKERS
from pypicloud_s3sync.exceptions import ConflictError
from support.command_line import INI, Run


@pytest.fixture
def settings_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SyncSettings]:
    """Run a command up to where it would call AWS, and return its settings."""
    used: list[SyncSettings] = []

    def stop(self: Deployment, *given: Any, **arguments: Any) -> None:
        used.append(self.settings)
        raise ConflictError("stop")

    for name in ("plan", "enable", "status", "disable", "reconcile", "replay", "bundle"):
        monkeypatch.setattr(Deployment, name, stop)

    def stop_examination(settings: SyncSettings, *given: Any, **arguments: Any) -> None:
        used.append(settings)
        raise ConflictError("stop")

    monkeypatch.setattr("pypicloud_s3sync.doctor.diagnosis.diagnose", stop_examination)

    def settings(*arguments: object) -> SyncSettings:
        status, _, err = run(*arguments)
        assert (status, err) == (1, "ppc-s3sync: stop\n")
        return used.pop()

    return settings


# Arguments


def test_the_commands_are_those_of_the_documentation() -> None:
    assert set(cli.commands) == {
        "plan",
        "enable",
        "status",
        "disable",
        "reconcile",
        "replicate",
        "compare",
        "wait",
        "replay",
        "bundle",
        "doctor",
        "policy",
        "template",
    }


@pytest.mark.parametrize(
    "command", sorted({*cli.commands} - {"policy", "replicate", "compare", "wait", "template"})
)
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


@pytest.mark.parametrize("value", ["", " "], ids=repr)
@pytest.mark.parametrize(
    ("command", "option"),
    [
        *((command, option) for command in sorted(cli.commands) for option in ("--name", "--region")),
        *((command, "--role-arn") for command in ("plan", "enable", "policy", "template")),
        *((command, "--output") for command in ("bundle", "template")),
        ("policy", "--account"),
        ("reconcile", "--package"),
        ("reconcile", "--max-delete"),
    ],
)
def test_an_empty_value_of_an_option_is_an_error_and_not_its_default(
    run: Run, ini: Path, command: str, option: str, value: str
) -> None:
    status, out, err = run(command, ini, "bucket=b", option, value)
    assert (status, out) == (2, "")
    assert re.match(rf"ppc-s3sync: Invalid value for .*'{option}': ", err), err


def test_options_may_be_before_and_after_the_variables(
    settings_of: Callable[..., SyncSettings], ini: Path
) -> None:
    ini.write_text(INI.replace("%(bucket)s\n", "%(bucket)s\nstorage.prefix = %(prefix)s\n"))
    settings = settings_of("plan", "-n", "x", ini, "prefix=b=c", "bucket=b", "-r", "us-east-1")
    assert (settings.function_name, settings.prefix, settings.region) == ("x", "b=c", "us-east-1")


def test_the_section_of_the_ini_can_be_named(settings_of: Callable[..., SyncSettings], ini: Path) -> None:
    ini.write_text(
        INI.replace("bucket = other\n", "bucket = other\ndb.url = redis://cache\npypi.db = redis\n")
    )
    assert settings_of("plan", f"{ini}#other", "bucket=b").bucket == "other"


def test_the_help_lists_the_commands_in_the_order_of_their_use_with_examples(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    listed = re.findall(r"^  (\w+) +[A-Z]", out.partition("Commands:")[2], re.MULTILINE)
    first = ["plan", "enable", "status", "disable", "reconcile", "doctor"]
    assert listed == [*first, "replicate", "compare", "wait", "replay", "bundle", "policy", "template"]
    assert "ppc-s3sync enable production.ini" in out
    assert "Exit status: 0" in out


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"ppc-s3sync, version {__version__}\n", "")


def test_no_command_prints_the_help_and_is_a_usage_error(run: Run) -> None:
    status, _, err = run()
    assert status == 2
    assert "Commands:" in err


# The policy of an operator


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_a_policy_is_json_and_needs_no_credentials(
    run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr("boto3.session.Session.__init__", lambda *_, **__: pytest.fail("AWS is asked"))
    status, out, err = run("policy", ini, "bucket=b", "-n", "sync-2", "-r", "us-east-1", *options)
    assert (status, err) == (0, "")
    resources = [statement["Resource"] for statement in json.loads(out)["Statement"]]
    assert "arn:aws:s3:::b" in resources
    assert "arn:aws:lambda:us-east-1:*:function:sync-2" in resources


def test_a_policy_may_have_an_account_a_role_and_several_purposes(run: Run, ini: Path) -> None:
    role = "arn:aws:iam::111122223333:role/sync"
    options = ["--for", "enable", "--for", "panel", "--account", "111122223333", "-a", role]
    policy = json.loads(run("policy", ini, "bucket=b", *options)[1])
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert {"ReadLog", "WriteFunction"} <= set(statements)
    assert statements["PassRoleToLambda"]["Resource"] == role


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--account", "1234"], "'1234' is not the 12 digits of an AWS account"),
        (["--for", "everything"], "'everything' is not one of 'enable', 'status', 'panel'"),
    ],
)
def test_a_policy_for_something_else_is_a_usage_error(
    run: Run, ini: Path, options: list[str], message: str
) -> None:
    status, out, err = run("policy", ini, "bucket=b", *options)
    assert (status, out) == (2, "")
    assert message in err


# Templates


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
@pytest.mark.parametrize(
    ("form", "field"), [([], "Resources"), (["--format", "terraform"], "resource")], ids=str
)
def test_a_template_is_json_and_needs_no_credentials(
    run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch, form: list[str], field: str, options: list[str]
) -> None:
    monkeypatch.setattr("boto3.session.Session.__init__", lambda *_, **__: pytest.fail("AWS is asked"))
    names = ["-n", "sync-2", "-r", "us-east-1", "-a", "arn:aws:iam::111122223333:role/sync"]
    status, out, err = run("template", ini, "bucket=b", *names, *form, *options)
    assert (status, err) == (0, "")
    assert field in json.loads(out)
    for name in ("sync-2", "us-east-1", "arn:aws:iam::111122223333:role/sync"):
        assert name in out


def test_a_template_can_be_written_to_a_file(run: Run, ini: Path, tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    printed = run("template", ini, "bucket=b")[1]
    summary = f"{path}: deploy it with CloudFormation, then run ppc-s3sync enable"
    status, out, _ = run("template", ini, "bucket=b", "-o", path)
    assert (status, " ".join(out.split())) == (0, summary)
    assert path.read_text() == printed
    out = run("template", ini, "bucket=b", "--json", "--format", "terraform", "-o", path)[1]
    assert json.loads(out) == {"file": str(path), "format": "terraform"}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_a_template_is_printed_if_its_file_is_a_dash(
    run: Run, ini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("template", ini, "bucket=b", "-o", "-", *options) == run("template", ini, "bucket=b")
    assert [path.name for path in tmp_path.iterdir()] == [ini.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "pulumi"], "'pulumi' is not one of 'cloudformation', 'terraform'"),
        (["-o", "/nowhere/stack.json"], "cannot write /nowhere/stack.json"),
    ],
)
def test_a_template_that_cannot_be_made_is_a_usage_error(
    run: Run, ini: Path, options: list[str], message: str
) -> None:
    status, out, err = run("template", ini, "bucket=b", *options)
    assert (status, out) == (2, "")
    assert message in err


def test_a_template_needs_a_region(run: Run, ini: Path) -> None:
    ini.write_text(INI.replace("storage.region_name = %(region)s\n", ""))
    status, out, err = run("template", ini, "bucket=b")
    assert (status, out) == (2, "")
    assert "no region is set" in err
    assert run("template", ini, "bucket=b", "-r", "us-east-1")[0] == 0


def test_reconcile_reads_as_many_objects_in_parallel_as_the_panel() -> None:
    (workers,) = (option for option in cli.commands["reconcile"].params if option.name == "workers")
    assert workers.default == WORKERS
