"""The function's own reconciliation, in this process."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.reconcile import invocation
from pypicloud_s3sync.sync.reconcile_requests import Request
from support.backends import Sql
from support.small_world import TIME, World


def test_the_function_remembers_in_its_temporary_directory_what_it_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(Sql)
    world.put("a/README", name="", version="", summary="")
    listed = world.bucket.list_objects_v2
    date = (TIME + datetime.timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def dated(**arguments: Any) -> dict[str, Any]:
        return listed(**arguments) | {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(world.bucket, "list_objects_v2", dated)
    monkeypatch.setattr(world.bucket, "meta", SimpleNamespace(endpoint_url="https://s3"), raising=False)
    monkeypatch.setattr(invocation, "syncer", world.syncer)
    read = []
    for _ in range(2):
        assert invocation.run(Request(), 60)["done"]
        read.append([*world.heads])
    assert read == [["a/README"], []]
    (path,) = tmp_path.glob("pypicloud-s3sync-*/*.objects")
    assert path.stat().st_size


def test_a_function_without_a_bucket_starts_once_and_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncer = World(Sql).syncer()
    syncer.bucket = None
    started = [syncer]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(invocation, "syncer", started.pop)
    with pytest.raises(S3SyncError, match="no bucket is set"):
        invocation.run(Request(), 60)
    assert list(tmp_path.iterdir()) == []
