"""Coverage traces the tests, except for those that are left out, in whatever process they run."""

from __future__ import annotations

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def tracer() -> object:
    """The tracer of a fixture, which is that of its test."""
    return sys.gettrace()


@pytest.mark.untraced
def test_a_marked_test_its_fixtures_and_its_threads_are_not_traced(tracer: object) -> None:
    assert (tracer, sys.gettrace(), threading.gettrace()) == (None, None, None)


@given(example=st.none())
def test_random_examples_are_not_traced(example: None) -> None:
    assert (sys.gettrace(), threading.gettrace()) == (None, None)


def test_other_tests_are_traced_if_coverage_is_measured(
    tracer: object, request: pytest.FixtureRequest
) -> None:
    plugin = request.config.pluginmanager.getplugin("_cov")
    is_measured = plugin is not None and plugin.cov_controller is not None
    assert (tracer is not None, sys.gettrace() is not None) == (is_measured, is_measured)
