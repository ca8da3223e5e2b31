"""The bundles that several modules of tests look at, each built once, and shortcuts for other builds."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.bundle import (
    Bundle,
    BundleSpec,
    Target,
    build,
    bytecode,
    host_target,
    reach,
)
from pypicloud_s3sync.deploy.bundle.collect import Files

#: The flags of bytecode that Python uses without looking at its source. See PEP 552.
UNCHECKED = (1).to_bytes(4, "little")
HEADER = 16

_mentioned = functools.cache(reach._mentioned)


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


@contextmanager
def sources_read_once() -> Iterator[None]:
    """Let the builds of this process remember what each source mentions: all of SQLAlchemy takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "_mentioned", _mentioned)
        yield


class Compiler:
    """A :func:`.compile_files` for several builds, which compiles each source once for a version of Python.

    The bytes may differ from those of one build: they depend on what is compiled together.

    Parameters
    ----------
    directory : Path
        The directory to keep the bytecode in.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._builds = 0
        #: The bytecode by the target's Python, and the source's name and path; None if it is not valid.
        self._known: dict[tuple[str, str, Path], Path | None] = {}

    def __call__(self, files: Files, target: Target, python: str, directory: Path) -> Files:
        self._builds += 1
        names = {name: bytecode._cached_name(name, target) for name in sorted(files) if name.endswith(".py")}
        new = {name: files[name] for name in names if (target.runtime, name, files[name]) not in self._known}
        compiled = bytecode.compile_files(new, target, python, self._directory / str(self._builds))
        for name, path in new.items():
            self._known[target.runtime, name, path] = compiled.get(names[name])
        found = {names[name]: self._known[target.runtime, name, files[name]] for name in names}
        return {name: path for name, path in found.items() if path is not None}


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
