"""Parse each source that may go into a bundle once in each process; most bundles have the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import reach


@pytest.fixture(scope="session", autouse=True)
def each_source_parsed_once() -> Iterator[None]:
    """Keep what the sources mention: it depends on a source's name and contents alone."""
    read = reach._mentioned
    known: dict[tuple[str, bytes], set[str]] = {}

    def mentioned(name: str, path: Path) -> set[str]:
        key = name, hashlib.sha256(path.read_bytes()).digest()
        if key not in known:
            known[key] = read(name, path)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "_mentioned", mentioned)
        yield
