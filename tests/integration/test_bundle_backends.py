"""The bundle of each database, run against a real one: S3's event goes in, the row is in the database."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.bundle import DIRECT_UPLOAD_LIMIT, Bundle
from pypicloud_s3sync.deploy.bundle.interpreters import clean_environment
from pypicloud_s3sync.deploy.bundle.source import BundleSource
from pypicloud_s3sync.deploy.bundle.verify import link_sdk
from pypicloud_s3sync.sync import environment
from support.databases import Database
from support.sites import Site
from support.world import event

FILENAME = "pkg-1.0.tar.gz"
KEY = f"b1a2/pkg/{FILENAME}"
#: Beside pypicloud and the handler, by the name of the database's fixture.
LIBRARIES = {
    "redis": {"redis"},
    "redis_cluster": {"redis"},
    "postgres": {"sqlalchemy", "psycopg2", "psycopg2_binary.libs"},
    "mysql": {"sqlalchemy", "pymysql"},
}
#: What Lambda does, where nothing can be found but the bundle, the SDK and the standard library.
LAMBDA = """
import json, sys
sys.path[:0] = sys.argv[1:]
from lambda_script import handle_s3_event
json.dump([handle_s3_event(event, None) for event in json.load(sys.stdin)], sys.stdout)
"""
#: By what decides it: the two kinds of Redis have one bundle.
_bundles: dict[tuple[str, str], Bundle] = {}


class Function:
    """An unzipped bundle with its settings, on a host that has nothing else."""

    def __init__(self, site: Site, database: Database, directory: Path) -> None:
        db = {name.replace(".", "__"): value for name, value in database.settings.items()}
        settings = site.settings(s3sync__bundle=None, db__region_name=None, **db)
        url = settings.db_url or ""
        decides = (settings.cache, url.partition("://")[0])
        if decides not in _bundles:
            _bundles[decides] = BundleSource(settings, lambda progress: None).build()
        self.bundle = _bundles[decides]
        self.task, self.sdk = directory / "task", directory / "sdk"
        with zipfile.ZipFile(io.BytesIO(self.bundle.data)) as archive:
            archive.extractall(self.task)
        link_sdk(self.sdk)
        self.environment = {
            **clean_environment(),
            "AWS_REGION": site.region,
            "AWS_ENDPOINT_URL": site.aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": site.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": site.aws.secret_access_key,
            **environment.write(settings.cache_settings, settings.bucket, settings.prefix, site.region),
        }

    def __call__(self, *events: Any) -> list[dict[str, list[str]]]:
        """What the handler answers to each event, all in one process."""
        command = [sys.executable, "-I", "-S", "-B", "-c", LAMBDA, str(self.task), str(self.sdk)]
        result = subprocess.run(
            command,
            input=json.dumps(events),
            env=self.environment,
            cwd=self.task,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def function(site: Site, database: Database, tmp_path: Path) -> Function:
    return Function(site, database, tmp_path)


def notification(site: Site, name: str) -> dict[str, Any]:
    """S3's direct notification of the object."""
    made = event("created_put")
    record = made["Records"][0]
    record["eventName"] = name
    record["s3"]["bucket"] = {**record["s3"]["bucket"], "name": site.bucket}
    assert record["s3"]["object"]["key"] == KEY
    return made


def row(database: Database) -> dict[str, Any] | None:
    """What pypicloud itself reads."""
    with database.cache() as cache:
        package = cache.fetch(FILENAME)
        if package is None:
            return None
        return {
            "name": package.name,
            "version": package.version,
            "summary": package.summary,
            "last_modified": package.last_modified,
            "path": package.data["path"],
        }


def names(database: Database) -> list[str]:
    with database.cache() as cache:
        return cache.distinct()


def test_the_bundle_writes_the_real_database(site: Site, database: Database, function: Function) -> None:
    s3 = site.client("s3")
    metadata = {"name": "pkg", "version": "1.0", "summary": '100% it\'s a "package"'}
    s3.put_object(Bucket=site.bucket, Key=KEY, Body=b"x", Metadata=metadata)
    modified = s3.head_object(Bucket=site.bucket, Key=KEY)["LastModified"]

    created = function(notification(site, "ObjectCreated:Put"))

    assert [answer["saved"] for answer in created] == [[FILENAME]]
    assert row(database) == {
        "name": "pkg",
        "version": "1.0",
        "summary": metadata["summary"],
        "last_modified": modified,
        "path": KEY,
    }
    assert names(database) == ["pkg"]

    s3.delete_object(Bucket=site.bucket, Key=KEY)
    # Twice in one process: the connection is good for more than one event.
    removed = function(*[notification(site, "ObjectRemoved:Delete")] * 2)

    assert [answer["cleared"] for answer in removed] == [[FILENAME]] * 2
    assert row(database) is None
    assert names(database) == []


def test_the_bundle_carries_its_own_driver_only(database: Database, function: Function) -> None:
    inside = {path.name for path in function.task.iterdir()}
    known = {library for libraries in LIBRARIES.values() for library in libraries} | {"flywheel", "greenlet"}
    assert known & inside == LIBRARIES[database.name]
    # MySQL 8 asks pymysql for it: caching_sha2_password.
    assert "cryptography" in inside
    assert function.bundle.size < DIRECT_UPLOAD_LIMIT
    print(f"{database.name}: {function.bundle.size / 1e6:.1f} MB")
