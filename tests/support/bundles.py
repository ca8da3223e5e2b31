"""The bundles that several modules of tests look at, each built once, and shortcuts for other builds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.bundle import Bundle, BundleSpec, build, host_target
from pypicloud_s3sync.deploy.bundle.collect import Files

#: The flags of bytecode that Python uses without looking at its source. See PEP 552.
UNCHECKED = (1).to_bytes(4, "little")
HEADER = 16


@contextmanager
def dynamo() -> Iterator[Bundle]:
    """Build the bundle for DynamoDB and this host's Python."""
    yield build(BundleSpec(host_target(), "dynamo"))


@contextmanager
def redis() -> Iterator[Bundle]:
    """Build the bundle for Redis and this host's Python."""
    yield build(BundleSpec(host_target(), "redis"))


@pytest.fixture(scope="session")
def dynamo_bundle(shared: Any) -> Bundle:
    """The bundle for DynamoDB."""
    bundle: Bundle = shared("support.bundles:dynamo")
    return bundle


@pytest.fixture(scope="session")
def redis_bundle(shared: Any) -> Bundle:
    """The bundle for Redis, without certificates."""
    bundle: Bundle = shared("support.bundles:redis")
    return bundle


@pytest.fixture(scope="session")
def redis_zip(redis_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle for Redis as a ready zip."""
    path = tmp_path_factory.mktemp("redis") / "function.zip"
    path.write_bytes(redis_bundle.data)
    return path


def copy_bytecode(files: Files, target: Any, python: str, directory: Path) -> Files:
    """Return the bytecode that this Python has of the files, and compile nothing: :func:`.compile_files`."""
    found: Files = {}
    for name, path in files.items():
        cached = Path(importlib.util.cache_from_source(str(path)))
        if name.endswith(".py") and cached.exists():
            code = cached.read_bytes()
            copy = directory / importlib.util.cache_from_source(name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            # The unpacked source has another date.
            copy.write_bytes(code[:4] + UNCHECKED + bytes(HEADER - 8) + code[HEADER:])
            found[copy.relative_to(directory).as_posix()] = copy
    return found


def without_network(patch: pytest.MonkeyPatch, directory: Path) -> None:
    """Let no index answer, and leave nothing in uv's cache."""
    for name in ("UV_DEFAULT_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        patch.setenv(name, "http://127.0.0.1:9/")
    patch.setenv("UV_HTTP_RETRIES", "0")
    patch.setenv("UV_CACHE_DIR", str(directory / "uv"))
