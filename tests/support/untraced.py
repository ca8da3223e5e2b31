"""Trace what tests run for the coverage, but not pytest and botocore: tracing them takes longer than both."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3.session
import botocore.client
import botocore.session
import pytest

import pypicloud_s3sync

#: What the coverage omits, see setup.cfg: these modules run in processes of their own.
OMITTED = re.compile(r"\.(__main__$|demo\.|scripts\.|slim\.)")
#: The doors of botocore and boto3. Behind them run only a few event handlers of the project, with unit tests.
DOORS = [
    (boto3.session.Session, "__init__"),
    (boto3.session.Session, "client"),
    (botocore.session.Session, "__init__"),
    (botocore.session.Session, "create_client"),
    (botocore.client.BaseClient, "_make_api_call"),
    (botocore.client.BaseClient, "get_paginator"),
    (botocore.client.BaseClient, "get_waiter"),
]


@pytest.fixture(scope="session", autouse=True)
def untraced_botocore() -> Iterator[None]:
    """Stop the tracer whenever a test enters botocore, and continue when it comes back."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in DOORS:
            patch.setattr(owner, name, _untraced(getattr(owner, name)))
        yield


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is not traced, whoever calls it."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        tracer = sys.gettrace()
        if tracer is None:
            return function(*arguments, **options)
        sys.settrace(None)
        try:
            return function(*arguments, **options)
        finally:
            sys.settrace(tracer)

    return call


def _trace_again(tracer: Any) -> None:
    """Let a tracer continue. Coverage's own is only in effect after the next call."""
    sys.settrace(tracer)
    _call()


def _call() -> None:
    """Do nothing."""


def _import_package() -> None:
    """Import all modules of the package, so that their definitions are traced."""
    for module in pkgutil.walk_packages(pypicloud_s3sync.__path__, f"{pypicloud_s3sync.__name__}."):
        if not OMITTED.search(module.name):
            importlib.import_module(module.name)


def _is_untraced(item: pytest.Item) -> bool:
    """Return whether coverage leaves a test out: it is marked so, or its examples are random.

    What random examples cover is not the same in each run, and they run the same lines many times.
    """
    return any(item.get_closest_marker(name) is not None for name in ("untraced", "hypothesis"))


class OnlyTests:
    """Traces fixtures and tests, and nothing that pytest does before them and between them."""

    def __init__(self) -> None:
        self._tracer: Any = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Iterator[None]:
        """Import the package, and stop the tracer while the tests are imported."""
        tracer = sys.gettrace()
        if tracer is None:
            return (yield)
        _import_package()
        sys.settrace(None)
        try:
            return (yield)
        finally:
            _trace_again(tracer)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Stop the tracer; for a test that is untraced, with its fixtures, until its end."""
        tracer, tracer_of_threads = sys.gettrace(), threading.gettrace()
        sys.settrace(None)
        if _is_untraced(item):
            threading.settrace(None)
        else:
            self._tracer = tracer
        try:
            return (yield)
        finally:
            self._tracer = None
            threading.settrace(tracer_of_threads)
            if tracer is not None:
                _trace_again(tracer)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(self) -> Iterator[None]:
        """Trace a fixture."""
        return (yield from self._traced())

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_pyfunc_call(self) -> Iterator[None]:
        """Trace a test."""
        return (yield from self._traced())

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Trace the ends of fixtures."""
        return (yield from self._traced())

    def _traced(self) -> Iterator[None]:
        if self._tracer is None:
            return (yield)
        before = sys.gettrace()
        _trace_again(self._tracer)
        try:
            return (yield)
        finally:
            sys.settrace(before)


def pytest_configure(config: pytest.Config) -> None:
    """Trace only tests, if anything is traced."""
    config.pluginmanager.register(OnlyTests(), "only-tests")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Trace nothing in the process that distributes the tests, nor in its threads, which begin next."""
    if session.config.pluginmanager.hasplugin("dsession"):
        sys.settrace(None)
        threading.settrace(None)
