"""Which Python the function runs if nothing else is set."""

from __future__ import annotations

import sys

import pytest

from pypicloud_s3sync.config import runtimes

HOST = "python{}.{}".format(*sys.version_info)


def test_the_default_runtime_is_that_of_the_hosts_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "RUNTIMES", {HOST: (2, 34)})
    assert runtimes.default_runtime() == HOST


def test_the_default_runtime_is_a_fallback_if_lambda_does_not_have_the_hosts_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtimes, "RUNTIMES", {})
    assert runtimes.default_runtime() == "python3.12"
