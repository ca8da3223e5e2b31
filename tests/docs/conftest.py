"""Build the documentation once for all of its tests."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: A line of Sphinx's inventory: the name of an object and its kind, for example ``std:confval``.
OBJECT = re.compile(r"^(.+?) (\S+:\S+) -?\d+ ", re.MULTILINE)


@pytest.fixture(scope="session")
def built_docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the HTML pages, built from scratch with the options of `make docs`."""
    output = tmp_path_factory.mktemp("docs")
    strict = ("-q", "-W", "--keep-going", "-n")
    command = [sys.executable, "-m", "sphinx", *strict, "-b", "html", str(ROOT / "docs"), str(output)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"`make docs` fails:\n{result.stderr}"
    return output


@pytest.fixture(scope="session")
def documented(built_docs: Path) -> dict[str, set[str]]:
    """Return the names that the pages document, by kind, for example ``std:confval`` for settings."""
    # The format: https://sphobjinv.readthedocs.io/en/stable/syntax.html
    _, _, _, _, compressed = (built_docs / "objects.inv").read_bytes().split(b"\n", 4)
    names: dict[str, set[str]] = {}
    for name, kind in OBJECT.findall(zlib.decompress(compressed).decode()):
        names.setdefault(kind, set()).add(name)
    return names
