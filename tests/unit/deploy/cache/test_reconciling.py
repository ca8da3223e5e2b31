from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.cache.reconciling import check, known_objects_path
from pypicloud_s3sync.exceptions import ReconcileError
from pypicloud_s3sync.reconcile.models import Report
from support.fakes import make_settings


def test_each_bucket_and_prefix_has_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = [{}, {"storage__bucket": "other"}, {"storage__prefix": "p/"}]
    paths = [known_objects_path(make_settings(**changed)) for changed in options]
    assert len({*paths}) == 3
    assert {path and path.parent for path in paths} == {tmp_path / "pypicloud_s3sync"}


def test_the_file_is_in_the_home_directory_if_nothing_else_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = known_objects_path(make_settings())
    assert path is not None
    assert path.parent == tmp_path / ".cache" / "pypicloud_s3sync"


def test_without_a_home_directory_there_is_no_file_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with caplog.at_level(logging.INFO):
        assert known_objects_path(make_settings()) is None
    assert [record.getMessage() for record in caplog.records] == [
        "what is read of objects is not remembered without a home directory: set XDG_CACHE_HOME"
    ]


@pytest.mark.parametrize(
    ("is_fan_out", "queued", "more", "message"),
    [
        (False, 0, 0, r"1 file could not be repaired \(x.zip: refused\)"),
        (False, 0, 4, r"5 files could not be repaired \(x.zip: refused\)"),
        (True, 0, 0, r"1 file could not be queued \(x.zip: refused\)"),
        (True, 7, 0, r"1 file could not be queued \(x.zip: refused\)"),
    ],
)
def test_the_error_counts_what_could_not_be_repaired_or_queued(
    is_fan_out: bool, queued: int, more: int, message: str
) -> None:
    report = Report(dry_run=False, is_fan_out=is_fan_out, queued=queued, more_failed=more)
    report.fail("x.zip", "refused")
    with pytest.raises(ReconcileError, match=message):
        check(report)
