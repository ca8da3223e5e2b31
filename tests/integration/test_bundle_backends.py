"""The bundle for each kind of database handles an event of S3 and writes the row to a real database."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy.bundle import (
    DIRECT_UPLOAD_LIMIT,
    Bundle,
    BundleSpec,
    fingerprint,
    host_target,
)
from pypicloud_s3sync.deploy.bundle.closure import parts_of
from pypicloud_s3sync.deploy.bundle.collect import recorded_files
from pypicloud_s3sync.deploy.bundle.contents import NOT_IMPORTED, REPLACED
from pypicloud_s3sync.deploy.bundle.interpreters import clean_environment
from pypicloud_s3sync.deploy.bundle.source import BundleSource
from pypicloud_s3sync.deploy.bundle.verify import link_sdk
from pypicloud_s3sync.devtools.ports import free_port
from pypicloud_s3sync.sync import environment, reconcile_requests
from support.bundles import Compiler, sources_read_once, without_network
from support.databases import Database, each, url_settings
from support.figures import check_figure
from support.moto_world import EVENTS, event
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
#: Each line is an event.
LAMBDA = """
import json, sys
sys.path[:0] = sys.argv[1:]
from lambda_script import handle_s3_event
for line in sys.stdin:
    print("answer", json.dumps(handle_s3_event(json.loads(line), None)), flush=True)
"""
ANSWER = "answer "
#: Runs steps as Lambda runs events, and goes on after errors. It reports how many modules were imported from
#: the bundle, and what was looked for and is not in it.
STEPS = """
import json, os, sys
sys.path[:0] = sys.argv[1:]

class Missing:
    names = set()
    def find_spec(self, name, path=None, target=None):
        self.names.add(name)

sys.meta_path.append(Missing())
import botocore.session
from lambda_script import handle_s3_event
from pypicloud_s3sync.sync.startup import syncer

s3 = botocore.session.get_session().create_client("s3")
errors = []
for action, value in json.load(sys.stdin):
    if action == "put":
        s3.put_object(**value)
    elif action == "delete":
        s3.delete_object(**value)
    elif action == "environment":
        os.environ.update(value)
        syncer.cache_clear()
    else:
        try:
            handle_s3_event(value, None)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
modules = [file for file in files if file.startswith(sys.argv[1])]
json.dump({"errors": errors, "missing": sorted(Missing.names), "modules": len(modules)}, sys.stdout)
"""
#: What the repairs, redis, and SQLAlchemy 1.4 look for, to know what they can do.
PROBED = {"cryptography", "flywheel", "greenlet", "sqlalchemy"}
#: Errors of a program, not of a database or an event.
BUGS = re.compile(r"\b(ImportError|ModuleNotFoundError|AttributeError|NameError|TypeError)\b")
# One worker builds each bundle once. It is the one that has the Redis cluster.
pytestmark = [
    pytest.mark.xdist_group("redis-cluster"),
    pytest.mark.untraced,
]

#: Takes the name of a database and the settings of its site.
GetBundle = Callable[[str, SyncSettings], Bundle]


# Not of the module: such a fixture would have a group of its own.
@pytest.fixture(scope="session")
def bundle_of(
    dynamo_bundle: Bundle, redis_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> GetBundle:
    """Return a function that returns the bundle that a deployment would build, and builds each once."""
    shared = {"dynamo": dynamo_bundle, "redis": redis_bundle}
    built: dict[str, Bundle] = {}
    compiler = Compiler(tmp_path_factory.mktemp("compiled"))

    def build(name: str, source: BundleSource) -> Bundle:
        with sources_read_once(), pytest.MonkeyPatch.context() as patch:
            # MySQL's driver needs cryptography, which is fetched for the oldest Linux of Lambda.
            if name != "mysql":
                without_network(patch, tmp_path_factory.mktemp("uv"))
            patch.setattr("pypicloud_s3sync.deploy.bundle.pipeline.compile_files", compiler)
            return source.get(lambda progress: None)

    def get(name: str, settings: SyncSettings) -> Bundle:
        source = BundleSource(settings)
        if settings.cache in shared:
            assert source.fingerprint() == fingerprint(BundleSpec(host_target(), settings.cache))
            return shared[settings.cache]
        if name not in built:
            built[name] = build(name, source)
        return built[name]

    return get


class Function:
    """An unzipped bundle with its settings, and no other libraries."""

    def __init__(self, site: Site, database: Database, directory: Path, bundle_of: GetBundle) -> None:
        db = {name.replace(".", "__"): value for name, value in database.settings.items()}
        region = {} if database.name == "dynamo" else {"db__region_name": None}
        settings = site.settings(s3sync__bundle=None, **region, **db)
        self.bundle = bundle_of(database.name, settings)
        self.spec = BundleSpec(host_target(), settings.cache, settings.db_url)
        directory.mkdir(exist_ok=True)
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

    @contextmanager
    def running(self) -> Iterator[Callable[[Any], dict[str, list[str]]]]:
        """Yield a function that returns the handler's answer to an event; one process handles all."""
        with self._start(LAMBDA) as process:

            def handle(event: Any) -> dict[str, list[str]]:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{json.dumps(event)}\n")
                process.stdin.flush()
                # The lines before it are the handler's log.
                line = next((line for line in process.stdout if line.startswith(ANSWER)), None)
                assert line is not None, "the handler has raised an error: see stderr"
                answer: dict[str, list[str]] = json.loads(line.removeprefix(ANSWER))
                return answer

            try:
                yield handle
            finally:
                process.kill()

    def run(self, script: str, request: Any) -> str:
        """Return the output of a script, which has only the bundle, the SDK and the standard library."""
        with self._start(script) as process:
            try:
                output, _ = process.communicate(json.dumps(request), 60)
            finally:
                process.kill()
        assert process.returncode == 0
        return output

    def _start(self, script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", script, str(self.task), str(self.sdk)],
            env=self.environment,
            cwd=self.task,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def function(site: Site, database: Database, tmp_path: Path, bundle_of: GetBundle) -> Function:
    return Function(site, database, tmp_path, bundle_of)


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


@pytest.mark.slow
def test_the_bundle_writes_to_a_real_database(site: Site, database: Database, function: Function) -> None:
    s3 = site.client("s3")
    metadata = {"name": "pkg", "version": "1.0", "summary": '100% it\'s a "package"'}
    s3.put_object(Bucket=site.bucket, Key=KEY, Body=b"x", Metadata=metadata)
    modified = s3.head_object(Bucket=site.bucket, Key=KEY)["LastModified"]

    with function.running() as handle:
        created = handle(notification(site, "ObjectCreated:Put"))

        assert created["saved"] == [FILENAME]
        assert row(database) == {
            "name": "pkg",
            "version": "1.0",
            "summary": metadata["summary"],
            "last_modified": modified,
            "path": KEY,
        }
        assert names(database) == ["pkg"]

        s3.delete_object(Bucket=site.bucket, Key=KEY)
        # More events in the same process: the connection can be used again.
        removed = [handle(notification(site, "ObjectRemoved:Delete")) for _ in range(2)]

    assert [answer["cleared"] for answer in removed] == [[FILENAME]] * 2
    assert row(database) is None
    assert names(database) == []


@pytest.mark.slow
def test_the_bundle_contains_only_the_driver_of_its_database(database: Database, function: Function) -> None:
    contents = {path.name for path in function.task.iterdir()}
    known = {library for libraries in LIBRARIES.values() for library in libraries} | {"flywheel", "greenlet"}
    assert known & contents == LIBRARIES[database.name]
    # pymysql needs it for MySQL 8's default authentication, caching_sha2_password.
    assert ("cryptography" in contents) == (database.name == "mysql")
    assert function.bundle.size < DIRECT_UPLOAD_LIMIT
    print(f"{database.name}: {function.bundle.size / 1e6:.1f} MB")


@pytest.mark.slow
def test_a_bundle_for_postgresql_on_this_host_needs_no_network(
    site: Site, postgres_url: str, tmp_path: Path, bundle_of: GetBundle
) -> None:
    """The build has none, and fails if it needs one."""
    database = Database("postgres", url_settings("postgres", postgres_url))
    function = Function(site, database, tmp_path, bundle_of)
    assert not [part.name for part in parts_of(function.spec) if part.fetch]


def steps(site: Site, database: Database) -> list[tuple[str, Any]]:
    """Return every path of the handler: each event and envelope, reconciliations, a broken database."""
    port = free_port()
    broken = {
        "PPC_DB_URL": re.sub(r":\d+/", f":{port}/", database.settings.get("db.url", "")),
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}",
    }
    s3_object = {"Bucket": site.bucket, "Key": KEY}
    created, removed = (notification(site, f"Object{kind}") for kind in ("Created:Put", "Removed:Delete"))
    documented = [("event", json.loads(path.read_text())) for path in sorted(EVENTS.glob("*.json"))]
    request = reconcile_requests.request({})
    message = {"eventSource": "aws:sqs", "messageId": "1", "eventSourceARN": "arn:aws:sqs:us-east-1:1:queue"}
    return [
        ("put", {**s3_object, "Body": "x", "Metadata": {"name": "pkg", "version": "1.0"}}),
        ("event", created),
        ("put", {**s3_object, "Body": "y", "Metadata": {"summary": "=?utf-8?q?=C3=BC?="}}),
        ("event", created),
        *documented,
        ("put", {**s3_object, "Key": "a/other-2.0-py3-none-any.whl", "Body": "x"}),
        ("delete", s3_object),
        ("event", request),
        ("event", {"Records": [{**message, "body": json.dumps(request)}]}),
        ("event", removed),
        ("event", {"Records": [{"eventSource": "aws:s3"}]}),
        ("event", "no event"),
        ("environment", broken),
        ("event", created),
        ("event", request),
    ]


def check_paths(site: Site, database: Database, function: Function) -> int:
    """Run every path in a bundle; return the number of modules that were imported from it."""
    *logs, last = function.run(STEPS, steps(site, database)).splitlines()
    result: dict[str, Any] = json.loads(last)
    bugs = [line for line in [*logs, *result["errors"]] if BUGS.search(line)]
    assert not bugs
    in_libraries = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for part in parts_of(function.spec)
        for name in recorded_files(part.name, part.distribution)
    }
    left_out = {
        module
        for module, names in metadata.packages_distributions().items()
        if {name.lower() for name in names if name} & {*NOT_IMPORTED, *REPLACED}
    }
    assert not set(result["missing"]) & (in_libraries | left_out) - PROBED
    number: int = result["modules"]
    return number


@pytest.mark.parametrize(
    "name",
    [*each("dynamo", "redis", "redis_cluster", "mysql"), pytest.param("postgres", marks=pytest.mark.slow)],
)
def test_every_path_of_the_handler_finds_its_modules_in_the_bundle_and_those_do_not_grow(
    name: str, site: Site, tmp_path: Path, bundle_of: GetBundle, request: pytest.FixtureRequest
) -> None:
    settings = {} if name == "dynamo" else url_settings(name, request.getfixturevalue(f"{name}_url"))
    database = Database(name, settings)
    function = Function(site, database, tmp_path, bundle_of)
    modules = check_paths(site, database, function)
    if name in ("dynamo", "redis"):
        check_figure(f"{name}: modules imported from the bundle", modules)


@pytest.mark.parametrize("name", ["dynamo", "redis"])
def test_the_bundles_of_dynamodb_and_redis_do_not_grow(name: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(f"{name}_bundle")
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        sources = [item for item in archive.namelist() if item.endswith(".py")]
    check_figure(f"{name}: bytes of the bundle", bundle.size)
    check_figure(f"{name}: sources in the bundle", len(sources))
