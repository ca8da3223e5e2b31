"""The fingerprint: equal for bundles with equal contents, and computed without building one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import pypicloud_s3sync
from pypicloud_s3sync.deploy.bundle import BundleSpec, Target, collect, fingerprint, fingerprints
from support.site_packages import SitePackages

PACKAGE = Path(pypicloud_s3sync.__file__).parent
X86 = Target("python3.12", "x86_64")


def spec(cache: str = "dynamo", target: Target = X86, **fields: Any) -> BundleSpec:
    return BundleSpec(target, cache, **fields)


def test_the_fingerprint_depends_on_the_target_the_cache_and_the_packages(
    site_packages: SitePackages,
) -> None:
    site_packages.install("acme_sync", {"acme_sync.py": ""})
    others = [
        spec(target=Target("python3.12", "arm64")),
        spec(target=Target("python3.11")),
        spec("redis"),
        spec(extra_packages=("acme-sync",)),
    ]
    assert len({fingerprint(one) for one in [spec(), *others]}) == 5
    assert fingerprint(spec()) == fingerprint(spec())


def test_the_fingerprint_depends_on_the_files_of_a_package(site_packages: SitePackages) -> None:
    site_packages.install("acme_sync", record="acme_sync.py,sha256=one,1\n")
    before = fingerprint(spec(extra_packages=("acme-sync",)))
    site_packages.install("acme_sync", record="acme_sync.py,sha256=two,1\n")
    assert fingerprint(spec(extra_packages=("acme-sync",))) != before


def test_the_fingerprint_depends_on_the_driver_but_not_on_the_password(site_packages: SitePackages) -> None:
    site_packages.install("pymysql", {"pymysql.py": ""})
    first, second = (spec("sql", db_url=f"mysql+pymysql://me:{word}@db/ppc") for word in ("secret", "hidden"))
    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(first) != fingerprint(spec("sql"))


def test_the_fingerprint_depends_on_the_contents_of_further_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pem", tmp_path / "b.pem"
    first.write_text("one")
    second.write_text("one")
    before = fingerprint(spec(files=(("certificates/a.pem", str(first)),)))
    assert before != fingerprint(spec())
    assert before == fingerprint(spec(files=(("certificates/a.pem", str(second)),)))
    first.write_text("two")
    assert before != fingerprint(spec(files=(("certificates/a.pem", str(first)),)))


def test_the_fingerprint_depends_on_the_modules_that_the_bundle_contains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(collect, "OWN", copy)
    monkeypatch.setattr(fingerprints, "_BUILDER", copy / "deploy/bundle")

    def append_to(name: str) -> None:
        with (copy / name).open("a") as source:
            source.write("# one more line\n")

    before = fingerprint(spec())
    append_to("web/views.py")
    assert fingerprint(spec()) == before
    append_to("sync/converge.py")
    changed = fingerprint(spec())
    assert changed != before
    append_to("deploy/bundle/contents.py")
    assert fingerprint(spec()) not in (before, changed)
