"""The modules that replace those of other distributions do what pypicloud needs as the originals do."""

from __future__ import annotations

import pkg_resources
import pytest
from pyramid.path import DottedNameResolver
from sqlalchemy.pool import NullPool

from pypicloud_s3sync.deploy.bundle.slim import pkg_resources as slim_pkg_resources
from pypicloud_s3sync.deploy.bundle.slim import pyramid_path


@pytest.mark.parametrize(
    ("first", "second"),
    [("1.10", "1.9"), ("1.0", "1.0rc1"), ("1.0.post1", "1.0"), ("1!0.1", "2.0"), ("1.0+b", "1.0+a")],
)
def test_versions_have_the_order_that_the_server_gives_them(first: str, second: str) -> None:
    for module in (pkg_resources, slim_pkg_resources):
        assert module.parse_version(first) > module.parse_version(second)


def test_an_invalid_version_is_refused_as_on_the_server() -> None:
    for module in (pkg_resources, slim_pkg_resources):
        with pytest.raises(ValueError, match="not a version"):
            module.parse_version("not a version")


@pytest.mark.parametrize(
    "name",
    [
        "sqlalchemy.pool.NullPool",
        "sqlalchemy.pool:NullPool",
        "sqlalchemy.pool",
        "pypicloud.cache.base:ICache",
    ],
)
@pytest.mark.parametrize("package", ["pypicloud.cache.sql"])
def test_a_dotted_name_is_resolved_as_pyramid_does(name: str, package: str) -> None:
    expected = DottedNameResolver(package).maybe_resolve(name)
    assert pyramid_path.DottedNameResolver(package).maybe_resolve(name) is expected


@pytest.mark.parametrize("name", [".base.ICache", ":ICache", ".sql.SQLCache"])
def test_a_relative_name_is_resolved_as_pyramid_does(name: str) -> None:
    expected = DottedNameResolver("pypicloud.cache.sql").maybe_resolve(name)
    assert pyramid_path.DottedNameResolver("pypicloud.cache.sql").maybe_resolve(name) is expected


def test_an_object_is_its_own_name() -> None:
    assert pyramid_path.DottedNameResolver("pypicloud.cache.sql").maybe_resolve(NullPool) is NullPool
