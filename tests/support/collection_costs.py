"""Spare the tests garbage collections: they would visit all imported modules and models many times."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

#: Python's default is 700 for the first. The processes have memory enough for what is not yet collected.
THRESHOLDS = (50_000, 20, 20)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage meanwhile."""
    gc.disable()
    try:
        return (yield)
    finally:
        # What there is now stays until the end, so no later garbage collection has to visit it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        gc.enable()
