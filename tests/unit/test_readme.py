"""README keeps up with the code: every command, option and setting, as they are."""

import json
from pathlib import Path

import pytest

from pypicloud_s3sync.cli.main import cli
from pypicloud_s3sync.config.options import OPTIONS, PREFIX

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def options():
    for name, command in cli.commands.items():
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                yield name, option


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_is_in_its_table(name):
    assert f"\n| `{name}` | " in README


@pytest.mark.parametrize(("command", "option"), sorted(set(options())))
def test_every_option_is_in_its_table_and_names_its_commands(command, option):
    (row,) = [line for line in README.splitlines() if line.startswith("| `-") and f"`{option}`" in line]
    of = row.split("|")[2].strip()
    assert of == "all" or f"`{command}`" in of, row


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_setting_is_in_its_table_with_its_default_and_help(option):
    default = "" if option.default in (None, (), {}) else f"`{option.default}`"
    assert f"\n| `{PREFIX}{option.name}` | {default} | {option.help} |\n" in README


def test_no_setting_is_in_the_table_that_is_not_there():
    listed = [line.split("`")[1] for line in README.splitlines() if line.startswith(f"| `{PREFIX}")]
    assert listed == [PREFIX + option.name for option in OPTIONS]


@pytest.mark.parametrize(
    ("number", "name"), [(1, "policy"), (2, "policy_sqs"), (3, "policy_eventbridge")], ids=lambda value: value
)
def test_the_operators_policy_is_the_one_that_is_tested(number, name):
    policy = json.loads((ROOT / f"tests/policies/operator_{name}.json").read_text())
    shown = README.split("## What the operator needs in IAM")[1].split("```json\n")[number].split("```")[0]
    assert json.loads(shown) == policy


def test_every_file_that_it_links_is_there():
    for target in README.split("](")[1:]:
        path = target.split(")")[0]
        assert path.startswith(("http", "#")) or (ROOT / path).exists(), path
