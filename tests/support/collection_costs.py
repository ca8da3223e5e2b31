"""Collect the tests without garbage collection, which would visit all imported modules many times."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


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
        gc.enable()
