"""``ppc-s3sync reconcile`` and the end of ``enable``, with a bucket and each kind of cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.cache.local_cache import open_adapter
from support.command_line import Run
from support.databases import Database
from support.sites import Site


def put(site: Site, name: str, version: str, summary: str = "A package") -> str:
    key = f"ab12/{name}/{name}-{version}.tar.gz"
    metadata = {"name": name, "version": version, "summary": summary}
    site.client("s3").put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata=metadata)
    return key


@pytest.fixture
def ini(site: Site, tmp_path: Path) -> Path:
    """An ini with the settings of the site."""
    site.given["db.namespace"] = site.function
    path = tmp_path / "production.ini"
    lines = [f"{key} = {value}" for key, value in site.given.items()]
    path.write_text("\n".join(["[app:main]", "use = egg:pypicloud", *lines, ""]))
    return path


@pytest.fixture
def cache(ini: Path, site: Site) -> Any:
    """The site's cache, whose tables exist because pypicloud has started once."""
    return open_adapter(site.settings()).cache


def document(run: Run, *arguments: object) -> dict[str, Any]:
    _, out, _ = run(*arguments, "--json")
    found: dict[str, Any] = json.loads(out)
    assert "result" not in found or found["result"] == "ok", found
    return found


def test_an_operator_looks_repairs_and_finds_nothing_left(
    run: Run, ini: Path, site: Site, cache: Any
) -> None:
    for version in ("1.0", "2.0"):
        put(site, "pkg", version, f"summary {version}")
    put(site, "other", "1.0")

    status, out, err = run("reconcile", ini, "--dry-run")
    assert (status, err) == (1, "")
    assert "  missing    3 objects without a row\n             other-1.0.tar.gz\n" in out
    assert out.endswith("Bucket and cache differ: 3 missing.\n")
    assert cache.distinct() == []

    status, out, err = run("reconcile", ini)
    assert (status, err) == (0, "")
    assert out.endswith("Repaired 3 differences. Bucket and cache are in sync.\n")
    assert {row["name"]: row["summary"] for row in cache.summary()} == {
        "pkg": "summary 2.0",
        "other": "A package",
    }
    found = document(run, "reconcile", ini)
    assert (found["in_sync"], found["objects"], found["rows"], found["looked_at"]) == (True, 3, 3, 0)


def test_each_kind_of_difference_is_counted_and_repaired(run: Run, ini: Path, site: Site, cache: Any) -> None:
    keys = [put(site, "pkg", f"{number}.0") for number in range(3)]
    put(site, "other", "1.0")
    run("reconcile", ini)
    site.client("s3").delete_object(Bucket=site.bucket, Key=keys[0])
    put(site, "new", "1.0")
    stale = cache.fetch("pkg-1.0.tar.gz")
    stale.data = {**stale.data, "path": "elsewhere/pkg-1.0.tar.gz"}
    cache.engine.save(stale, overwrite=True)
    from pypicloud.cache.dynamo import PackageSummary

    (summary,) = [found for found in cache.engine.scan(PackageSummary) if found.name == "other"]
    summary.summary = "wrong"
    cache.engine.save(summary, overwrite=True)

    kinds = {"missing": 1, "gone": 1, "stale": 1, "summaries": 1}
    assert document(run, "reconcile", ini, "--dry-run")["differences"] == kinds
    repaired = document(run, "reconcile", ini)
    assert (repaired["differences"], repaired["repaired"], repaired["in_sync"]) == (kinds, 4, True)
    assert repaired["samples"] == {
        "missing": ["new-1.0.tar.gz"],
        "gone": ["pkg-0.0.tar.gz"],
        "stale": ["pkg-1.0.tar.gz"],
        "summaries": ["other"],
    }
    assert document(run, "reconcile", ini, "--dry-run")["in_sync"] is True


def test_too_many_deletions_are_refused_with_the_way_to_allow_them(
    run: Run, ini: Path, site: Site, cache: Any
) -> None:
    keys = [put(site, "pkg", f"{number}.0") for number in range(3)]
    run("reconcile", ini)
    for key in keys[1:]:
        site.client("s3").delete_object(Bucket=site.bucket, Key=key)
    put(site, "new", "1.0")
    status, out, err = run("reconcile", ini, "--max-delete", "1", "--json")
    found = json.loads(out)
    assert (status, found["in_sync"], found["repaired"], found["kept"]) == (1, False, 1, 2)
    assert "use --max-delete 2" in err
    assert len(cache.all("pkg")) == 3
    assert run("reconcile", ini, "--max-delete", "100%")[0] == 0
    assert [row.filename for row in cache.all("pkg")] == ["pkg-0.0.tar.gz"]


def test_only_some_projects_are_reconciled(run: Run, ini: Path, site: Site, cache: Any) -> None:
    put(site, "my-pkg", "1.0")
    put(site, "other", "1.0")
    assert document(run, "reconcile", ini, "--package", "My_Pkg", "--workers", "4")["repaired"] == 1
    assert cache.distinct() == ["my-pkg"]


def test_enable_adds_what_the_bucket_held_before(run: Run, ini: Path, site: Site, cache: Any) -> None:
    put(site, "pkg", "1.0")
    status, out, err = run("enable", ini, "--no-reconcile")
    assert (status, err, cache.distinct()) == (0, "", [])
    assert "objects" not in out
    status, out, err = run("enable", ini)
    assert (status, err, cache.distinct()) == (0, "", ["pkg"])
    assert out.endswith(
        "Nothing to do.\nAdded 1 package that the cache lacked. Bucket and cache are in sync.\n"
    )
    found = document(run, "enable", ini)
    assert (found["reconcile"]["in_sync"], found["reconcile"]["added"]) == (True, 0)


def test_enable_turns_the_sync_on_although_the_cache_cannot_be_reached_from_here(
    run: Run, ini: Path, site: Site
) -> None:
    ini.write_text(
        ini.read_text().replace("pypi.db = dynamo", "pypi.db = redis\ndb.url = redis://127.0.0.1:9/0")
    )
    status, out, err = run("enable", ini)
    assert (status, err) == (0, "")
    assert "The bucket was not compared with the cache: the cache cannot be reached from this host" in out
    status, out, err = run("reconcile", ini)
    assert (status, out) == (1, "")
    assert "run ppc-s3sync reconcile on a host that can reach it" in err


@pytest.mark.parametrize("value", ["-1", "200%", "some"])
def test_another_limit_than_a_number_or_a_percentage_is_refused(run: Run, ini: Path, value: str) -> None:
    status, _, err = run("reconcile", ini, f"--max-delete={value}")
    assert status == 2
    assert "such as 500 or 20%" in err


def test_each_database_is_reconciled(database: Database, run: Run, ini: Path, site: Site) -> None:
    settings = "\n".join(f"{name} = {value}" for name, value in database.settings.items())
    others = [line for line in ini.read_text().splitlines() if not line.startswith(("db.", "pypi.db"))]
    ini.write_text("\n".join([*others, settings, ""]))
    keys = [put(site, "pkg", f"{number}.0") for number in range(3)]
    if database.settings["pypi.db"] == "sql":
        status, _, err = run("reconcile", ini, "--dry-run")
        assert status == 1
        assert "the database has no table packages" in err
    with database.cache() as cache:
        assert document(run, "reconcile", ini)["differences"]["missing"] == 3
        site.client("s3").delete_object(Bucket=site.bucket, Key=keys[0])
        assert document(run, "reconcile", ini, "--dry-run")["differences"]["gone"] == 1
        assert document(run, "reconcile", ini)["repaired"] == 1
        assert [row.filename for row in cache.all("pkg")] == ["pkg-2.0.tar.gz", "pkg-1.0.tar.gz"]
        assert document(run, "reconcile", ini)["looked_at"] == 0


def test_the_files_that_differ_are_queued_for_the_function(
    run: Run, ini: Path, site: Site, cache: Any
) -> None:
    for number in range(12):
        put(site, "pkg", f"{number}.0+local")
    status, _, err = run("reconcile", ini, "--fan-out")
    assert (status, "does not exist: run enable first" in err) == (1, True)
    # The function of this site only takes the messages.
    run("enable", ini, "--no-reconcile")
    status, out, err = run("reconcile", ini, "--fan-out")
    assert (status, err) == (0, "")
    assert "Queued 12 files, which the function repairs." in out
    found = document(run, "reconcile", ini, "--fan-out")
    assert (found["queued"], found["in_sync"], found["repaired"]) == (12, False, 0)
    assert cache.distinct() == []
    assert run("reconcile", ini, "--fan-out", "--dry-run")[0] == 2
    assert run("reconcile", ini)[0] == 0
    # There is nothing left to queue.
    assert document(run, "reconcile", ini, "--fan-out")["in_sync"] is True
