"""The Lambda bundle: what is in it, that it works, and that a host which cannot build it is told so.

Builds for a platform whose wheels are not installed here need an index: without one they fail and say that.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pypicloud.cache
import pytest

from pypicloud_s3sync.config.runtimes import default_runtime
from pypicloud_s3sync.deploy.bundle import (
    DIRECT_UPLOAD_LIMIT,
    Bundle,
    BundleSpec,
    Target,
    build,
    fingerprint,
    host_target,
    load,
)
from pypicloud_s3sync.deploy.bundle.closure import parts_of
from pypicloud_s3sync.deploy.bundle.collect import distribution_files, listed
from pypicloud_s3sync.deploy.bundle.interpreters import find_python
from pypicloud_s3sync.deploy.bundle.slim import pypicloud_cache
from pypicloud_s3sync.exceptions import BundleError

PACKAGE = Path(__file__).parents[2] / "pypicloud_s3sync"
MEBIBYTE = 1024**2
ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}
X86 = Target("python3.12", "x86_64")
ARM = Target("python3.12", "arm64")


def spec_for(cache="dynamo", target=None, **fields):
    return BundleSpec(target or host_target(), cache, **fields)


@pytest.fixture(scope="module")
def dynamo():
    return build(spec_for("dynamo"))


@pytest.fixture(scope="module")
def redis():
    return build(spec_for("redis"))


@pytest.fixture(scope="module")
def sql():
    return build(spec_for("sql", db_url="sqlite:///cache.db"))


@pytest.fixture(scope="module")
def for_x86():
    return build(spec_for(target=X86))


@pytest.fixture(scope="module")
def for_arm():
    notes = []
    bundle = build(spec_for(target=ARM), lambda *note: notes.append(note))
    return bundle, notes


def opened(bundle):
    return zipfile.ZipFile(io.BytesIO(bundle.data))


def names(bundle):
    return opened(bundle).namelist()


def tops(bundle):
    return {name.partition("/")[0] for name in names(bundle)}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one's own beside the host's."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name, files=None, *, tag="py3-none-any", record="", requires=(), **extra):
        info = site / f"{name}-1.0.dist-info"
        metadata = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
        metadata += [f"Requires-Dist: {line}" for line in requires]
        written = {f"{info.name}/METADATA": "\n".join(metadata), f"{info.name}/WHEEL": f"Tag: {tag}\n"}
        written |= {f"{info.name}/{file.replace('__', '.')}": text for file, text in extra.items()}
        written |= files or {}
        for path, text in written.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
        if record is not None:
            (info / "RECORD").write_text("".join(f"{path},,\n" for path in written) + record)
        return site

    return install


# What is in it


@pytest.mark.parametrize("cache", ["dynamo", "redis"])
def test_a_bundle_is_smaller_than_16_megabytes(cache, request):
    bundle = request.getfixturevalue(cache)
    assert bundle.size < 16 * MEBIBYTE < DIRECT_UPLOAD_LIMIT
    assert bundle.unzipped_size == sum(info.file_size for info in opened(bundle).infolist())


def test_the_checksum_is_told_as_lambda_tells_it():
    bundle = Bundle(b"", 0)
    assert bundle.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert bundle.code_sha256 == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("cache", ["dynamo", "redis", "sql"])
def test_the_handler_is_there_under_both_names(cache, request):
    inside = names(request.getfixturevalue(cache))
    assert "lambda_script.py" in inside
    assert "pypicloud_s3sync/handler.py" in inside


def test_what_runs_on_the_server_stays_out(dynamo):
    own = [name for name in names(dynamo) if name.startswith("pypicloud_s3sync/")]
    assert own
    for word in ("deploy", "cli", "demo", "embedded", "views", "templates", "static"):
        assert not [name for name in own if Path(name).parts[1].partition(".")[0] == word]


@pytest.mark.parametrize("cache", ["dynamo", "redis", "sql"])
def test_nothing_of_the_runtimes_or_the_webs_is_in_it(cache, request):
    bundle = request.getfixturevalue(cache)
    unwanted = {
        "boto3",
        "botocore",
        "s3transfer",
        "jmespath",
        "requests",
        "passlib",
        "paste",
        "jinja2",
        "beaker",
    }
    assert not unwanted & tops(bundle)
    for name in names(bundle):
        assert not name.endswith((".exe", ".pyi", ".pth", "RECORD"))
        assert not {"static", "templates", "tests", "docs"} & set(Path(name).parts)


def test_each_cache_brings_its_own_libraries_only(dynamo, redis, sql):
    libraries = {"flywheel", "redis", "sqlalchemy", "greenlet"}
    assert libraries & tops(dynamo) == {"flywheel"}
    assert libraries & tops(redis) == {"redis"}
    assert libraries & tops(sql) == {"sqlalchemy"}


def test_versions_are_those_installed_beside_the_server(dynamo):
    metadata = opened(dynamo).read("pypicloud-1.3.12.dist-info/METADATA").decode()
    assert "\nVersion: 1.3.12\n" in metadata
    assert '__version__ = "1.3.12"' in opened(dynamo).read("pypicloud/__init__.py").decode()


def test_an_extra_package_comes_with_all_that_it_requires(install):
    install("acme_sync", {"acme_sync.py": "import requests\n"}, requires=["requests", "boto3"])
    with_extra = build(spec_for(extra_packages=("acme-sync",)))
    assert {"acme_sync.py", "requests", "certifi"} <= tops(with_extra)
    assert "boto3" not in tops(with_extra)


# The same bytes


def test_two_builds_give_the_same_bytes(dynamo, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert build(spec_for("dynamo")).sha256 == dynamo.sha256


def test_entries_are_sorted_dated_1980_and_have_fixed_modes(dynamo):
    entries = opened(dynamo).infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    for entry in entries:
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert entry.create_system == 3
        mode = 0o755 if entry.filename.endswith(".so") else 0o644
        assert entry.external_attr >> 16 == stat.S_IFREG | mode


def test_the_standard_library_finds_no_fault_in_the_zip(dynamo):
    assert opened(dynamo).testzip() is None


def test_bytecode_is_taken_without_a_look_at_the_source_and_tells_no_path_of_the_host(dynamo):
    archive = opened(dynamo)
    tag = sys.implementation.cache_tag
    compiled = [name for name in archive.namelist() if name.endswith(f".{tag}.pyc")]
    sources = [name for name in archive.namelist() if name.endswith(".py")]
    assert len(compiled) == len(sources)
    host = {str(PACKAGE.parent), sys.prefix, sys.base_prefix, "/ppc-s3sync-", str(Path.home())}
    for name in compiled:
        code = archive.read(name)
        assert struct.unpack("<L", code[4:8]) == (1,), f"{name} is not an unchecked hash-based file"
        assert not [path for path in host if path.encode() in code]
    assert b"/var/task/lambda_script.py" in archive.read(f"__pycache__/lambda_script.{tag}.pyc")


# The slim modules


def test_a_cold_start_imports_neither_the_web_stack_nor_another_cache(dynamo, tmp_path):
    opened(dynamo).extractall(tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path += sys.argv[1:]\n"
        "import pypicloud.cache\n"
        "pypicloud.cache.get_cache_impl({'pypi.db': 'dynamo'})\n"
        "print(*sys.modules)"
    )
    site = str(Path(pytest.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-B", "-c", script, site]
    modules = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert "pypicloud.cache.dynamo" in modules
    assert not {"sqlalchemy", "redis", "pyramid_beaker", "jinja2", "pypicloud.locator"} & modules


@pytest.mark.parametrize(
    "name",
    [
        "sql",
        "redis",
        "dynamo",
        "pypicloud.cache.SQLCache",
        "pypicloud.cache.dynamo:DynamoCache",
        ".sql.SQLCache",
    ],
)
def test_the_slim_cache_module_finds_the_class_that_pypicloud_finds(name):
    settings = {"pypi.db": name}
    assert pypicloud_cache.get_cache_impl(settings) is pypicloud.cache.get_cache_impl(settings)


def test_the_slim_cache_module_has_pypiclouds_names_and_default():
    assert pypicloud_cache.get_cache_impl({}) is pypicloud.cache.SQLCache
    assert pypicloud_cache.SQLCache is pypicloud.cache.SQLCache
    assert pypicloud_cache.RedisCache is pypicloud.cache.RedisCache
    assert pypicloud_cache.ICache is pypicloud.cache.ICache
    with pytest.raises(AttributeError, match="MongoCache"):
        _ = pypicloud_cache.MongoCache


# Other targets


def test_the_default_runtime_is_this_pythons_where_lambda_has_it():
    here = "python{}.{}".format(*sys.version_info)
    assert default_runtime() == (here if sys.version_info < (3, 15) else "python3.12")
    assert host_target("arm64") == Target(default_runtime(), "arm64")


@pytest.mark.parametrize(("runtime", "architecture"), [("python3.8", "x86_64"), ("python3.12", "riscv")])
def test_an_unknown_target_is_refused_with_those_there_are(runtime, architecture):
    with pytest.raises(BundleError, match=r"take one of (python3.11|x86_64), "):
        Target(runtime, architecture)


@pytest.mark.parametrize("target", [X86, ARM], ids=str)
def test_every_binary_is_for_the_targets_processor_and_python(target, for_x86, for_arm):
    bundle = for_x86 if target == X86 else for_arm[0]
    binaries = [name for name in names(bundle) if name.endswith(".so")]
    assert {Path(name).name.partition(".")[0] for name in binaries} >= {"_rust", "_cffi_backend"}
    for name in binaries:
        header = opened(bundle).read(name)[:20]
        assert header[:4] == b"\x7fELF"
        assert struct.unpack("<H", header[18:20]) == (ELF_MACHINES[target.architecture],)
        assert ".abi3." in name or ".cpython-312-" in name


def test_what_the_host_cannot_run_is_not_tried_and_said(for_arm):
    _, notes = for_arm
    done = [(done, total) for message, done, total in notes if "is taken instead" not in message]
    assert done == [(step, 6) for step in range(1, 7)]
    assert notes[-1][0] == "not tried: this host cannot run arm64 binaries for Linux"


def test_another_version_of_python_compiles_and_tries_its_bundle(for_x86):
    """for_x86 raises where its import fails; this says whether there was anything to import it."""
    assert find_python((3, 12)), "this host has no python3.12: install one, or put it on PATH"
    assert any(name.endswith(".cpython-312.pyc") for name in names(for_x86))


def test_without_the_targets_python_sources_go_in_and_it_is_said(monkeypatch):
    monkeypatch.setattr("pypicloud_s3sync.deploy.bundle.pipeline.find_python", lambda version: None)
    notes = []
    bundle = build(spec_for("redis"), lambda message, *_: notes.append(message))
    assert not [name for name in names(bundle) if name.endswith(".pyc")]
    assert [note for note in notes if note.startswith("not compiled: no python3.")]
    assert [note for note in notes if note.startswith("not tried: no python3.")]


@pytest.mark.parametrize(
    ("tag", "target", "fetched"),
    [
        ("py2.py3-none-any", ARM, False),
        ("cp312-cp312-manylinux_2_34_x86_64", X86, False),
        ("cp39-abi3-manylinux2014_x86_64", X86, False),
        ("cp312-cp312-manylinux_2_34_x86_64", ARM, True),
        ("cp311-cp311-manylinux_2_17_x86_64", X86, True),
        ("cp311-abi3-manylinux_2_34_x86_64", Target("python3.11", "x86_64"), True),
        ("cp311-abi3-manylinux_2_26_x86_64", Target("python3.11", "x86_64"), False),
        ("cp312-cp312-linux_x86_64", X86, True),
    ],
)
def test_installed_files_are_taken_where_their_wheels_tags_fit_the_target(tag, target, fetched, install):
    install("acme_binary", tag=tag)
    parts = parts_of(spec_for(target=target, extra_packages=("acme-binary",)))
    part = next(part for part in parts if part.name == "acme-binary")
    assert part.fetch == ("acme-binary==1.0" if fetched else None)


def test_requirements_are_those_of_the_target_and_not_of_the_host(install):
    requires = ["acme-arm; platform_machine == 'aarch64'", "acme-mac; sys_platform == 'darwin'"]
    install("acme_root", requires=requires)
    install("acme_arm")
    inside = {
        target: {part.name for part in parts_of(spec_for(target=target, extra_packages=("acme-root",)))}
        for target in (X86, ARM)
    }
    assert inside[ARM] - inside[X86] == {"acme-arm"}
    assert "acme-mac" not in inside[ARM]


# The fingerprint


def test_the_fingerprint_follows_what_decides_the_bytes(install):
    install("acme_sync", {"acme_sync.py": ""})
    spec = spec_for("dynamo", X86)
    others = [
        spec_for("dynamo", ARM),
        spec_for("dynamo", Target("python3.11")),
        spec_for("redis", X86),
        spec_for("dynamo", X86, extra_packages=("acme-sync",)),
    ]
    assert len({fingerprint(one) for one in [spec, *others]}) == 5
    assert fingerprint(spec) == fingerprint(spec_for("dynamo", X86))


def test_the_fingerprint_does_not_see_the_password(install):
    install("pymysql", {"pymysql.py": ""})
    first, second = (
        spec_for("sql", db_url=f"mysql+pymysql://me:{word}@db/ppc") for word in ("secret", "hidden")
    )
    assert fingerprint(first) == fingerprint(second)
    assert "secret" not in repr(first)
    assert fingerprint(first) != fingerprint(spec_for("sql"))


def test_the_fingerprint_follows_this_packages_own_sources(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "from pypicloud_s3sync.deploy.bundle import *;"
        "print(fingerprint(BundleSpec(Target('python3.12'), 'dynamo')))"
    )

    def of_the_copy():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-B", "-c", script]
        return subprocess.check_output(command, env=environment, cwd=tmp_path, text=True)

    before = of_the_copy()
    (tmp_path / PACKAGE.name / "views.py").write_text("# not the handler's\n")
    assert of_the_copy() == before
    with (tmp_path / PACKAGE.name / "sync.py").open("a") as source:
        source.write("# one line more\n")
    assert of_the_copy() != before


# What cannot be built


def test_a_missing_wheel_is_named(install, tmp_path, monkeypatch):
    install("acme_binary", tag="cp311-cp311-linux_x86_64")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    spec = spec_for(target=ARM, extra_packages=("acme-binary",))
    with pytest.raises(
        BundleError, match=r"no wheel of .*acme-binary==1.0.* for python3.12 on arm64: choose"
    ):
        build(spec)


def test_an_index_that_does_not_answer_is_told_from_a_missing_wheel(monkeypatch, tmp_path):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    with pytest.raises(BundleError, match="check the network and the index"):
        build(spec_for(target=ARM))


def test_a_bundle_that_cannot_be_imported_names_the_missing_module(install):
    install("acme_cache", {"acme_cache.py": "import acme_missing\n\nclass Cache: ...\n"})
    with pytest.raises(BundleError, match=r"the cache acme_cache.Cache needs the module acme_missing"):
        build(spec_for("acme_cache.Cache"))


def test_a_cache_of_ones_own_brings_its_distribution_and_every_backend(install):
    source = "from pypicloud.cache import ICache\n\nclass Cache(ICache):\n    pass\n"
    install("acme_cache", {"acme_cache.py": source})
    bundle = build(spec_for("acme_cache:Cache"))
    assert {"acme_cache.py", "flywheel", "redis", "sqlalchemy"} <= tops(bundle)


def test_a_cache_of_ones_own_that_is_no_distribution_is_told_so():
    with pytest.raises(BundleError, match="no distribution here has the module acme_loose"):
        fingerprint(spec_for("acme_loose.Cache"))


def test_more_than_250_mib_unzipped_is_refused_before_anything_is_compiled(install):
    site = install("acme_huge", {"acme_huge.bin": ""})
    os.truncate(site / "acme_huge.bin", 251 * MEBIBYTE)
    notes = []
    with pytest.raises(BundleError, match=r"the bundle takes 2[0-9][0-9] MiB unzipped and Lambda 250 MiB"):
        build(spec_for(extra_packages=("acme-huge",)), lambda message, *_: notes.append(message))
    assert not [note for note in notes if "compiled" in note]


def test_an_absent_driver_is_named_without_the_password():
    url = "postgresql+pg8000://me:secret@db/ppc"
    with pytest.raises(BundleError, match="driver pg8000, not installed here: pip install pg8000") as caught:
        fingerprint(spec_for("sql", db_url=url))
    assert "secret" not in str(caught.value)


def test_a_driver_built_from_source_is_replaced_by_its_wheel(install, monkeypatch):
    install("psycopg2", tag="cp311-cp311-linux_x86_64")
    # Whether the binary distribution is installed beside it is this machine's matter.
    monkeypatch.setattr("pypicloud_s3sync.deploy.bundle.backends._installed", lambda name: name == "psycopg2")
    parts = parts_of(spec_for("sql", db_url="postgresql://me@db/ppc"))
    assert "psycopg2-binary==1.0" in {part.fetch for part in parts}


def test_an_absent_extra_package_is_named():
    with pytest.raises(BundleError, match=r"acme-absent is not installed.*pip install acme-absent"):
        fingerprint(spec_for(extra_packages=("acme-absent",)))


def test_a_distribution_without_a_list_of_its_files_is_refused(install):
    install("acme_listless", record=None)
    with pytest.raises(BundleError, match=r"acme-listless is installed without .* \(RECORD\)"):
        fingerprint(spec_for(extra_packages=("acme-listless",)))


def test_an_editable_dependency_is_refused(install):
    install("acme_editable", direct_url__json='{"url": "file:///x", "dir_info": {"editable": true}}')
    with pytest.raises(BundleError, match="acme-editable is installed editable"):
        fingerprint(spec_for(extra_packages=("acme-editable",)))


def test_a_file_that_is_listed_and_gone_is_named(install):
    install("acme_torn", record="acme_torn.py,,\n")
    with pytest.raises(BundleError, match=r"acme-torn lists acme_torn.py, which is not there"):
        build(spec_for(extra_packages=("acme-torn",)))


def test_files_outside_of_site_packages_are_not_followed(install):
    install("acme_script", {"acme.py": ""}, record="../../../bin/acme,,\n/etc/passwd,,\nbin/acme,,\n")
    parts = parts_of(spec_for(extra_packages=("acme-script",)))
    part = next(part for part in parts if part.name == "acme-script")
    assert set(listed(part.name, part.distribution)) == {"acme.py", "acme_script-1.0.dist-info/METADATA"}


# A ready zip


def test_a_ready_zip_is_loaded_as_it_is(dynamo, tmp_path):
    (tmp_path / "output.zip").write_bytes(dynamo.data)
    assert load(tmp_path / "output.zip") == dynamo


def test_what_is_no_zip_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BundleError, match=r"text.zip is no zip \("):
        load(tmp_path / "text.zip")
    with pytest.raises(BundleError, match=r"absent.zip cannot be read \(No such file"):
        load(str(tmp_path / "absent.zip"))


def test_a_zip_without_the_handler_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("lambda_script.py", "")
    with pytest.raises(BundleError, match=r"other.zip has no pypicloud_s3sync/handler.py: make it with"):
        load(tmp_path / "other.zip")


def test_a_ready_zip_that_unzips_to_more_than_250_mib_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "huge.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("lambda_script.py", "pypicloud_s3sync/handler.py"):
            archive.writestr(name, "")
        with archive.open("huge", "w") as huge:
            for _ in range(251):
                huge.write(bytes(MEBIBYTE))
    with pytest.raises(BundleError, match=r"huge.zip takes 251 MiB unzipped"):
        load(tmp_path / "huge.zip")


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_sqlalchemy_goes_in_without_its_optional_binaries_so_that_no_wheel_is_missing(architecture):
    """SQLAlchemy 1.4 has no wheel for Python 3.13; its C code is optional."""
    spec = spec_for("sql", Target(host_target().runtime, architecture), db_url="sqlite://")
    part = next(part for part in parts_of(spec) if part.name == "sqlalchemy")
    assert part.fetch is None
    files = distribution_files("sqlalchemy", part.distribution)
    assert not [name for name in files if name.endswith(".so")]
