"""A server whose cache has lost its rows fills it again in the background, when it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.contents import last_comparison
from pypicloud_s3sync.deploy.local_cache import open_adapter
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.web import runs
from support.apps import make_app
from support.sites import Site, ini_settings


def wait_for_the_end() -> None:
    """Wait until every process that this one has started has ended."""
    wait_until(lambda: [process.poll() for process in runs._started].count(None) == 0, "it has ended", 60)


def test_rows_that_were_lost_are_added_when_the_server_starts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for version in ("1.0", "2.0", "3.0"):
        metadata = {"name": "pkg", "version": version}
        key = f"a/pkg-{version}.tar.gz"
        site.client("s3").put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata=metadata)
    site.given["db.namespace"] = site.function
    ini = ini_settings(site)
    make_app(tmp_path, ini)
    cache = open_adapter(site.settings()).cache
    assert len(cache.all("pkg")) == 3

    # All agrees: nothing is done, and there is no run.
    make_app(tmp_path, ini, on_start=True)
    wait_for_the_end()
    assert (run_lock.last(site.settings()), last_comparison(site.settings())) == (None, None)

    # Every row is lost, then an event comes.
    for package in cache.all("pkg"):
        if package.version != "2.0":
            cache.clear(package)
    make_app(tmp_path, ini, on_start=True)
    wait_for_the_end()
    assert [package.version for package in cache.all("pkg")] == ["3.0", "2.0", "1.0"]
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "S3 sync" in line]
    assert "S3 sync has reconciled the cache: Repaired 2 differences." in line
