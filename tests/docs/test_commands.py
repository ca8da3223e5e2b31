"""The commands of ppc-s3sync in the documentation exist, with the options that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.cli.definitions import cli
from pypicloud_s3sync.config.options import OPTIONS
from support.command_line import Run

ROOT = Path(__file__).parents[2]
CHECKLIST = ROOT / "docs" / "checklist.md"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
#: The shell functions of the checklist, which add its ini file and the variables in it.
FUNCTIONS = re.compile(rf"\b(?:check|mine) (?P<command>{'|'.join(cli.commands)})\b")
COMMAND = re.compile(r"\bppc-s3sync (?P<command>[a-z]+)(?P<rest>[^;|&>)`\n]*)")
#: A variable that overrides a setting; one that ends with "_" stands for several.
VARIABLE = re.compile(r"\bPPC_S3SYNC_(?P<name>[A-Z_]*[A-Z])\b")


def commands() -> Iterator[tuple[str, str]]:
    """Yield name and arguments of each command in a block of a page."""
    for path in PAGES:
        text = re.sub(r"\\\n[> ]*", " ", path.read_text())
        shell = "\n".join(re.findall(r"^ *[$>] .*", text, re.MULTILINE))
        if path == CHECKLIST:
            shell = FUNCTIONS.sub(r"ppc-s3sync \g<command> check.ini bucket=$BUCKET", shell)
        yield from ((found["command"], found["rest"].strip()) for found in COMMAND.finditer(shell))


COMMANDS = sorted(set(commands()))


@pytest.mark.parametrize(("command", "arguments"), COMMANDS, ids=str)
def test_a_command_exists_and_takes_these_arguments(command: str, arguments: str) -> None:
    with cli.commands[command].make_context(command, shlex.split(arguments)) as context:
        assert context.params["config_uri" if "config_uri" in context.params else "arguments"]


def test_the_commands_of_the_pages_are_found() -> None:
    assert ("enable", "production.ini") in COMMANDS
    assert ("wait", "check.ini bucket=$BUCKET check-1.0.tar.gz --timeout 60") in COMMANDS, "of the checklist"
    assert ("status", "check.ini bucket=$BUCKET --json") in COMMANDS, "inside another command"


def test_a_variable_that_a_page_names_is_that_of_a_setting() -> None:
    named = {found["name"].lower() for path in PAGES for found in VARIABLE.finditer(path.read_text())}
    assert named <= {option.name for option in OPTIONS}
    assert "function_name" in named


@pytest.mark.parametrize("database", ["dynamo", "redis"])
def test_the_ini_file_of_the_checklist_can_be_read(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    text = CHECKLIST.read_text()
    ini = tmp_path / "check.ini"
    ini.write_text(re.findall(r"^```ini\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0])
    if database == "redis":
        for name, value in re.findall(r"\b(PPC_PYPI_DB|PPC_DB_URL)=(\S+)", text):
            monkeypatch.setenv(name, value)
    status, output, _ = run("template", ini, "bucket=packages", "region=eu-west-1")
    assert status == 0
    assert ("ssm:GetParameter" in output) == (database == "redis"), "where the password is"
