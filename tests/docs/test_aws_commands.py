"""The commands of the AWS CLI in the documentation exist, with the options that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.service_models import client_model

ROOT = Path(__file__).parents[2]
#: The options of every command.
GLOBAL = {"--cli-input-json", "--output", "--profile", "--query", "--region"}
#: Commands that are no operations of a service: https://docs.aws.amazon.com/cli/latest/reference/
HIGH_LEVEL = {
    ("s3", "cp"): {"--metadata"},
    ("s3", "rm"): set[str](),
    ("sso", "login"): set[str](),
    ("logs", "tail"): {"--format", "--since"},
    ("cloudformation", "deploy"): {
        *("--capabilities", "--no-execute-changeset", "--parameter-overrides"),
        *("--stack-name", "--template-file"),
    },
}
COMMAND = re.compile(r"\baws (?P<service>[a-z][a-z0-9]+) (?P<operation>[a-z][a-z0-9-]+)(?P<rest>[^;|&)`\n]*)")


def commands() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield service, operation and options of each command in a block or in the text of a page."""
    for path in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]:
        text = re.sub(r"\\\n[> ]*", " ", path.read_text())
        shell = "\n".join(re.findall(r"^ *[$>] .*|`aws [^`]*`", text, re.MULTILINE))
        for found in COMMAND.finditer(re.sub(r"'[^'\n]*'", "''", shell)):
            options = sorted(set(re.findall(r"(?<=\s)--[a-z][a-z-]*", found["rest"])))
            yield found["service"], found["operation"], tuple(options)


COMMANDS = sorted(set(commands()))


@pytest.mark.parametrize(("service", "operation", "options"), COMMANDS, ids=str)
def test_a_command_of_the_aws_cli_exists_and_takes_these_options(
    service: str, operation: str, options: tuple[str, ...]
) -> None:
    known = HIGH_LEVEL.get((service, operation))
    if known is None:
        known = options_of(service, operation)
    assert set(options) <= known | GLOBAL


def options_of(service: str, operation: str) -> set[str]:
    model = client_model({"s3api": "s3"}.get(service, service))
    name = operation.replace("-", "_")
    model.check_operation(name)
    members = getattr(model.inputs[name], "members", {})
    named = {f"--{option_of(member)}" for member in members}
    return named | {f"--no-{option.removeprefix('--')}" for option in named}


def option_of(member: str) -> str:
    """Return the option of a field, as in ``--vpc-id`` for ``VpcId``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", member).lower()


def test_the_commands_of_the_pages_are_found() -> None:
    assert ("lambda", "get-function-configuration") in {command[:2] for command in COMMANDS}
    assert ("dynamodb", "delete-table") in {command[:2] for command in COMMANDS}, "after another command"
    assert ("s3api", "list-object-versions") in {command[:2] for command in COMMANDS}, (
        "inside another command"
    )
