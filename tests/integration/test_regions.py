"""``ppc-s3sync compare`` and ``wait``, with two buckets and two caches."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.cache.local_cache import open_adapter
from pypicloud_s3sync.devtools.processes import wait_until
from support.command_line import Run
from support.sites import Site

EQUAL = {"not_replicated": 0, "missing_row": 0, "extra_row": 0, "stale_row": 0, "different_content": 0}


def key(name: str, version: str) -> str:
    return f"ab12/{name}/{name}-{version}.zip"


def put(site: Site, name: str, version: str, content: bytes = b"x") -> None:
    metadata = {"name": name, "version": version, "summary": "A package"}
    s3 = site.client("s3")
    s3.put_object(Bucket=site.bucket, Key=key(name, version), Body=content, Metadata=metadata)


def overwrite(site: Site, name: str, version: str, content: bytes) -> None:
    """Upload other content in a later second: S3's times have no fractions, which would hide the old row."""
    before = site.client("s3").head_object(Bucket=site.bucket, Key=key(name, version))["LastModified"]
    later = before.replace(microsecond=0) + datetime.timedelta(seconds=1)
    wait_until(lambda: datetime.datetime.now(datetime.UTC) >= later, "the next second has begun")
    put(site, name, version, content)


@pytest.fixture
def sites(make_site: Callable[..., Site]) -> list[Site]:
    """A site in each of two regions."""
    return [make_site("us-east-1"), make_site("eu-west-1")]


@pytest.fixture
def inis(sites: list[Site], tmp_path: Path, run: Run, redis_url: str) -> list[Path]:
    """An ini for each site, whose cache is equal to its bucket, with the same packages in both."""
    us, eu = sites
    us.given["db.namespace"] = us.function
    eu.given |= {"pypi.db": "redis", "db.url": redis_url}
    del eu.given["db.region_name"]
    inis = []
    for site in sites:
        path = tmp_path / f"{site.region}.ini"
        lines = [f"{name} = {value}" for name, value in site.given.items()]
        path.write_text("\n".join(["[app:main]", "use = egg:pypicloud", *lines, ""]))
        open_adapter(site.settings())
        for version in ("1.0", "2.0"):
            put(site, "pkg", version)
        assert run("reconcile", path)[0] == 0
        inis.append(path)
    return inis


def test_regions_are_compared_and_repaired_until_they_are_equal(
    run: Run, inis: list[Path], sites: list[Site]
) -> None:
    status, out, err = run("compare", *inis)
    assert (status, err) == (0, "")
    assert out.endswith("\n\nThe regions are equal.\n")
    status, out, err = run("compare", *inis, "--json")
    document = json.loads(out)
    assert (status, err, document["equal"], document["counts"]) == (0, "", True, EQUAL)
    assert document["differences"] == []
    assert len({region.pop("digest") for region in document["regions"]}) == 1
    assert document["regions"] == [
        {"config": str(ini), "bucket": site.bucket, "region": site.region, "objects": 2, "rows": 2}
        for ini, site in zip(inis, sites, strict=True)
    ]

    us, eu = sites
    put(us, "new", "1.0")
    overwrite(eu, "pkg", "2.0", b"another content")
    status, out, err = run("compare", *inis, "--json")
    document = json.loads(out)
    assert (status, err, document["equal"]) == (1, "", False)
    assert document["differences"] == [
        {"kind": "not_replicated", "filename": "new-1.0.zip", "region": eu.region, "bucket": eu.bucket},
        {"kind": "missing_row", "filename": "new-1.0.zip", "region": us.region, "bucket": us.bucket},
        {"kind": "stale_row", "filename": "pkg-2.0.zip", "region": eu.region, "bucket": eu.bucket},
        {"kind": "different_content", "filename": "pkg-2.0.zip", "region": eu.region, "bucket": eu.bucket},
    ]
    assert sum(document["counts"].values()) == 4

    put(eu, "new", "1.0")
    put(eu, "pkg", "2.0")
    for ini in inis:
        assert run("reconcile", ini)[0] == 0
    assert run("compare", *inis)[0] == 0


def test_a_pipeline_waits_for_each_layer(run: Run, inis: list[Path], sites: list[Site]) -> None:
    eu, ini = sites[1], inis[1]
    status, out, err = run("wait", ini, "new-1.0.zip", "--timeout", "0")
    assert (status, out) == (1, "")
    assert err.startswith("ppc-s3sync: Timed out after 0 seconds waiting for new-1.0.zip in eu-west-1: s3://")
    assert "does not exist" in err
    assert err.count("\n") == 1

    # Under a key that pypicloud would not choose.
    put(eu, "new", "1.0")
    status, out, err = run("wait", ini, "new-1.0.zip", "--timeout", "0", "--json")
    document = json.loads(out)
    assert (status, document["available"], document["state"]) == (1, False, "not_in_cache")
    assert document["key"] == key("new", "1.0")
    assert err == f"ppc-s3sync: {document['message']}\n"
    assert f"ppc-s3sync reconcile {ini}" in err

    assert run("reconcile", ini)[0] == 0
    status, out, err = run("wait", ini, "new-1.0.zip")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"new-1\.0\.zip is available in eu-west-1, after \d+ seconds?\.\n", out)
    document = json.loads(run("wait", ini, "new-1.0.zip", "--json")[1])
    assert (document["available"], document["bucket"]) == (True, eu.bucket)
