"""Arrange the collected tests: one worker for a shared fixture, groups first, stories in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "unit"


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Group tests by their module's fixtures, order their kinds, and keep the order of ``in_order``."""
    # pytest-xdist reads the groups and pytest-randomly shuffles in between.
    for item in items:
        if _shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    yield
    items.sort(key=_places(items).__getitem__)
    _restore_order(items)


def _shares_a_fixture(item: pytest.Item) -> bool:
    """Return whether a test uses a fixture of its module or class that lives longer than the test."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = [] if info is None else [found[-1] for found in info.name2fixturedefs.values()]
    return any(
        definition.scope in ("class", "module")
        and definition.func.__code__.co_filename.endswith(f"/{item.path.name}")
        for definition in definitions
    )


def _places(items: list[pytest.Item]) -> dict[pytest.Item, float]:
    """Return the place of each test: groups and stories are first, because they take longest.

    Between integration tests, which wait for servers, there are unit tests, so that a core has always
    something to do. Unit tests are last, too: they are short, so the workers finish at about the same time.
    """
    kinds: dict[bool, list[pytest.Item]] = {True: [], False: []}
    places: dict[pytest.Item, float] = {}
    for item in items:
        if item.get_closest_marker("xdist_group") is not None or item.get_closest_marker("e2e") is not None:
            places[item] = -1
        else:
            kinds[item.path.is_relative_to(UNIT)].append(item)
    for is_unit, kind in kinds.items():
        end = 1.3 if is_unit else 1.0
        places |= {item: end * number / len(kind) for number, item in enumerate(kind)}
    return places


def _restore_order(items: list[pytest.Item]) -> None:
    """Sort the tests of each class marked ``in_order`` by their lines, within the places that they have."""
    by_class: dict[object, list[int]] = {}
    for place, item in enumerate(items):
        if item.get_closest_marker("in_order"):
            by_class.setdefault(item.parent, []).append(place)
    for places in by_class.values():
        ordered = sorted((items[place] for place in places), key=lambda item: item.location[1] or 0)
        for place, item in zip(places, ordered, strict=True):
            items[place] = item
