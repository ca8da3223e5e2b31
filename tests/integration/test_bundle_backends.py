"""The bundle for each kind of database handles an event of S3 and writes the row to a real database."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.bundle import DIRECT_UPLOAD_LIMIT, Bundle
from pypicloud_s3sync.deploy.bundle.interpreters import clean_environment
from pypicloud_s3sync.deploy.bundle.source import BundleSource
from pypicloud_s3sync.deploy.bundle.verify import link_sdk
from pypicloud_s3sync.sync import environment
from support.databases import Database
from support.moto_world import event
from support.sites import Site

FILENAME = "pkg-1.0.tar.gz"
KEY = f"b1a2/pkg/{FILENAME}"
#: The driver that SQLAlchemy chooses for ``postgresql://``.
POSTGRES = (
    {"psycopg2", "psycopg2_binary.libs"}
    if metadata.version("SQLAlchemy").startswith(("1.", "2.0."))
    else {"psycopg", "psycopg_binary", "psycopg_binary.libs"}
)
#: The libraries of each bundle by the name of the database, without those that every bundle has.
LIBRARIES = {
    "redis": {"redis"},
    "redis_cluster": {"redis"},
    "postgres": {"sqlalchemy", *POSTGRES},
    "mysql": {"sqlalchemy", "pymysql"},
}
#: Handles events as Lambda does, with only the bundle, the SDK and the standard library on the module path.
LAMBDA = """
import json, sys
sys.path[:0] = sys.argv[1:]
from lambda_script import handle_s3_event
json.dump([handle_s3_event(event, None) for event in json.load(sys.stdin)], sys.stdout)
"""
#: One worker builds each bundle once. It is the one that has the Redis cluster.
# Other tests cover the code; tracing it takes longer than running it.
pytestmark = [pytest.mark.xdist_group("redis-cluster"), pytest.mark.no_cover]

#: Bundles by the cache and the driver. Both kinds of Redis have the same bundle.
_bundles: dict[tuple[str, str], Bundle] = {}


class Function:
    """An unzipped bundle with its settings, and no other libraries."""

    def __init__(self, site: Site, database: Database, directory: Path) -> None:
        db = {name.replace(".", "__"): value for name, value in database.settings.items()}
        settings = site.settings(s3sync__bundle=None, db__region_name=None, **db)
        url = settings.db_url or ""
        key = (settings.cache, url.partition("://")[0])
        if key not in _bundles:
            _bundles[key] = BundleSource(settings).get(lambda progress: None)
        self.bundle = _bundles[key]
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
            **environment.write(
                settings.function_cache_settings, settings.bucket, settings.prefix, site.region
            ),
        }

    def __call__(self, *events: Any) -> list[dict[str, list[str]]]:
        """Return the handler's answers to events, all from one process."""
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
        answers: list[dict[str, list[str]]] = json.loads(result.stdout.splitlines()[-1])
        return answers


@pytest.fixture
def function(site: Site, database: Database, tmp_path: Path) -> Function:
    return Function(site, database, tmp_path)


def notification(site: Site, name: str) -> dict[str, Any]:
    """Return S3's notification of an event for the object."""
    document: dict[str, Any] = event("created_put")
    record = document["Records"][0]
    record["eventName"] = name
    record["s3"]["bucket"] = {**record["s3"]["bucket"], "name": site.bucket}
    assert record["s3"]["object"]["key"] == KEY
    return document


def row(database: Database) -> dict[str, Any] | None:
    """Return the row of the object as pypicloud reads it."""
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
    """Return the names that pypicloud lists."""
    with database.cache() as cache:
        found: list[str] = cache.distinct()
        return found


def test_the_bundle_writes_to_a_real_database(site: Site, database: Database, function: Function) -> None:
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
    # Two events in one process: the connection can be used again.
    removed = function(*[notification(site, "ObjectRemoved:Delete")] * 2)

    assert [answer["cleared"] for answer in removed] == [[FILENAME]] * 2
    assert row(database) is None
    assert names(database) == []


def test_the_bundle_contains_only_the_driver_of_its_database(database: Database, function: Function) -> None:
    contents = {path.name for path in function.task.iterdir()}
    known = {library for libraries in LIBRARIES.values() for library in libraries} | {"flywheel", "greenlet"}
    assert known & contents == LIBRARIES[database.name]
    # pymysql needs it for MySQL 8's default authentication, caching_sha2_password.
    assert ("cryptography" in contents) == (database.name == "mysql")
    assert function.bundle.size < DIRECT_UPLOAD_LIMIT
    print(f"{database.name}: {function.bundle.size / 1e6:.1f} MB")
