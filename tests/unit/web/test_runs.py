"""The process of a run: how it is started, and how its steps are streamed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.deploy.runs.run_record import Record
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.exceptions import ConflictError, S3SyncError
from pypicloud_s3sync.garbage import THRESHOLDS
from pypicloud_s3sync.web import runs
from support.fakes import make_settings, not_none

SETTINGS = make_settings()
APPLICATION = {"pypi.storage": "s3", "storage.bucket": "b", "db.url": "redis://:hunter2@cache.example.com"}
STEP = Progress("create role", "running", "creating the role x")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def lines_of(stream: Iterator[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream if line != b"\n"]


def run_script(monkeypatch: pytest.MonkeyPatch, script: str) -> Record:
    """Start a run whose process runs a script instead of a command."""
    monkeypatch.setattr(runs, "BOOTSTRAP", f"import json, os, sys\ndocument = json.load(sys.stdin)\n{script}")
    return runs.start(SETTINGS, "enable", APPLICATION)


def report_to(path: Path, expression: str) -> str:
    """Return a script that writes the value of an expression to a file, complete at once."""
    return f"open('{path}.new', 'w').write(json.dumps({expression})); os.rename('{path}.new', '{path}')"


def reported(path: Path) -> Any:
    wait_until(path.exists, f"the process of the run has written {path}")
    return json.loads(path.read_text())


# The process


def test_the_process_has_the_settings_but_nobody_else_can_see_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    seen = "[document['settings'], sys.argv, sys.orig_argv, dict(os.environ), document['path']]"
    run_script(monkeypatch, report_to(output, seen)).close()
    settings, *public, path = reported(output)
    assert settings == APPLICATION
    assert "hunter2" not in json.dumps(public)
    assert path == [os.path.abspath(entry) for entry in sys.path]


def test_a_run_has_few_garbage_collections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = tmp_path / "output"
    command = "from pypicloud_s3sync.web.run_main import main\n    sys.exit(main(document))"
    assert command in runs.BOOTSTRAP
    look = report_to(output, "__import__('gc').get_threshold()[0]")
    monkeypatch.setattr(runs, "BOOTSTRAP", runs.BOOTSTRAP.replace(command, f"import os; {look}"))
    runs.start(SETTINGS, "enable", APPLICATION).close()
    assert reported(output) == THRESHOLDS[0]


def test_the_process_is_in_a_session_of_its_own_without_the_servers_sockets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # gunicorn and uWSGI make their sockets inheritable.
        listener.set_inheritable(True)
        script = (
            "def look(n):\n    try: return os.readlink(f'/proc/self/fd/{n}')\n    except OSError: return ''\n"
        )
        described = "[look(n) for n in range(3, 256)]"
        run_script(
            monkeypatch, script + report_to(output, f"[os.getsid(0), os.getpid(), {described}]")
        ).close()
        session, process, files = reported(output)
        assert session == process
        assert not [name for name in files if name.startswith("socket:")]


def test_the_run_is_under_way_until_its_process_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = tmp_path / "output"
    waiting = report_to(output, "os.getpid()") + "\nimport time\nwhile True: time.sleep(60)"
    record = run_script(monkeypatch, waiting)
    process = reported(output)
    assert not_none(run_lock.current(SETTINGS))["command"] == "enable"
    with pytest.raises(ConflictError, match="enable of sync is already running"):
        runs.start(SETTINGS, "disable", APPLICATION)
    os.kill(process, signal.SIGKILL)
    (last,) = lines_of(runs.follow(record))
    assert last["result"] == "failed"
    assert "the run was stopped before its end" in last["message"]
    assert not_none(run_lock.last(SETTINGS))["result"] == "stopped"


def test_a_process_that_has_ended_is_no_zombie(monkeypatch: pytest.MonkeyPatch) -> None:
    lines_of(runs.follow(run_script(monkeypatch, "sys.exit(3)")))
    started = list(runs._started)

    def is_reaped() -> bool:
        runs.reap()
        return not runs._started

    wait_until(is_reaped, "the process has been waited for")
    assert all(process.returncode == 3 for process in started)


def test_a_process_that_cannot_read_its_settings_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "find_interpreter", lambda: "/bin/false")
    large = {**APPLICATION, "storage.prefix": "x" * 1_000_000}
    (last,) = lines_of(runs.follow(runs.start(SETTINGS, "enable", large)))
    assert last["result"] == "failed"


def test_a_process_that_cannot_be_started_is_an_error_and_the_result_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "find_interpreter", lambda: "/nonexistent/python")
    with pytest.raises(
        S3SyncError, match=r"/nonexistent/python cannot be started for the run \(No such file"
    ):
        runs.start(SETTINGS, "enable", APPLICATION)
    assert not_none(run_lock.last(SETTINGS))["result"] == "failed"
    with run_lock.hold(SETTINGS, "enable", lambda progress: None):
        pass


def test_the_process_can_be_stopped_even_if_a_thread_of_the_server_blocks_signals(tmp_path: Path) -> None:
    output = tmp_path / "output"
    script = (
        "import signal, json, os; from pypicloud_s3sync.deploy import run_lock\n"
        "from pypicloud_s3sync.web import run_main\n"
        "signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())\n"
        "def look(deployment):\n"
        "    blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
        f"    {report_to(output, 'blocked')}\n"
        "run_main.COMMANDS['look'] = look\n"
        "null = os.open(os.devnull, os.O_RDWR)\n"
        "settings = {'pypi.storage': 's3', 'pypi.db': 'dynamo', 'storage.bucket': 'bucket',"
        " 'db.region_name': 'us-east-1'}\n"
        "run_main.main({'lock': null, 'record': null, 'settings': settings, 'command': 'look'})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert json.loads(output.read_text()) == []


def test_an_unexpected_error_is_logged_without_the_secrets_of_the_settings() -> None:
    script = (
        "import os\n"
        "from pypicloud_s3sync.web import run_main\n"
        "def fail(deployment):\n"
        "    raise RuntimeError('redis://:hunter2-of-url@cache') from ValueError('hunter2-of-url')\n"
        "run_main.COMMANDS['fail'] = fail\n"
        "null = os.open(os.devnull, os.O_RDWR)\n"
        "settings = {'pypi.storage': 's3', 'pypi.db': 'redis', 'storage.bucket': 'bucket',"
        " 'db.url': 'redis://:hunter2-of-url@cache'}\n"
        "run_main.main({'lock': null, 'record': null, 'settings': settings, 'command': 'fail'})\n"
    )
    log = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stderr
    assert "S3 sync: fail failed" in log
    assert "RuntimeError: ********" in log
    # The source that the traceback quotes is not the error's text, and is not on disk here.
    assert "hunter2" not in log


# The stream


@pytest.fixture
def run() -> Iterator[run_lock.Run]:
    """A run of this process."""
    begun = run_lock.begin(SETTINGS, "enable")
    yield begun
    begun.release()


def test_each_step_is_a_line_and_the_last_line_is_the_result(run: run_lock.Run) -> None:
    stream = runs.follow(Record.of_current(SETTINGS))
    run.report(STEP)
    assert json.loads(next(stream)) == {"step": STEP.step, "state": STEP.state, "message": STEP.message}
    run.end("ok", message="S3 sync is on.")
    assert lines_of(stream) == [{"result": "ok", "message": "S3 sync is on."}]


def test_an_empty_line_breaks_a_long_silence(monkeypatch: pytest.MonkeyPatch, run: run_lock.Run) -> None:
    monkeypatch.setattr(runs, "SILENCE", 0.3)
    stream = runs.follow(Record.of_current(SETTINGS))
    assert next(stream) == b"\n"
    run.report(STEP)
    assert json.loads(next(stream))["step"] == STEP.step
    assert next(stream) == b"\n"


def test_a_client_that_goes_away_does_not_end_the_run(run: run_lock.Run) -> None:
    stream = runs.follow(Record.of_current(SETTINGS))
    run.report(STEP)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not_none(run_lock.current(SETTINGS))["command"] == "enable"
