"""Fixtures for the tests of bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.site_packages import SitePackages


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    """A directory for distributions of the test."""
    return SitePackages(tmp_path / "site-packages", monkeypatch)
