"""Which Python the function runs if nothing else is set."""

from __future__ import annotations

import datetime
import sys

import pytest

from pypicloud_s3sync.config import runtimes

HOST = "python{}.{}".format(*sys.version_info)


@pytest.mark.parametrize(
    ("host", "default", "emulated"),
    [
        ("python3.10", "python3.12", "python3.12"),
        ("python3.11", "python3.12", "python3.11"),
        ("python3.12", "python3.12", "python3.12"),
        ("python3.13", "python3.13", "python3.13"),
        ("python3.14", "python3.14", "python3.14"),
        ("python3.15", "python3.12", "python3.12"),
    ],
)
def test_the_default_runtime_is_that_of_the_hosts_python_if_lambda_supports_it_for_a_year(
    host: str, default: str, emulated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "host_runtime", lambda: host)
    assert runtimes.default_runtime() == default
    assert runtimes.default_runtime(emulated=True) == emulated


def test_every_default_runtime_is_supported_for_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "host_runtime", lambda: HOST)
    assert runtimes.DEPRECATION[runtimes.default_runtime()] >= runtimes.AS_OF + datetime.timedelta(days=365)


def test_the_default_runtime_of_a_release_does_not_change_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_today", lambda: datetime.date(2030, 1, 1))
    monkeypatch.setattr(runtimes, "host_runtime", lambda: "python3.12")
    assert runtimes.default_runtime() == "python3.12"


@pytest.mark.parametrize(
    ("today", "warning"),
    [
        ("2027-10-31", None),
        ("2027-11-01", "Lambda deprecates the runtime python3.12 on 2028-10-31"),
        ("2028-10-30", "Lambda deprecates the runtime python3.12 on 2028-10-31"),
        (
            "2028-10-31",
            "Lambda has deprecated the runtime python3.12 since 2028-10-31, and from 2029-01-10 on refuses",
        ),
        ("2029-01-10", "Lambda has deprecated the runtime python3.12 since 2028-10-31, and refuses updates"),
    ],
)
def test_a_runtime_is_reported_a_year_before_lambda_deprecates_it(today: str, warning: str | None) -> None:
    found = runtimes.deprecation("python3.12", datetime.date.fromisoformat(today))
    assert (found or "").startswith(warning or "")
    assert (found is None) == (warning is None)


def test_the_deprecation_of_each_runtime_is_known() -> None:
    assert set(runtimes.DEPRECATION) == set(runtimes.UPDATES_BLOCKED) == set(runtimes.RUNTIMES)
    assert all(runtimes.UPDATES_BLOCKED[name] > date for name, date in runtimes.DEPRECATION.items())
