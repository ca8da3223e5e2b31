"""Which files of the distributions and of this package go into a bundle."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle.closure import Part
from pypicloud_s3sync.deploy.bundle.collect import (
    distribution_files,
    own_files,
    recorded_files,
    slim_files,
)
from pypicloud_s3sync.exceptions import BundleError
from support.site_packages import SitePackages


def test_files_outside_of_site_packages_are_left_out(site_packages: SitePackages) -> None:
    record = "../../../bin/acme,,\n/etc/passwd,,\nbin/acme,,\n"
    site_packages.install("acme_script", {"acme.py": ""}, record=record)
    found = recorded_files("acme-script", metadata.distribution("acme-script"))
    assert set(found) == {"acme.py", "acme_script-1.0.dist-info/METADATA"}


def test_a_listed_file_that_does_not_exist_is_named(site_packages: SitePackages) -> None:
    site_packages.install("acme_torn", record="acme_torn.py,,\n")
    with pytest.raises(BundleError, match=r"acme-torn lists the file 'acme_torn.py', which does not exist"):
        distribution_files("acme-torn", metadata.distribution("acme-torn"))


def test_the_binaries_of_sqlalchemy_stay_out() -> None:
    files = distribution_files("sqlalchemy", metadata.distribution("sqlalchemy"))
    assert "sqlalchemy/__init__.py" in files
    assert not [name for name in files if name.endswith(".so")]


def test_the_server_side_of_this_package_stays_out() -> None:
    files = own_files()
    assert "pypicloud_s3sync/handler.py" in files
    modules = {Path(name).parts[1].partition(".")[0] for name in files}
    assert modules == {"__init__", "caches", "compat", "exceptions", "handler", "reconcile", "sync"}
    assert {Path(name).suffix for name in files} == {".py"}


def test_the_slim_modules_have_the_version_of_pypicloud(tmp_path: Path) -> None:
    part = Part("pypicloud", "1.3.99", metadata.distribution("pypicloud"))
    files = slim_files([part], tmp_path)
    assert set(files) == {
        "lambda_script.py",
        "pypicloud/__init__.py",
        "pypicloud/cache/__init__.py",
        "pypicloud/storage/__init__.py",
    }
    assert '__version__ = "1.3.99"' in files["pypicloud/__init__.py"].read_text()
