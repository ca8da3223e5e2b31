"""Find plaster's loaders once in each process; each search reads the metadata of every installed package."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from plaster import loaders


@pytest.fixture(scope="session", autouse=True)
def found_once() -> Iterator[None]:
    """Remember which loaders there are for a scheme and its protocols."""
    search = loaders.find_loaders

    @functools.cache
    def remembered(scheme: str, protocols: tuple[str, ...] | None) -> Sequence[Any]:
        found: Sequence[Any] = search(scheme, protocols=protocols)
        return found

    def find_loaders(scheme: str, protocols: Sequence[str] | None = None) -> list[Any]:
        return list(remembered(scheme, None if protocols is None else tuple(protocols)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaders, "find_loaders", find_loaders)
        yield
