"""Which Python the function runs if nothing else is set."""

from __future__ import annotations

import datetime
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


@pytest.mark.parametrize(
    ("today", "warning"),
    [
        ("2027-10-31", None),
        ("2027-11-01", "Lambda deprecates the runtime python3.12 on 2028-10-31"),
        ("2028-10-30", "Lambda deprecates the runtime python3.12 on 2028-10-31"),
        ("2028-10-31", "Lambda has deprecated the runtime python3.12 since 2028-10-31"),
    ],
)
def test_a_runtime_is_reported_a_year_before_lambda_deprecates_it(today: str, warning: str | None) -> None:
    found = runtimes.deprecation("python3.12", datetime.date.fromisoformat(today))
    assert (found or "").startswith(warning or "")
    assert (found is None) == (warning is None)


def test_the_deprecation_of_each_runtime_is_known() -> None:
    assert set(runtimes.DEPRECATION) == set(runtimes.RUNTIMES)
