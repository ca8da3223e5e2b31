"""The record of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import run_files, run_record
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.deploy.runs.run_record import Record, Writer, summarize
from support.fakes import make_settings, not_none

SETTINGS = make_settings()
STEP = Progress("create role", "running", "creating the role x")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_host_without_a_run_has_no_record() -> None:
    with Record.open(SETTINGS) as record:
        assert record is None


def test_lines_can_be_read_while_they_are_written() -> None:
    writer = Writer.create(SETTINGS, "enable")
    with Record.open(SETTINGS) as opened:
        record = not_none(opened)
        assert [line["command"] for line in record.new_lines()] == ["enable"]
        writer.step(STEP)
        assert [line["step"] for line in record.new_lines()] == ["create role"]
        assert record.new_lines() == []


def test_a_line_that_is_half_written_is_read_when_it_is_complete() -> None:
    writer = Writer.create(SETTINGS, "enable")
    os.write(writer.descriptor, b'{"step": "create')
    with Record.open(SETTINGS) as opened:
        record = not_none(opened)
        assert len(record.new_lines()) == 1
        os.write(writer.descriptor, b' role"}\n')
        assert record.new_lines() == [{"step": "create role"}]


def test_a_record_that_is_followed_stays_when_the_next_run_begins() -> None:
    writer = Writer.create(SETTINGS, "enable")
    with Record.open(SETTINGS) as opened:
        record = not_none(opened)
        Writer.create(SETTINGS, "disable")
        writer.step(STEP)
        assert [line.get("command") for line in record.new_lines()] == ["enable", None]
        lock = not_none(run_files.take_lock(SETTINGS))
        assert not record.has_writer(), "the lock is that of the next run"
        os.close(lock)


def test_a_file_that_a_killed_run_left_is_replaced() -> None:
    run_files.path_for(SETTINGS, run_record.SUFFIX).with_suffix(".new").write_text("left")
    Writer.create(SETTINGS, "enable")
    with Record.open(SETTINGS) as record:
        assert len(not_none(record).new_lines()) == 1


def test_a_step_that_reports_very_often_does_not_fill_the_disk() -> None:
    writer = Writer.create(SETTINGS, "reconcile")
    for done in range(1000):
        writer.step(Progress("compare", "running", "comparing", done, 1000))
    writer.step(Progress("compare", "done", "compared"))
    with Record.open(SETTINGS) as record:
        _, first, *some, last = not_none(record).new_lines()
    assert first["done"] == 0
    assert len(some) < 200
    assert last["state"] == "done"


def test_a_summary_has_the_latest_state_of_each_step_and_the_time_at_which_it_began() -> None:
    lines = [
        {"command": "enable", "since": 1},
        {"step": "build bundle", "state": "running", "message": "zipped", "done": 5, "total": 6, "at": 2},
        {"step": "build bundle", "state": "done", "message": "built", "at": 7},
        {"step": "create role", "state": "running", "message": "creating", "at": 8},
    ]
    assert summarize(lines) == {
        "command": "enable",
        "since": 1,
        "steps": [
            {"step": "build bundle", "state": "done", "message": "built", "at": 2},
            {"step": "create role", "state": "running", "message": "creating", "at": 8},
        ],
    }
