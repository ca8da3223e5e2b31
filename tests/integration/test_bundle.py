"""Real bundles: what they contain, that they work, and that a failing build names the cause.

Builds for a platform whose wheels are not installed here need a package index; without one they fail with an
error that says so.
"""

from __future__ import annotations

import functools
import io
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.runtimes import ARCHITECTURES
from pypicloud_s3sync.deploy.bundle import (
    DIRECT_UPLOAD_LIMIT,
    Bundle,
    BundleSpec,
    Target,
    build,
    host_target,
    load,
)
from pypicloud_s3sync.deploy.bundle.closure import parts_of
from pypicloud_s3sync.deploy.bundle.interpreters import find_python
from pypicloud_s3sync.exceptions import BundleError
from pypicloud_s3sync.reconcile.known_objects import RULES
from support.bundles import Compiler, copy_bytecode, sources_read_once, without_network
from support.site_packages import SitePackages

PACKAGE = Path(__file__).parents[2] / "pypicloud_s3sync"
MEBIBYTE = 1024**2
ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}
X86 = Target("python3.12", "x86_64")
ARM = Target("python3.12", "arm64")
#: The bundle for this has binaries: those of cryptography.
MYSQL = "mysql+pymysql://u:p@db/ppc"
#: The bundle for this has none.
MYSQL_WITH_TLS = f"{MYSQL}?ssl_ca=/etc/ssl/ca.pem"
#: Targets of this host's Python and of another one.
TARGETS = [
    Target(runtime, architecture)
    for runtime in (host_target().runtime, "python3.12")
    for architecture in ARCHITECTURES
]

#: ``(message, done, total)`` of each report of a build.
Reports = list[tuple[str, int, int]]
Build = tuple[Bundle, Reports]

#: One worker builds each bundle once, also for the tests that ask for it by a parameter.
pytestmark = pytest.mark.xdist_group("test_bundle")


def spec_for(cache: str = "dynamo", target: Target | None = None, **fields: Any) -> BundleSpec:
    return BundleSpec(target or host_target(), cache, **fields)


@pytest.fixture(scope="module")
def dynamo(dynamo_bundle: Bundle) -> Bundle:
    return dynamo_bundle


@pytest.fixture(scope="module")
def redis(redis_bundle: Bundle) -> Bundle:
    return redis_bundle


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Let the builds of this module read each source once."""
    with sources_read_once():
        yield


@pytest.fixture(scope="module")
def build_quickly(tmp_path_factory: pytest.TempPathFactory) -> Callable[[BundleSpec], Build]:
    """Return a function that compiles each source once and compresses nothing.

    Both take longest, and they are the same for each of the bundles whose bytes no test looks at.
    """
    compiler = Compiler(tmp_path_factory.mktemp("compiled"))

    def build_quickly(spec: BundleSpec) -> Build:
        reports: Reports = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pypicloud_s3sync.deploy.bundle.pipeline.compile_files", compiler)
            patch.setattr("pypicloud_s3sync.deploy.bundle.archive._LEVEL", 0)
            return build(spec, lambda *report: reports.append(report)), reports

    return build_quickly


@pytest.fixture(scope="module")
def without_a_network(
    build_quickly: Callable[[BundleSpec], Build], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str | None], Build]:
    """Return a function that builds a bundle for another processor without a network, once."""

    @functools.cache
    def build_without_network(cache: str, url: str | None) -> Build:
        with pytest.MonkeyPatch.context() as patch:
            without_network(patch, tmp_path_factory.mktemp("uv"))
            return build_quickly(spec_for(cache, ARM, db_url=url))

    return build_without_network


@pytest.fixture(scope="module")
def sql(without_a_network: Callable[[str, str | None], Build]) -> Bundle:
    return without_a_network("sql", MYSQL_WITH_TLS)[0]


@pytest.fixture(scope="module")
def for_x86(build_quickly: Callable[[BundleSpec], Build]) -> Bundle:
    return build_quickly(spec_for("sql", X86, db_url=MYSQL))[0]


@pytest.fixture(scope="module")
def for_arm(build_quickly: Callable[[BundleSpec], Build]) -> Build:
    return build_quickly(spec_for("sql", ARM, db_url=MYSQL))


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    """A directory for distributions of the test."""
    return SitePackages(tmp_path / "site-packages", monkeypatch)


@pytest.fixture
def copied_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile and compress nothing. Both take longest, and the test does not look at the bytes."""
    monkeypatch.setattr("pypicloud_s3sync.deploy.bundle.pipeline.compile_files", copy_bytecode)
    monkeypatch.setattr("pypicloud_s3sync.deploy.bundle.archive._LEVEL", 0)


def opened(bundle: Bundle) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bundle.data))


def names(bundle: Bundle) -> list[str]:
    return opened(bundle).namelist()


def top_level(bundle: Bundle) -> set[str]:
    return {name.partition("/")[0] for name in names(bundle)}


# The contents


@pytest.mark.parametrize("cache", ["dynamo", "redis"])
def test_a_bundle_is_smaller_than_2_megabytes(cache: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(cache)
    assert bundle.size < 2_000_000 < DIRECT_UPLOAD_LIMIT
    assert bundle.unzipped_size == sum(info.file_size for info in opened(bundle).infolist())


@pytest.mark.parametrize("cache", ["dynamo", "redis", "sql"])
def test_a_bundle_has_the_handler_under_both_names(cache: str, request: pytest.FixtureRequest) -> None:
    contents = names(request.getfixturevalue(cache))
    assert "lambda_script.py" in contents
    assert "pypicloud_s3sync/handler.py" in contents


def test_the_server_side_of_this_package_stays_out(dynamo: Bundle) -> None:
    own = [Path(name) for name in names(dynamo) if name.startswith("pypicloud_s3sync/")]
    modules = {path.parts[1].partition(".")[0] for path in own if path.parts[1] != "__pycache__"}
    assert modules == {"__init__", "caches", "compat", "exceptions", "handler", "reconcile", "sync"}


@pytest.mark.parametrize("cache", ["dynamo", "redis", "sql"])
def test_the_sdk_and_the_web_application_stay_out(cache: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(cache)
    sdk = {"boto3", "botocore", "s3transfer", "jmespath"}
    web = {"requests", "passlib", "paste", "jinja2", "beaker"}
    assert not (sdk | web) & top_level(bundle)
    for name in names(bundle):
        assert not name.endswith((".exe", ".pyi", ".pth", "RECORD"))
        assert not {"static", "templates", "tests", "docs"} & set(Path(name).parts)


def test_each_cache_brings_only_its_own_libraries(dynamo: Bundle, redis: Bundle, sql: Bundle) -> None:
    libraries = {"flywheel", "redis", "sqlalchemy", "greenlet"}
    assert libraries & top_level(dynamo) == {"flywheel"}
    assert libraries & top_level(redis) == {"redis"}
    assert libraries & top_level(sql) == {"sqlalchemy"}


@pytest.mark.usefixtures("copied_bytecode")
def test_a_further_file_is_carried(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    bundle = build(spec_for("redis", files=(("certificates/ssl_ca_certs.pem", str(certificate)),)))
    assert opened(bundle).read("certificates/ssl_ca_certs.pem") == b"certificate"


def test_the_versions_are_those_of_the_server(dynamo: Bundle) -> None:
    metadata = opened(dynamo).read("pypicloud-1.3.12.dist-info/METADATA").decode()
    assert "\nVersion: 1.3.12\n" in metadata
    assert '__version__ = "1.3.12"' in opened(dynamo).read("pypicloud/__init__.py").decode()


def test_a_bundle_has_the_versions_that_decide_what_a_package_is(dynamo: Bundle) -> None:
    found = {name.partition("-")[0] for name in names(dynamo) if name.endswith(".dist-info/METADATA")}
    assert set(RULES) <= found, "without them, the function remembers nothing of what it has read"


@pytest.mark.usefixtures("copied_bytecode")
def test_an_extra_package_brings_everything_it_requires_except_the_sdk(site_packages: SitePackages) -> None:
    unusual = {"acme data/a\tb.py": "", "acme data/é\n.txt": "", 'acme data/"quoted".py': ""}
    files = {"acme_sync.py": "import requests\n", **unusual}
    site_packages.install("acme_sync", files, requires=["requests", "boto3"])
    bundle = build(spec_for(extra_packages=("acme-sync",)))
    assert {"acme_sync.py", "requests", "certifi"} <= top_level(bundle)
    assert set(unusual) <= set(names(bundle))
    assert "boto3" not in top_level(bundle)


@pytest.mark.untraced
@pytest.mark.usefixtures("copied_bytecode")
def test_a_custom_cache_brings_its_distribution_and_every_backend(site_packages: SitePackages) -> None:
    source = "from pypicloud.cache import ICache\n\nclass Cache(ICache):\n    pass\n"
    site_packages.install("acme_cache", {"acme_cache.py": source})
    bundle = build(spec_for("acme_cache:Cache"))
    assert {"acme_cache.py", "flywheel", "redis", "sqlalchemy"} <= top_level(bundle)


def test_a_bundle_can_be_loaded_as_a_ready_zip(dynamo: Bundle, tmp_path: Path) -> None:
    (tmp_path / "output.zip").write_bytes(dynamo.data)
    assert load(tmp_path / "output.zip") == dynamo


# The bytes


def test_two_builds_give_the_same_bytes(
    dynamo: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert build(spec_for("dynamo")).sha256 == dynamo.sha256


def test_bytecode_needs_no_check_of_its_source_and_contains_no_path_of_the_host(dynamo: Bundle) -> None:
    archive = opened(dynamo)
    tag = sys.implementation.cache_tag
    compiled = [name for name in archive.namelist() if name.endswith(f".{tag}.pyc")]
    sources = [name for name in archive.namelist() if name.endswith(".py")]
    assert len(compiled) == len(sources)
    host = {
        str(PACKAGE.parent),
        sys.prefix,
        f"{sys.base_prefix}/lib/python",
        "/ppc-s3sync-",
        str(Path.home()),
    }
    for name in compiled:
        code = archive.read(name)
        assert struct.unpack("<L", code[4:8]) == (1,), f"{name} is not an unchecked hash-based file"
        assert not [path for path in host if path.encode() in code]
    assert b"/var/task/lambda_script.py" in archive.read(f"__pycache__/lambda_script.{tag}.pyc")


# The imports


def test_a_cold_start_imports_no_web_application_no_other_cache_and_nothing_of_a_reconciliation(
    dynamo: Bundle, tmp_path: Path
) -> None:
    opened(dynamo).extractall(tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path += sys.argv[1:]\n"
        "import pypicloud.cache\n"
        "pypicloud.cache.get_cache_impl({'pypi.db': 'dynamo'})\n"
        "import lambda_script\n"
        "print(*sys.modules)"
    )
    site = str(Path(pytest.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-B", "-c", script, site]
    modules = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert {"pypicloud.cache.dynamo", "pypicloud_s3sync.handler"} <= modules
    assert not [name for name in modules if name.startswith("pypicloud_s3sync.reconcile")]
    assert not {"sqlalchemy", "redis", "pyramid_beaker", "jinja2", "pypicloud.locator"} & modules


@pytest.mark.usefixtures("copied_bytecode")
def test_a_bundle_that_cannot_be_imported_is_refused_with_the_missing_module(
    site_packages: SitePackages,
) -> None:
    source = "import acme_missing\n\nclass Cache: ...\n"
    site_packages.install("acme_cache", {"acme_cache.py": source})
    with pytest.raises(BundleError, match=r"the cache acme_cache.Cache needs the module acme_missing"):
        build(spec_for("acme_cache.Cache"))


# Without a network


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch, tmp_path)


@pytest.mark.parametrize("cache", ["dynamo", "redis"])
def test_a_bundle_without_a_driver_contains_no_binary(cache: str, request: pytest.FixtureRequest) -> None:
    assert not [name for name in names(request.getfixturevalue(cache)) if ".so" in Path(name).suffixes]


@pytest.mark.parametrize(
    ("cache", "url"),
    [
        pytest.param("dynamo", None, id="dynamo"),
        # Its libraries are as free of binaries as those of DynamoDB, which another test shows.
        pytest.param("redis", None, id="redis", marks=pytest.mark.soak),
        pytest.param("sql", MYSQL_WITH_TLS, id="mysql with TLS"),
    ],
)
def test_a_bundle_without_a_binary_needs_no_network_for_any_target(
    cache: str, url: str | None, without_a_network: Callable[[str, str | None], Build]
) -> None:
    for target in TARGETS:
        assert not [part.name for part in parts_of(spec_for(cache, target, db_url=url)) if part.fetch]
    _, reports = without_a_network(cache, url)
    assert reports[-1][0] == "imported in a clean python3.12"


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg2"])
def test_without_an_index_the_error_names_the_settings_that_need_none(driver: str) -> None:
    other = Target("python3.13" if host_target().runtime == "python3.12" else "python3.12")
    with pytest.raises(BundleError, match=f"uv cannot fetch .* for {other}: check the network") as caught:
        build(spec_for("sql", other, db_url=f"{driver}://u:p@db/ppc"))
    message = str(caught.value)
    runtime = f", or set s3sync.runtime = {host_target().runtime}, for which everything is installed"
    has_none = not [part for part in parts_of(spec_for("sql", db_url=f"{driver}://u:p@db/ppc")) if part.fetch]
    assert (runtime in message) is has_none
    assert ("or add ssl_ca with the certificate" in message) is (driver == "mysql+pymysql")
    assert "or build elsewhere and set s3sync.bundle" in message


# Other targets


@pytest.mark.parametrize("target", [X86, ARM], ids=str)
def test_every_binary_is_for_the_targets_processor_and_python(
    target: Target, for_x86: Bundle, for_arm: Build
) -> None:
    bundle = for_x86 if target == X86 else for_arm[0]
    binaries = [name for name in names(bundle) if name.endswith(".so")]
    assert {Path(name).name.partition(".")[0] for name in binaries} >= {"_rust", "_cffi_backend"}
    for name in binaries:
        header = opened(bundle).read(name)[:20]
        assert header[:4] == b"\x7fELF"
        assert struct.unpack("<H", header[18:20]) == (ELF_MACHINES[target.architecture],)
        assert ".abi3." in name or ".cpython-312-" in name


def test_a_bundle_that_the_host_cannot_run_is_reported_as_not_verified(for_arm: Build) -> None:
    _, reports = for_arm
    steps = [(done, total) for message, done, total in reports if not message.endswith(" instead")]
    assert steps == [(step, 6) for step in range(1, 7)]
    assert reports[-1][0] == "not verified: this host cannot run arm64 binaries for Linux"


@pytest.mark.slow
def test_a_bundle_for_another_version_of_python_is_compiled_and_verified_with_that(for_x86: Bundle) -> None:
    """The fixture fails if the import fails; this shows that there was an interpreter to import it."""
    assert find_python((3, 12)), "this host has no python3.12: install one, or put it on PATH"
    assert any(name.endswith(".cpython-312.pyc") for name in names(for_x86))


def test_without_the_targets_python_the_bundle_has_only_sources_and_the_build_reports_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pypicloud_s3sync.deploy.bundle.pipeline.find_python", lambda version: None)
    messages: list[str] = []
    bundle = build(spec_for("redis"), lambda message, *_: messages.append(message))
    assert not [name for name in names(bundle) if name.endswith(".pyc")]
    assert [message for message in messages if message.startswith("not compiled: this host has no python3.")]
    assert [message for message in messages if message.startswith("not verified: this host has no python3.")]


def test_an_old_release_of_the_targets_python_compiles_the_bundle_and_does_not_import_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pypicloud_s3sync.deploy.bundle.pipeline.may_import", lambda *_: False)
    messages: list[str] = []
    bundle = build(BundleSpec(Target("python3.11"), "dynamo"), lambda message, *_: messages.append(message))
    assert (find_python((3, 11)) is None) != any(name.endswith(".pyc") for name in names(bundle))
    assert messages[-1] == "not verified: this host has no python3.11 (3.11.3 or newer)"


# Failing builds


def test_a_missing_wheel_is_named(
    site_packages: SitePackages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_packages.install("acme_binary", tag="cp311-cp311-linux_x86_64")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    spec = spec_for(target=ARM, extra_packages=("acme-binary",))
    message = r"no wheel of .*acme-binary==1.0.* for python3.12 on arm64: choose"
    with pytest.raises(BundleError, match=message):
        build(spec)


@pytest.mark.usefixtures("no_network")
def test_an_index_that_does_not_answer_is_not_reported_as_a_missing_wheel() -> None:
    with pytest.raises(BundleError, match="check the network and the index"):
        build(spec_for("sql", ARM, db_url=MYSQL))


def test_more_than_250_mib_unzipped_is_refused_before_anything_is_compiled(
    site_packages: SitePackages,
) -> None:
    site_packages.install("acme_huge", {"acme_huge.bin": ""})
    os.truncate(site_packages.path / "acme_huge.bin", 251 * MEBIBYTE)
    messages: list[str] = []
    with pytest.raises(
        BundleError, match=r"the bundle has 2[0-9][0-9] MiB unzipped, but Lambda accepts at most"
    ):
        build(spec_for(extra_packages=("acme-huge",)), lambda message, *_: messages.append(message))
    assert messages
    assert not [message for message in messages if "compiled" in message]
