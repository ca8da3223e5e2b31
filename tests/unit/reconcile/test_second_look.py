from __future__ import annotations

import datetime
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pypicloud_s3sync.reconcile import second_look
from pypicloud_s3sync.reconcile.listing import Listing
from pypicloud_s3sync.reconcile.models import Difference, Kind
from pypicloud_s3sync.reconcile.second_look import SecondLook, is_worthwhile
from pypicloud_s3sync.sync.packages import StoredObject
from pypicloud_s3sync.sync.pending import PendingFile
from support.backends import Redis
from support.reconciling import Past

KEY = "pkg/pkg-1.0.tar.gz"


def stored(etag: str = '"e1"', second: int = 1) -> StoredObject:
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    return StoredObject(KEY, etag, "v1", modified, {})


class S3:
    """A bucket with one object, or none."""

    def __init__(self, found: StoredObject | None) -> None:
        self.found = found

    def get_paginator(self, operation: str) -> S3:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": "another.txt", "ETag": "e", "LastModified": stored().last_modified}]}
        if self.found is not None:
            listed = {"ETag": self.found.etag, "LastModified": self.found.last_modified}
            yield {"Contents": [{"Key": self.found.key, **listed}]}
        yield {}


@pytest.mark.parametrize(
    ("read", "now", "changed"),
    [
        pytest.param(stored(), stored(), False, id="the same object"),
        pytest.param(None, None, False, id="still no object"),
        pytest.param(stored(), stored('"e2"'), True, id="another object of the same second"),
        pytest.param(stored(), stored(second=2), True, id="the same content again"),
        pytest.param(stored(), None, True, id="deleted meanwhile"),
        pytest.param(None, stored(), True, id="uploaded meanwhile"),
    ],
)
def test_a_file_is_looked_at_again_if_its_object_changed_after_it_was_read(
    read: StoredObject | None, now: StoredObject | None, changed: bool
) -> None:
    file = PendingFile("pkg-1.0.tar.gz", [KEY], {KEY: read})
    with Listing() as listing:
        looks = SecondLook(listing)
        looks.note("bucket", [file])
        found = looks.changed(S3(now), "bucket", "")
    assert file.done
    assert found == [Difference(Kind.STALE, file.filename, (KEY,), file.filename)] * changed


@pytest.mark.parametrize(
    ("files", "objects", "worthwhile"),
    [(0, 0, False), (499, 499, False), (500, 5000, True), (500, 5001, False), (100_000, 1_000_000, True)],
)
def test_a_listing_is_worthwhile_for_a_large_part_of_a_bucket(
    files: int, objects: int, worthwhile: bool
) -> None:
    assert is_worthwhile(files, objects) is worthwhile


@pytest.mark.parametrize(("fewest", "heads"), [(1, 1), (500, 2)], ids=["by a listing", "by HeadObject"])
def test_each_missing_object_is_read_once_if_a_listing_is_the_second_look(
    fewest: int, heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "FEWEST", fewest)
    rng = Random(5)
    past = Past(rng, Redis(rng))
    past.backend.db.flushall()  # type: ignore[attr-defined]
    read: list[str] = []
    head_object = past.bucket.head_object

    def count(**arguments: Any) -> Any:
        read.append(arguments["Key"])
        return head_object(**arguments)

    monkeypatch.setattr(past.bucket, "head_object", count)
    past.reconcile()
    past.check()
    live = sorted(found.key for found in past.bucket.live())
    assert len(live) > 2, "the bucket has too few objects to show anything"
    assert sorted(read) == sorted(live * heads)
