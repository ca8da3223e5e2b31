"""The pages agree with the software: commands, options, settings, IAM documents and messages."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.cli.definitions import cli
from pypicloud_s3sync.config.options import OPTIONS, PREFIX, Option

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
POLICIES = sorted((ROOT / "tests" / "policies").glob("*.json"))
#: A message that the troubleshooting page explains: the term of a definition, with … for each value in it.
EXPLAINED = re.compile(r"^`([^`\n]+)`\n: ", re.MULTILINE)
#: Stands for a value in a message.
BLANK = "…"


def options() -> Iterator[tuple[str, str]]:
    """Yield each command with each of its options."""
    for name, command in cli.commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                yield from ((name, spelling) for spelling in parameter.opts)


def text_of(page: str) -> str:
    """Return the text of an HTML page, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())


def messages() -> Iterator[str]:
    """Yield all strings in the source code, with … for each value in an f-string."""
    for path in (ROOT / "pypicloud_s3sync").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else BLANK for part in node.values)
                yield re.sub(f"{BLANK}+", BLANK, "".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(scope="session")
def known_messages() -> list[str]:
    """Return all strings in the source code: reading them takes longer than collecting all tests here."""
    return list(messages())


# Tests of a group run in the same worker of pytest-xdist, so the documentation is built once.
pytestmark = [pytest.mark.xdist_group("documentation"), pytest.mark.untraced]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_is_in_the_table_of_its_page(name: str) -> None:
    page = (DOCS / "command-line.md").read_text()
    assert f"\n| `{name}` | " in page, f"docs/command-line.md: add {name} to the table of commands"


@pytest.mark.parametrize(("command", "option"), sorted(set(options())))
def test_every_option_is_described(command: str, option: str, documented: dict[str, set[str]]) -> None:
    assert f"ppc-s3sync-{command}.{option}" in documented["std:cmdoption"]


def test_the_settings_described_are_those_that_exist(documented: dict[str, set[str]]) -> None:
    assert documented["std:confval"] == {PREFIX + option.name for option in OPTIONS}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_setting_is_described_with_its_meaning_default_and_variable(
    option: Option, built_docs: Path
) -> None:
    name = PREFIX + option.name
    page = (built_docs / "settings.html").read_text()
    described = text_of(page.split(f'id="confval-{name}"', 1)[1].split('id="confval-', 1)[0])
    assert option.help.replace("`", "") in described
    assert f"Environment variable: PPC_{name.upper().replace('.', '_')}" in described
    assert option.default in (None, (), {}) or f"Default: {option.default} " in described


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_an_iam_document_shown_is_the_one_that_is_tested(path: Path, built_docs: Path) -> None:
    included = f"{{literalinclude}} ../tests/policies/{path.name}\n"
    assert included in (DOCS / "permissions.md").read_text(), f"docs/permissions.md: include {path.name}"
    assert " ".join(path.read_text().split()) in text_of((built_docs / "permissions.html").read_text())


def test_no_iam_document_for_the_operator_is_shown_that_is_not_tested() -> None:
    page = (DOCS / "permissions.md").read_text()
    assert "```json" not in page, "docs/permissions.md: put the document into tests/policies and include it"


@pytest.mark.parametrize("message", EXPLAINED.findall((DOCS / "troubleshooting.md").read_text()))
def test_a_message_that_is_explained_is_one_that_the_software_has(
    message: str, known_messages: list[str]
) -> None:
    assert any(message in known for known in known_messages), (
        f"docs/troubleshooting.md explains a message that pypicloud_s3sync no longer has: {message}\n"
        "quote the new message, or remove the explanation"
    )


def test_no_page_names_a_page_that_is_not_in_the_table_of_contents(built_docs: Path) -> None:
    pages = {page.stem for page in DOCS.glob("*.md")}
    contents = (built_docs / "index.html").read_text()
    assert {name for name in pages - {"index"} if f'href="{name}.html"' not in contents} == set()
