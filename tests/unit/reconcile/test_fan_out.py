from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pypicloud_s3sync.reconcile.fan_out import fan_out
from pypicloud_s3sync.reconcile.listing import Listing
from pypicloud_s3sync.reconcile.models import Difference, Kind, Report, Reporter
from pypicloud_s3sync.sync.events import parse

DIFFERENCES = [
    Difference(
        Kind.MISSING, "torch-1.0+cu118.zip", ("a b/torch-1.0+cu118.zip", "torch-1.0+cu118.zip"), "torch"
    ),
    Difference(Kind.STALE, "x-1.0.zip", ("x-1.0.zip",), "x"),
    Difference(Kind.GONE, "y-1.0.zip", ("y-1.0.zip",), "y"),
]


class Queue:
    def __init__(self, refused: str = "?") -> None:
        self.refused = refused
        self.records: list[tuple[str, str]] = []

    def send(self, texts: Sequence[str]) -> Mapping[int, str]:
        errors = {}
        for index, text in enumerate(texts):
            (record,) = parse(json.loads(text)).records
            assert record.bucket == "packages"
            assert record.time is not None
            if record.key == self.refused:
                errors[index] = "SQS did not take it"
            else:
                self.records.append((record.event, record.key))
        return errors


def run(queue: Queue, limit: int = 100) -> Report:
    report = Report(dry_run=False, limit=limit)
    with Listing() as listing:
        listing.add_differences(DIFFERENCES)
        fan_out(listing, "packages", "eu-west-1", queue.send, report, Reporter())
    return report


def test_the_function_gets_each_key_of_each_difference_as_from_s3() -> None:
    queue = Queue()
    report = run(queue)
    assert sorted(queue.records) == [
        ("ObjectCreated:Put", "a b/torch-1.0+cu118.zip"),
        ("ObjectCreated:Put", "torch-1.0+cu118.zip"),
        ("ObjectCreated:Put", "x-1.0.zip"),
        ("ObjectRemoved:Delete", "y-1.0.zip"),
    ]
    assert (report.queued, report.failed, report.kept, report.in_sync) == (3, {}, 0, False)
    assert report.differences == {Kind.MISSING: 1, Kind.STALE: 1, Kind.GONE: 1, Kind.SUMMARIES: 0}


def test_a_file_of_which_a_key_was_not_taken_has_failed() -> None:
    report = run(Queue("a b/torch-1.0+cu118.zip"))
    assert (report.queued, report.failed) == (2, {"torch-1.0+cu118.zip": "SQS did not take it"})


def test_too_many_rows_without_an_object_are_not_queued() -> None:
    queue = Queue()
    report = run(queue, limit=0)
    assert (report.queued, report.kept) == (2, 1)
    assert "y-1.0.zip" not in [key for _, key in queue.records]
