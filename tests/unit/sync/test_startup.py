from __future__ import annotations

import json
import random
import sys
import types
from collections.abc import Callable

import botocore.session
import pytest
from pypicloud.cache.sql import SQLCache

from pypicloud_s3sync.caches.dynamo import DynamoAdapter
from pypicloud_s3sync.exceptions import ConfigError
from pypicloud_s3sync.sync import startup
from pypicloud_s3sync.sync.objects import PARALLEL
from support.moto_world import BUCKET, REGION, World

KEY = "x/pkg-1.0.tar.gz"


class CustomCache(SQLCache):  # type: ignore[misc] # pypicloud has no types
    """A custom cache class."""


def test_the_syncer_is_built_from_the_settings(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPC_STORAGE_PREFIX", "pkgs/")
    syncer = startup.syncer()
    assert (syncer.bucket, syncer.prefix) == (BUCKET, "pkgs/")
    assert isinstance(syncer.adapter, DynamoAdapter)


def test_the_s3_client_leaves_most_retries_to_lambda_and_has_a_connection_for_each_thread(
    world: World,
) -> None:
    client = startup.syncer().reader.s3
    config = client.meta.config
    assert client.meta.region_name == REGION
    assert config.retries == {"mode": "standard", "total_max_attempts": 4}
    assert (config.connect_timeout, config.read_timeout) == (5, 10)
    assert config.max_pool_connections == PARALLEL


def test_the_cache_and_the_clients_are_built_once_per_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)

    def fail(*arguments: object, **options: object) -> None:
        pytest.fail("a second client was created")

    monkeypatch.setattr(botocore.session.Session, "create_client", fail)
    world.notify(KEY)


def test_ppc_variables_override_the_settings(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPC_STORAGE_BUCKET", "another")
    world.put(KEY, name="pkg", version="1.0")
    assert world.notify(KEY)["ignored"] == [KEY]


def test_a_function_that_was_built_by_hand_needs_no_bucket_in_its_settings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pypicloud's documentation only tells users to set ``pypi.db`` and ``db.*``."""
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(world.settings))
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    world.put(KEY, name="pkg", version="1.0")
    assert world.notify(KEY)["saved"] == ["pkg-1.0.tar.gz"]


def test_a_start_that_failed_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without_settings:
        without_settings.delenv("PYPICLOUD_SETTINGS")
        with pytest.raises(ConfigError, match="run ppc-s3sync enable"):
            startup.syncer()
    assert startup.syncer().bucket == BUCKET


@pytest.mark.parametrize(
    ("settings", "pre_ping"),
    [
        pytest.param({}, "true", id="SQL by default"),
        pytest.param({"pypi.db": "sql"}, "true", id="SQL"),
        pytest.param({"pypi.db": "pypicloud.cache:SQLCache"}, "true", id="SQL by its class"),
        pytest.param({"pypi.db": f"{__name__}:CustomCache"}, "true", id="a class that extends it"),
        pytest.param({"pypi.db": "sql", "db.pool_pre_ping": "false"}, "false", id="SQL with the option"),
    ],
)
def test_sql_connections_are_tested_before_they_are_used(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], pre_ping: str
) -> None:
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps({**settings, "db.url": "sqlite://"}))
    engine = startup.syncer().adapter.cache.db.get_bind()
    # SQLAlchemy 1.4 does not convert it.
    assert str(engine.pool._pre_ping).lower() == pre_ping


@pytest.mark.parametrize("prefix", ["/", "/a//b/", "a b/", "a"])
def test_a_prefix_is_the_beginning_of_a_key_whatever_its_form(
    world: World, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("PPC_STORAGE_PREFIX", prefix)
    world.put(f"{prefix}{KEY}", name="pkg", version="1.0")
    world.put(KEY, name="pkg", version="1.0")
    assert world.notify(f"{prefix}{KEY}")["saved"] == ["pkg-1.0.tar.gz"]
    assert world.notify(KEY)["ignored"] == [KEY]


# SnapStart


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Let this process be one of which Lambda takes a snapshot; return what it calls after a restore."""
    found: list[Callable[[], None]] = []
    library = types.ModuleType("snapshot_restore_py")
    setattr(library, "register_after_restore", found.append)  # noqa: B010  # mypy knows no such attribute
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", library)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    return found


def test_a_snapshot_holds_no_connection_and_no_secret(
    world: World, monkeypatch: pytest.MonkeyPatch, hooks: list[Callable[[], None]]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        pytest.fail("the snapshot would hold a client")

    monkeypatch.setattr(botocore.session.Session, "create_client", fail)
    settings = {**world.settings, "storage.bucket": BUCKET, "s3sync.secrets": "/parameter"}
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(settings))
    startup.prepare_snapshot()
    assert startup.syncer.cache_info().currsize == 0


def test_each_process_that_is_restored_makes_its_own_connections_and_random_numbers(
    world: World, hooks: list[Callable[[], None]]
) -> None:
    startup.prepare_snapshot()
    before, state = startup.syncer(), random.getstate()
    (restore,) = hooks
    restore()
    assert startup.syncer() is not before
    assert random.getstate() != state


@pytest.mark.parametrize("kind", ["on-demand", "provisioned-concurrency", None])
def test_without_a_snapshot_nothing_is_prepared(
    monkeypatch: pytest.MonkeyPatch, hooks: list[Callable[[], None]], kind: str | None
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE")
    if kind is not None:
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
    startup.prepare_snapshot()
    assert hooks == []


def test_a_function_without_settings_gets_no_snapshot(
    monkeypatch: pytest.MonkeyPatch, hooks: list[Callable[[], None]]
) -> None:
    """Lambda then reports why the version has failed."""
    monkeypatch.delenv("PYPICLOUD_SETTINGS", raising=False)
    with pytest.raises(ConfigError, match="PYPICLOUD_SETTINGS is not set"):
        startup.prepare_snapshot()
