"""A server whose cache has lost its rows fills it again in the background, when it starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.cache.contents import last_comparison
from pypicloud_s3sync.deploy.cache.local_cache import open_adapter
from pypicloud_s3sync.devtools.ports import free_port
from pypicloud_s3sync.devtools.processes import clean_environment, wait_until
from pypicloud_s3sync.web import runs
from support.apps import make_app
from support.sites import Site, ini_settings
from support.web_servers import BIN, processes_of


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


#: An application with no more than what reconciles at the start; nobody answers at its addresses.
APPLICATION = """
from pypicloud.util import EnvironSettings
from pypicloud_s3sync.web import reconcile_on_start
from pyramid.config import Configurator

SETTINGS = {
    "pypi.storage": "s3",
    "storage.bucket": "packages",
    "storage.region_name": "eu-west-1",
    "storage.aws_access_key_id": "AKIDEXAMPLE",
    "storage.aws_secret_access_key": "secret",
    "pypi.db": "redis",
    "db.url": "redis://127.0.0.1:9/0",
    "s3sync.endpoint_url": "http://127.0.0.1:9",
}


config = Configurator()
config.registry.settings = EnvironSettings({**config.registry.settings, **SETTINGS})
config.include(reconcile_on_start)
app = config.make_wsgi_app()
"""
#: gunicorn calls the hook in each worker after it has loaded the application.
GUNICORN = """
def post_worker_init(worker):
    worker.log.info("worker %s is ready", worker.pid)
"""
WORKERS = 3


@pytest.mark.slow
def test_one_worker_of_several_compares(tmp_path: Path) -> None:
    """Each process that compares writes a line to the log, because AWS does not answer."""
    (tmp_path / "served.py").write_text(APPLICATION)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    log = tmp_path / "server.log"
    address = f"127.0.0.1:{free_port()}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [f"{BIN}/gunicorn", "-w", str(WORKERS), "--timeout", "300", "-b", address, "served:app"],
            env=clean_environment({"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}),
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )

    def are_ready() -> bool:
        assert server.poll() is None, log.read_text()
        return log.read_text().count("is ready") == WORKERS

    try:
        wait_until(are_ready, "all workers are ready", 120)
        # A worker is ready after it has started its process.
        wait_until(lambda: not processes_of(server.pid), "what the workers started has ended", 120)
    finally:
        server.terminate()
        server.wait()
    lines = log.read_text().splitlines()
    assert len([line for line in lines if "S3 sync has not compared the bucket" in line]) == 1, lines
