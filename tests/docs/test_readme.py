"""The README is short, renders on PyPI, and its links lead to existing files and pages."""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from readme_renderer import markdown

from pypicloud_s3sync.cli.definitions import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MOST_LINES = 150

REPOSITORY = "https://github.com/pypicloud-s3sync/pypicloud-s3sync"
#: The beginnings of links to a file of the repository: to its page on GitHub, or to the file itself.
FILES = (f"{REPOSITORY}/blob/main/", REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/")
DOCS = "https://pypicloud-s3sync.readthedocs.io/en/latest/"


class _Links(HTMLParser):
    """Collects the targets of links and images, without the anchors that PyPI adds to headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in (("a", "href"), ("img", "src")) and not (value or "").startswith("#"):
                self.found.append(value or "")


def rendered() -> str:
    """Return the README as PyPI shows it."""
    warnings = io.StringIO()
    html = markdown.render(README, stream=warnings)
    assert html, f"PyPI cannot render README.md: {warnings.getvalue()}"
    return html


def project_urls() -> Iterator[str]:
    """Yield the links that PyPI shows next to the README."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    for line in config["metadata"]["project_urls"].strip().splitlines():
        yield line.partition("=")[2].strip()


LINKS = sorted({*_Links(rendered()).found, *project_urls()})

# Tests of a group run in the same worker of pytest-xdist, so the documentation is built once.
pytestmark = [pytest.mark.xdist_group("documentation"), pytest.mark.untraced]


def test_the_readme_is_short() -> None:
    lines = len(README.splitlines())
    assert lines <= MOST_LINES, f"README.md has {lines} lines: move details into docs/"


def test_code_blocks_and_pictures_of_the_readme_are_rendered() -> None:
    html = rendered()
    assert "```" not in html
    assert 2 <= html.count("<img ") <= 4


@pytest.mark.parametrize("link", LINKS)
def test_every_link_is_absolute(link: str) -> None:
    assert link.startswith(("https://", "http://localhost:")), (
        f"PyPI has no other files of the repository, so this link must be absolute: {link}"
    )


@pytest.mark.parametrize("link", [link for link in LINKS if link.startswith(REPOSITORY) or "raw." in link])
def test_a_link_into_the_repository_leads_to_a_file_that_exists(link: str) -> None:
    if link in (REPOSITORY, f"{REPOSITORY}/issues"):
        return
    path = next((link.removeprefix(start) for start in FILES if link.startswith(start)), None)
    assert path is not None, f"{link} must begin with one of {FILES}"
    assert (ROOT / path).is_file(), f"README.md or setup.cfg links {path}, which does not exist"


@pytest.mark.parametrize("link", [link for link in LINKS if "readthedocs.io" in link and "s3sync" in link])
def test_a_link_into_the_documentation_leads_to_a_page_that_exists(link: str, built_docs: Path) -> None:
    assert link.startswith(DOCS)
    name, _, anchor = link.removeprefix(DOCS).partition("#")
    page = built_docs / (name or "index.html")
    assert page.is_file(), f"README.md or setup.cfg links the page {name}, which `make docs` does not build"
    assert not anchor or f'id="{anchor}"' in page.read_text(), f"{name} has no heading or label {anchor}"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_is_in_the_table_of_the_readme(name: str) -> None:
    assert re.search(rf"^\| `ppc-s3sync {name} ", README, re.MULTILINE), f"README.md lacks {name}"


@pytest.mark.parametrize("command", ["make demo", "make test", "pserve development.ini", "pip install"])
def test_the_readme_shows_a_new_user_how_to_begin(command: str) -> None:
    assert command in README
