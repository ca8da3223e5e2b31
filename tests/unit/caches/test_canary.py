"""The canary's row is in the cache, but no list of projects has its name."""

from __future__ import annotations

import datetime
from random import Random

import pytest

from pypicloud_s3sync.caches.canary import NAME, is_canary, is_canary_file
from support.adapters import set_row
from support.backends import Backend, Dynamo, Redis, Sql
from support.states import State

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
FILENAME = f"{NAME}-0.1.tar.gz"


def names_of(backend: Backend) -> list[str]:
    """Return the names that the lists of projects show."""
    if isinstance(backend, Dynamo):
        return sorted(backend.client.tables["PackageSummary"])
    cache = backend.adapter().cache
    names = {*cache.distinct(), *(summary["name"] for summary in cache.summary())}
    if isinstance(backend, Sql):
        names |= {package.name for package in cache.search({"name": ["p"]}, "or")}
        cache.db.close()
    return sorted(names)


def put(backend: Backend, name: str, filename: str) -> None:
    package = backend.adapter().cache.new_package(name, "0.1", filename, NOW, "summary", path=f"a/{filename}")
    set_row(backend.adapter(), filename, package)
    backend.advance(100)


@pytest.mark.parametrize("kind", [Dynamo, Redis, Sql])
def test_it_has_a_row_and_no_entry_in_a_list(kind: type[Backend]) -> None:
    backend = kind(Random(0))
    put(backend, "pkg", "pkg-0.1.tar.gz")
    put(backend, NAME, FILENAME)
    assert backend.filenames() == {"pkg-0.1.tar.gz", FILENAME}
    assert names_of(backend) == ["pkg"]
    set_row(backend.adapter(), FILENAME, None)
    backend.advance(100)
    assert backend.filenames() == {"pkg-0.1.tar.gz"}
    assert names_of(backend) == ["pkg"]


@pytest.mark.parametrize("kind", [Dynamo, Redis])
def test_an_entry_that_a_rebuild_of_the_server_has_added_is_removed(kind: type[Backend]) -> None:
    backend = kind(Random(0))
    cache = backend.adapter().cache
    package = cache.new_package(NAME, "0.1", FILENAME, NOW, "summary", path=f"a/{FILENAME}")
    if isinstance(backend, Redis):
        backend.cache(backend.db).save(package)
    else:
        pytest.importorskip("flywheel")
        put(backend, "pkg", "pkg-0.1.tar.gz")
        tables = backend.client.tables  # type: ignore[attr-defined]
        summary = {**tables["PackageSummary"]["pkg"], "name": {"S": NAME}}
        put(backend, NAME, FILENAME)
        tables["PackageSummary"][NAME] = summary
        set_row(backend.adapter(), "pkg-0.1.tar.gz", None)
    assert names_of(backend)
    set_row(backend.adapter(), FILENAME, None)
    backend.advance(100)
    assert names_of(backend) == []
    assert isinstance(backend.state(), State)


@pytest.mark.parametrize(
    ("name", "found"), [(NAME, True), ("pypicloud-s3sync", False), (f"{NAME}-2", False), ("pkg", False)]
)
def test_only_its_own_name_is_hidden(name: str, found: bool) -> None:
    assert is_canary(name) is found


@pytest.mark.parametrize(
    ("filename", "found"),
    [(FILENAME, True), (f"{NAME}-2-1.0.tar.gz", False), ("pypicloud-s3sync-0.1.tar.gz", False)],
)
def test_only_its_own_files_are_left_out(filename: str, found: bool) -> None:
    assert is_canary_file(filename) is found
