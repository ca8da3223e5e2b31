"""A supervised process ends with its parent, and leaves neither processes nor files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pypicloud_s3sync.devtools.processes import SupervisedProcess, clean_environment, wait_until
from pypicloud_s3sync.exceptions import S3SyncError
from support.processes import needs_proc, nothing_left, processes_below

#: Creates a file and a child process, and ends neither.
LITTERING = """
import subprocess, sys, tempfile, time
tempfile.mkstemp()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("started", flush=True)
time.sleep(600)
"""

PARENT = """
import os, sys, time
from pypicloud_s3sync.devtools.processes import SupervisedProcess, wait_until
process = SupervisedProcess([sys.executable, "-c", sys.argv[1]], dict(os.environ))
wait_until(lambda: "started" in process.log_tail(), "the command has started")
print("started", flush=True)
time.sleep(600)
"""


def supervised(program: str, **environment: str) -> SupervisedProcess:
    return SupervisedProcess([sys.executable, "-c", program], {**os.environ, **environment})


def start_littering(directory: Path) -> SupervisedProcess:
    process = supervised(LITTERING, TMPDIR=str(directory))
    wait_until(lambda: "started" in process.log_tail(), "the command has started")
    return process


@needs_proc
class TestSupervisedProcess:
    def test_stop_ends_the_child_processes_and_removes_the_files(self, tmp_path: Path) -> None:
        process = start_littering(tmp_path)
        assert len(processes_below(tmp_path)) == 3  # the guard, the command and its child
        process.stop()
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_to_the_guard_ends_everything(self, tmp_path: Path, number: int) -> None:
        process = start_littering(tmp_path)
        os.kill(process._guard.pid, number)
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")
        wait_until(lambda: not process.running, "the guard has ended")
        process.stop()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_the_death_of_the_parent_ends_everything(self, tmp_path: Path, number: int) -> None:
        """The parent has no chance to clean up."""
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, LITTERING],
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        with parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"started\n"
            parent.send_signal(number)
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")

    def test_a_command_that_ends_leaves_nothing_but_its_log(self, tmp_path: Path) -> None:
        program = "import tempfile; tempfile.mkstemp(); print('so far'); raise SystemExit(3)"
        process = supervised(program, TMPDIR=str(tmp_path))
        wait_until(lambda: not process.running, "the command has ended")
        assert process.log_tail() == "so far"
        assert nothing_left(tmp_path)
        process.stop()
        process.stop()


def test_the_log_tail_has_the_last_lines_of_a_long_log() -> None:
    process = supervised("print(*range(50_000), sep='\\n')")
    wait_until(lambda: not process.running, "the command has ended")
    assert process.log_tail(3) == "49997\n49998\n49999"
    process.stop()
    assert process.log_tail(3) == ""


def test_a_clean_environment_has_no_account_or_tool_settings_of_the_developer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_SESSION_TOKEN",
        "PPC_STORAGE_BUCKET",
        "PIP_INDEX_URL",
    ):
        monkeypatch.setenv(name, "the developer's")
    clean = clean_environment({"TMPDIR": "/elsewhere"})
    assert "the developer's" not in clean.values()
    assert clean["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert clean["TMPDIR"] == "/elsewhere"


def test_a_clean_environment_keeps_proxies_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "internal")
    clean = clean_environment()
    assert clean["HTTPS_PROXY"] == "http://proxy:3128"
    assert clean["no_proxy"] == "internal,localhost,127.0.0.1"


class TestWaitUntil:
    def test_returns_the_first_true_value(self) -> None:
        values = iter(["", None, "value"])
        assert wait_until(lambda: next(values), "there is a value") == "value"

    def test_raises_an_error_when_the_time_is_up(self) -> None:
        with pytest.raises(S3SyncError, match="Timed out after 0 seconds waiting until there is a value"):
            wait_until(lambda: False, "there is a value", 0)
