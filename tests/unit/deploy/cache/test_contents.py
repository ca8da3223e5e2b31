from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy import contents
from pypicloud_s3sync.deploy.cache.contents import Contents, last_comparison, read_contents, remember
from pypicloud_s3sync.deploy.location import Location
from pypicloud_s3sync.deploy.models import CacheTables
from pypicloud_s3sync.reconcile.models import Count, Kind, Report
from support.fakes import IDENTITY, REGION, FakeClients, make_settings, refusal


def page(*keys: str, more: str | None = None) -> dict[str, Any]:
    token = {} if more is None else {"NextContinuationToken": more}
    return {"Contents": [{"Key": key} for key in keys], **token}


def located(*answers: Any) -> Location:
    return Location(FakeClients({"list_objects_v2": list(answers)}), IDENTITY, REGION)


def test_files_that_can_be_packages_are_counted_once_however_many_keys_they_have() -> None:
    answers = page("a/x-1.0.zip", "b/x-1.0.zip", "a/", more="t"), page("README", "c/y-1.0-py3-none-any.whl")
    found = read_contents(make_settings(), located(*answers), CacheTables(rows=2))
    assert (found.packages, found.rows, found.problems) == (Count(2), Count(2, exact=False), ())


def test_a_large_bucket_is_not_counted_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "PAGES", 2)
    location = located(page("x-1.0.zip", more="t"), page("x-2.0.zip", more="u"))
    found = read_contents(make_settings(), location, CacheTables(rows=7))
    assert found.document() == {
        "objects": 2,
        "objects_exact": False,
        "rows": 7,
        "rows_exact": False,
        "problems": [],
    }


def test_what_cannot_be_counted_is_named_and_the_rest_is_counted() -> None:
    found = read_contents(make_settings(), located(refusal("AccessDenied")), CacheTables(rows=7))
    assert (found.packages, found.rows) == (None, Count(7, exact=False))
    assert "s3:ListBucket" in found.problems[0]
    settings = {"pypi__db": "redis", "db__url": "redis://:hunter2@127.0.0.1:9/0", "db__region_name": None}
    unreachable = make_settings(s3sync__endpoint_url="http://127.0.0.1:9", **settings)
    found = read_contents(unreachable, located(page("x-1.0.zip")), CacheTables())
    assert (found.packages, found.rows) == (Count(1), None)
    assert "cannot be reached" in found.problems[0]
    assert "hunter2" not in found.problems[0]


@pytest.mark.parametrize(
    ("packages", "rows", "warning"),
    [
        (Count(3), Count(3), None),
        (
            Count(3),
            Count(2),
            "the bucket holds 3 packages, but the cache has 2 rows: run `ppc-s3sync reconcile`",
        ),
        (Count(1), Count(1_200), "the bucket holds 1 package, but the cache has 1,200 rows"),
        (Count(5_000, exact=False), Count(3), "at least 5,000 packages"),
        (Count(5_000, exact=False), Count(9_000), None),
        # DynamoDB's number may be six hours old.
        (Count(3), Count(2, exact=False), None),
        (None, Count(2), None),
        (Count(2), None, None),
    ],
)
def test_numbers_that_differ_are_a_warning_unless_they_are_not_known(
    packages: Count | None, rows: Count | None, warning: str | None
) -> None:
    found = list(Contents(packages, rows).warnings())
    assert len(found) == (warning is not None)
    assert not found or str(warning) in found[0]


def test_the_last_comparison_is_kept_for_other_processes_of_this_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = make_settings()
    assert last_comparison(settings) is None
    report = Report(dry_run=True, objects=3, rows=2)
    report.count(Kind.MISSING, "x-1.0.zip")
    remember(settings, report)
    found = last_comparison(settings)
    assert found is not None
    assert (found["objects"], found["rows"], found["in_sync"]) == (3, 2, False)
    assert found["differences"]["missing"] == 1
    assert last_comparison(make_settings(storage__bucket="another-bucket")) is None
