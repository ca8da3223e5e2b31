"""A command that ends when we do."""

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

#: Leaves a file and a child of its own behind, unless somebody sees to it.
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
tether = SupervisedProcess([sys.executable, "-c", sys.argv[1]], dict(os.environ))
wait_until(lambda: "started" in tether.log_tail(), "it started")
print("started", flush=True)
time.sleep(600)
"""


def litter(directory: Path) -> SupervisedProcess:
    tether = SupervisedProcess([sys.executable, "-c", LITTERING], {**os.environ, "TMPDIR": str(directory)})
    wait_until(lambda: "started" in tether.log_tail(), "the command started")
    return tether


@needs_proc
class TestTether:
    def test_ends_children_and_files(self, tmp_path: Path) -> None:
        """The command's own child and what it wrote to its TMPDIR go with it."""
        tether = litter(tmp_path)
        assert len(processes_below(tmp_path)) == 3  # the guard, the command, its child
        tether.stop()
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_guard_gets_a_signal(self, tmp_path: Path, number: int) -> None:
        """Whoever ends the guard ends all."""
        tether = litter(tmp_path)
        os.kill(tether._guard.pid, number)
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")
        assert not tether.running
        tether.stop()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_parent_dies(self, tmp_path: Path, number: int) -> None:
        """The parent gets no chance to clean up, and all is cleaned up."""
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

    def test_ends_by_itself(self, tmp_path: Path) -> None:
        """A command that ends leaves nothing either; what it said can still be read."""
        program = "import tempfile; tempfile.mkstemp(); print('so far'); raise SystemExit(3)"
        tether = SupervisedProcess([sys.executable, "-c", program], {**os.environ, "TMPDIR": str(tmp_path)})
        wait_until(lambda: not tether.running, "it ended")
        assert tether.log_tail() == "so far"
        assert nothing_left(tmp_path)
        tether.stop()
        tether.stop()


def test_log_tail_is_the_end(tmp_path: Path) -> None:
    """Of a long log the last lines are shown."""
    tether = SupervisedProcess([sys.executable, "-c", "print(*range(50_000), sep='\\n')"], dict(os.environ))
    wait_until(lambda: not tether.running, "it ended")
    assert tether.log_tail(3) == "49997\n49998\n49999"
    tether.stop()


def test_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's account and tool settings stay out; proxies are kept, but not for this machine."""
    for name in (
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_SESSION_TOKEN",
        "PPC_STORAGE_BUCKET",
        "PIP_INDEX_URL",
    ):
        monkeypatch.setenv(name, "the developer's")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "internal")
    clean = clean_environment({"TMPDIR": "/elsewhere"})
    assert "the developer's" not in clean.values()
    assert clean["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert clean["HTTPS_PROXY"] == "http://proxy:3128"
    assert clean["no_proxy"] == "internal,localhost,127.0.0.1"
    assert clean["TMPDIR"] == "/elsewhere"


class TestWaitUntil:
    def test_returns_what_was_waited_for(self) -> None:
        answers = iter(["", None, "there"])
        assert wait_until(lambda: next(answers), "it is there") == "there"

    def test_time_is_up(self) -> None:
        with pytest.raises(S3SyncError, match="waited 0 seconds in vain until it is there"):
            wait_until(lambda: False, "it is there", 0)
