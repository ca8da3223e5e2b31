"""Which files of the distributions go into the bundle of each cache."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.runtimes import ARCHITECTURES
from pypicloud_s3sync.deploy.bundle import BundleSpec, Target, host_target
from pypicloud_s3sync.deploy.bundle.closure import parts_of
from pypicloud_s3sync.deploy.bundle.collect import Files
from pypicloud_s3sync.deploy.bundle.contents import STAND_INS
from pypicloud_s3sync.deploy.bundle.trim import choose_files
from support.bundles import sources_read_once
from support.site_packages import SitePackages

pytestmark = pytest.mark.untraced

#: The modules of Pyramid that are not replaced: those that pypicloud's caches call.
PYRAMID = {"pyramid/__init__.py", "pyramid/path.py", "pyramid/request.py", "pyramid/settings.py"}
SQLITE = "sqlite:///cache.db"
POSTGRES = "postgresql+psycopg2://u:p@db/ppc"

#: Takes a cache, its ``db.url``, and further fields of the spec.
Choose = Callable[..., Files]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Choose]:
    """Return a function that returns the files for a cache; it reads each source once."""
    known: dict[BundleSpec, Files] = {}

    def choose(cache: str, db_url: str | None = None, **fields: Any) -> Files:
        spec = BundleSpec(fields.pop("target", host_target()), cache, db_url, **fields)
        if spec not in known:
            known[spec] = choose_files(spec, parts_of(spec), {}, tmp_path_factory.mktemp("slim"))
        return known[spec]

    with sources_read_once():
        yield choose


def of(files: Files, top: str) -> set[str]:
    """Return the files of a package."""
    return {name for name in files if name.startswith(f"{top}/")}


@pytest.mark.parametrize(("cache", "url"), [("dynamo", None), ("redis", None), ("sql", SQLITE)])
def test_of_pyramid_and_setuptools_only_what_pypicloud_calls_goes_in(
    chosen: Choose, cache: str, url: str | None
) -> None:
    files = chosen(cache, url)
    assert of(files, "pyramid") == PYRAMID
    assert of(files, "pkg_resources") == {"pkg_resources/__init__.py"}
    tops = {name.partition("/")[0] for name in files}
    assert not tops & {"webob", "venusian", "translationstring", "setuptools"}
    assert {name for name in tops if name.startswith(("pyramid-", "webob-"))} == {"pyramid-2.1.dist-info"}


def test_of_sqlalchemy_the_dialect_of_the_url_goes_in(chosen: Choose) -> None:
    def dialects(url: str) -> set[str]:
        return {name.split("/")[2] for name in of(chosen("sql", url), "sqlalchemy/dialects")}

    assert "sqlite" in dialects(SQLITE)
    assert not {"oracle", "mssql", "postgresql"} & dialects(SQLITE)
    assert "postgresql" in dialects(POSTGRES)


@pytest.mark.parametrize(("cache", "url"), [("dynamo", None), ("redis", None), ("sql", SQLITE)])
def test_a_bundle_has_all_of_packaging_or_nothing(chosen: Choose, cache: str, url: str | None) -> None:
    """Part of it would hide a layer's copy."""
    found = of(chosen(cache, url), "packaging")
    assert "packaging/requirements.py" in found or not found


@pytest.mark.parametrize("cache", ["dynamo", "redis"])
def test_the_files_are_the_same_for_every_processor(chosen: Choose, cache: str) -> None:
    files, others = (
        chosen(cache, target=Target(host_target().runtime, architecture)) for architecture in ARCHITECTURES
    )
    assert {name: path.read_bytes() for name, path in files.items()} == {
        name: path.read_bytes() for name, path in others.items()
    }


def test_a_driver_goes_in_entirely(chosen: Choose) -> None:
    """No source shows what its binaries import."""
    files = chosen("sql", POSTGRES)
    assert "psycopg2/tz.py" in files
    assert [name for name in files if name.startswith("psycopg2_binary.libs/")]


def test_an_extra_package_goes_in_entirely_and_what_it_imports_too(
    chosen: Choose, site_packages: SitePackages
) -> None:
    sources = {"acme/__init__.py": "import distlib.index", "acme/hidden.py": "", "acme/data.json": ""}
    site_packages.install("acme", sources)
    files = chosen("dynamo", extra_packages=("acme",))
    assert of(files, "acme") == set(sources)
    assert "distlib/index.py" in files
    assert "distlib/index.py" not in chosen("dynamo")


def test_a_package_that_an_extra_package_requires_has_no_stand_ins(
    chosen: Choose, site_packages: SitePackages
) -> None:
    site_packages.install("acme_web", {"acme_web.py": ""}, requires=["pyramid"])
    files = chosen("dynamo", extra_packages=("acme-web",))
    assert {
        "pyramid/config/__init__.py",
        "webob/request.py",
        "setuptools/_vendor/packaging/version.py",
    } <= set(files)
    templates = {template for _, template in STAND_INS.values()}
    assert not templates & set(files.values())


def test_the_bundle_of_a_custom_cache_has_every_file_and_no_stand_ins(
    chosen: Choose, site_packages: SitePackages
) -> None:
    site_packages.install("acme_cache", {"acme_cache/__init__.py": "", "acme_cache/hidden.py": ""})
    files = chosen("acme_cache.Cache")
    assert {"acme_cache/hidden.py", "pyramid/config/__init__.py", "distlib/index.py"} <= set(files)
    templates = {template for _, template in STAND_INS.values()}
    assert not templates & set(files.values())


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each module and the name that a source imports from it, or uses as its attribute."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr


@pytest.mark.parametrize(("cache", "url"), [("dynamo", None), ("redis", None), ("sql", SQLITE)])
def test_the_stand_ins_have_every_name_that_the_bundle_takes_from_them(
    chosen: Choose, cache: str, url: str | None
) -> None:
    files = chosen(cache, url)
    for name, (_, template) in STAND_INS.items():
        module = name.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        public = template.read_text().partition("__all__ = [")[2].partition("]")[0]
        for path in files.values():
            if path.suffix == ".py" and module.partition(".")[0] in path.read_text("utf-8"):
                taken = {used for source, used in imports_of(path) if source == module}
                assert all(f'"{used}"' in public for used in taken), f"{path} takes {taken} from {module}"
