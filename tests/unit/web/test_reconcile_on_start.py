from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypicloud_s3sync.config.settings import read
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.web import reconcile_on_start, runs
from support.apps import FILES, make_app
from support.fakes import make_settings

#: Nobody answers at these addresses.
SETTINGS = {
    "pypi.storage": "s3",
    "storage.bucket": "packages",
    "storage.region_name": "eu-west-1",
    "storage.aws_access_key_id": "AKIDEXAMPLE",
    "storage.aws_secret_access_key": "hunter2",
    "pypi.db": "redis",
    "db.url": "redis://:hunter2@127.0.0.1:9/0",
    "s3sync.endpoint_url": "http://127.0.0.1:9",
}


def make_server(directory: Path, *, on_start: bool = True) -> TestApp:
    return make_app(directory, FILES.format(directory=directory), on_start=on_start)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Mapping[str, str]]:
    """Record the settings of each process that would be started for a server with a bucket."""
    found: list[Mapping[str, str]] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(reconcile_on_start, "_held", {})
    monkeypatch.setattr(runs, "start_in_background", lambda command, settings: found.append(settings))
    option = "s3sync.reconcile_on_start"
    monkeypatch.setattr(
        reconcile_on_start, "read", lambda given: make_settings(s3sync__reconcile_on_start=given[option])
    )
    monkeypatch.setattr(sys, "argv", ["pserve"])
    return found


def test_a_server_that_starts_reconciles_with_its_own_settings(
    started: list[Mapping[str, str]], tmp_path: Path
) -> None:
    make_server(tmp_path)
    (settings,) = started
    assert settings["storage.dir"] == f"{tmp_path}/packages"


def test_it_can_be_turned_off(started: list[Mapping[str, str]], tmp_path: Path) -> None:
    make_server(tmp_path, on_start=False)
    assert started == []


@pytest.mark.parametrize("program", ["/usr/bin/pshell", "proutes", "ppc-migrate", "pypicloud-make-config"])
def test_a_tool_that_only_loads_the_application_does_not_reconcile(
    started: list[Mapping[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    make_server(tmp_path)
    assert started == []


def test_nothing_happens_in_lambda(
    started: list[Mapping[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "server")
    make_server(tmp_path)
    assert started == []


def test_nothing_happens_if_the_packages_are_not_in_a_bucket(
    started: list[Mapping[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(reconcile_on_start, "read", read)
    make_server(tmp_path)
    assert (started, caplog.records) == ([], [])


def test_only_the_first_worker_reconciles_until_it_ends(
    started: list[Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings()
    assert reconcile_on_start._is_first(settings)
    # A process that starts the application again is a server that starts again.
    assert reconcile_on_start._is_first(settings)
    assert is_first_in_another_process(settings) is False
    assert is_first_in_another_process(make_settings(storage__bucket="another-bucket")) is True
    for lock in reconcile_on_start._held.values():
        os.close(lock)
    assert is_first_in_another_process(settings) is True


def is_first_in_another_process(settings: Any) -> bool:
    child = os.fork()
    if child == 0:
        reconcile_on_start._held.clear()
        os._exit(int(reconcile_on_start._is_first(settings)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_a_server_starts_although_no_process_can_be_started(
    started: list[Mapping[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: Any) -> None:
        raise S3SyncError("no Python interpreter was found")

    monkeypatch.setattr(runs, "start_in_background", fail)
    app = make_server(tmp_path)
    assert app.get("/health").status_code == 200
    (warning,) = [record for record in caplog.records if record.name == reconcile_on_start.__name__]
    assert "no Python interpreter" in warning.getMessage()


def start_process(settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the process that a server with these settings starts."""
    return subprocess.run(
        runs._command_line(sys.executable, reconcile_on_start.COMMAND),
        input=json.dumps(runs._document(reconcile_on_start.COMMAND, settings)),
        text=True,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "AWS at http://127.0.0.1:9 does not answer"),
        ({"storage.aws_access_key_id": "", "storage.aws_secret_access_key": ""}, "no AWS credentials"),
    ],
    ids=["unreachable", "no credentials"],
)
def test_a_failure_is_one_line_of_the_log(settings: dict[str, str], reason: str) -> None:
    process = start_process(SETTINGS | settings)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "WARNING" in line
    assert "S3 sync has not compared the bucket with the cache at the start" in line
    assert reason in line
    assert "hunter2" not in line


def test_an_aws_that_has_gone_is_asked_twice_and_no_more() -> None:
    """The process would outlive its server otherwise, by as long as botocore tries again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[int] = []
        threading.Thread(target=close_connections, args=[listener, connections], daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert start_process(SETTINGS | {"s3sync.endpoint_url": url}).returncode == 1
        listener.shutdown(socket.SHUT_RDWR)
    assert len(connections) == 2


def close_connections(listener: socket.socket, connections: list[int]) -> None:
    """Count the connections of a socket, and close each without an answer."""
    with contextlib.suppress(OSError):
        while True:
            connection, (_, port) = listener.accept()
            connections.append(port)
            connection.close()
