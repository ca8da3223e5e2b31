"""Collect the tests without what only slows that down: garbage collection, and coverage's tracer."""

from __future__ import annotations

import gc
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import pypicloud_s3sync

#: Not measured by coverage, and some of them only work in another process: see setup.cfg.
NOT_MEASURED = ("__main__", "demo", "scripts", "slim")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Measure the imports of the package, but not those of the tests; collect no garbage."""
    plugins = session.config.pluginmanager
    # With pytest-xdist, only its workers collect.
    measured = None if plugins.has_plugin("dsession") else plugins.get_plugin("_cov")
    gc.disable()
    if measured is not None:
        _import_package()
        measured.cov_controller.pause()
    try:
        return (yield)
    finally:
        if measured is not None:
            measured.cov_controller.resume()
        # What there is now stays until the end, so no later garbage collection has to visit it again.
        gc.collect()
        gc.freeze()
        gc.enable()


def _import_package() -> None:
    prefix = f"{pypicloud_s3sync.__name__}."
    for module in pkgutil.walk_packages(pypicloud_s3sync.__path__, prefix):
        if not set(module.name.split(".")) & set(NOT_MEASURED):
            importlib.import_module(module.name)
