"""Which distributions go into a bundle, and which of them need other wheels for the target."""

from __future__ import annotations

import sys

import pytest
from packaging.markers import default_environment

from pypicloud_s3sync.config.runtimes import RUNTIMES
from pypicloud_s3sync.deploy.bundle import BundleSpec, Target, backends, host_target, platforms
from pypicloud_s3sync.deploy.bundle.closure import Part, parts_of
from pypicloud_s3sync.exceptions import BundleError
from support.site_packages import SitePackages

X86 = Target("python3.12", "x86_64")
ARM = Target("python3.12", "arm64")


def parts(*extra_packages: str, target: Target | None = None) -> dict[str, Part]:
    spec = BundleSpec(target or host_target(), "dynamo", extra_packages=extra_packages)
    return {part.name: part for part in parts_of(spec)}


def sql_parts(url: str, target: Target | None = None) -> dict[str, Part]:
    return {part.name: part for part in parts_of(BundleSpec(target or host_target(), "sql", url))}


def test_the_parts_are_sorted_and_have_the_installed_versions() -> None:
    found = parts()
    assert list(found) == sorted(found)
    assert found["pypicloud"].version == "1.3.12"


def test_the_sdk_and_what_the_handler_never_imports_stay_out() -> None:
    assert not {"boto3", "botocore", "requests", "passlib", "pyramid-beaker", "hupper"} & set(parts())


def test_what_pyramid_requires_stays_out_and_needs_not_be_installed() -> None:
    """WebOb requires legacy-cgi on Python 3.13, which a server with another Python does not have."""
    found = parts(target=Target("python3.13"))
    assert "pyramid" in found
    assert not {"setuptools", "webob", "venusian", "zope-interface", "legacy-cgi"} & set(found)


def test_an_extra_package_brings_everything_it_requires_except_the_sdk(site_packages: SitePackages) -> None:
    site_packages.install("acme_sync", requires=["requests", "boto3"])
    found = parts("acme-sync")
    assert {"acme-sync", "requests", "certifi"} <= set(found)
    assert "boto3" not in found


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
def test_a_wheel_is_fetched_if_the_tags_of_the_installed_one_do_not_fit_the_target(
    site_packages: SitePackages, tag: str, target: Target, fetched: bool
) -> None:
    site_packages.install("acme_binary", tag=tag)
    part = parts("acme-binary", target=target)["acme-binary"]
    assert part.fetch == ("acme-binary==1.0" if fetched else None)


def test_environment_markers_are_evaluated_for_the_target(site_packages: SitePackages) -> None:
    requires = ["acme-arm; platform_machine == 'aarch64'", "acme-mac; sys_platform == 'darwin'"]
    site_packages.install("acme_root", requires=requires)
    site_packages.install("acme_arm")
    on_arm, on_x86 = (set(parts("acme-root", target=target)) for target in (ARM, X86))
    assert on_arm - on_x86 == {"acme-arm"}
    assert "acme-mac" not in on_arm


@pytest.mark.parametrize(("patch", "goes_in"), [(2, True), (3, False)])
def test_what_only_this_hosts_release_of_the_targets_python_needs_goes_in(
    site_packages: SitePackages, monkeypatch: pytest.MonkeyPatch, patch: int, goes_in: bool
) -> None:
    """redis needs async-timeout before 3.11.3, and Debian 12 has 3.11.2."""
    version = "{}.{}".format(*sys.version_info[:2])
    site_packages.install("acme_root", requires=[f"acme-old; python_full_version < '{version}.3'"])
    site_packages.install("acme_old")
    here = {**default_environment(), "python_full_version": f"{version}.{patch}"}
    monkeypatch.setattr(platforms, "default_environment", lambda: here)
    assert ("acme-old" in parts("acme-root", target=Target(f"python{version}"))) == goes_in


def test_what_only_this_hosts_release_needs_stays_out_of_a_bundle_for_another_version(
    site_packages: SitePackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, *_ = (name for name in RUNTIMES if name != "python{}.{}".format(*sys.version_info[:2]))
    site_packages.install("acme_root", requires=["acme-old; python_full_version < '3.0'"])
    site_packages.install("acme_old")
    monkeypatch.setattr(
        platforms, "default_environment", lambda: {**default_environment(), "python_full_version": "2.7.18"}
    )
    assert "acme-old" not in parts("acme-root", target=Target(version))


def test_an_extra_of_a_requirement_is_followed(site_packages: SitePackages) -> None:
    site_packages.install("acme_root", requires=["acme-more[fast]"])
    site_packages.install("acme_more", requires=["acme-fast; extra == 'fast'", "acme-slow; extra == 'slow'"])
    site_packages.install("acme_fast")
    found = parts("acme-root")
    assert "acme-fast" in found
    assert "acme-slow" not in found


def test_a_driver_built_from_source_is_replaced_by_its_wheel(
    site_packages: SitePackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_packages.install("psycopg2", tag="cp311-cp311-linux_x86_64")
    # This machine may have the binary distribution too.
    monkeypatch.setattr(backends, "_installed", lambda name: name == "psycopg2")
    found = sql_parts("postgresql+psycopg2://me@db/ppc")
    assert found["psycopg2"].fetch == "psycopg2-binary==1.0"


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_sqlalchemy_needs_no_wheel_for_the_target(architecture: str) -> None:
    """Its binaries are optional and stay out, because SQLAlchemy 1.4 has no wheel for Python 3.13."""
    found = sql_parts("sqlite://", Target(host_target().runtime, architecture))
    assert found["sqlalchemy"].fetch is None


def test_a_missing_extra_package_is_named() -> None:
    with pytest.raises(BundleError, match=r"acme-absent, which .*is not installed: pip install acme-absent"):
        parts("acme-absent")


def test_an_extra_package_that_is_not_a_requirement_is_refused() -> None:
    with pytest.raises(BundleError, match=r"Invalid value 'not a name!' for s3sync\.extra_packages"):
        parts("not a name!")


def test_another_version_than_the_required_one_is_refused(site_packages: SitePackages) -> None:
    site_packages.install("acme_old")
    with pytest.raises(BundleError, match=r"needs acme-old>=2, but 1.0 is installed: pip install"):
        parts("acme-old>=2")


def test_a_distribution_without_a_list_of_its_files_is_refused(site_packages: SitePackages) -> None:
    site_packages.install("acme_listless", record=None)
    with pytest.raises(BundleError, match=r"acme-listless is installed without .* \(RECORD\)"):
        parts("acme-listless")


def test_an_editable_install_is_refused(site_packages: SitePackages) -> None:
    site_packages.install("acme_editable", direct_url='{"url": "file:///x", "dir_info": {"editable": true}}')
    with pytest.raises(BundleError, match="acme-editable is an editable install"):
        parts("acme-editable")
