"""What each cache needs in the bundle."""

from __future__ import annotations

from importlib import metadata

import pytest

from pypicloud_s3sync.deploy.bundle import BundleSpec, Target, backends
from pypicloud_s3sync.deploy.bundle.backends import BACKENDS, CacheNeeds, cache_needs
from pypicloud_s3sync.exceptions import BundleError
from support.site_packages import SitePackages


def needs(cache: str, db_url: str | None = None) -> CacheNeeds:
    return cache_needs(BundleSpec(Target("python3.12"), cache, db_url))


def required(found: CacheNeeds) -> set[str]:
    return {requirement.name for requirement in found.requirements}


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        ("dynamo", {"flywheel"}),
        ("redis", {"redis"}),
        ("sql", {"SQLAlchemy", "transaction", "zope.sqlalchemy"}),
        ("pypicloud.cache.dynamo.DynamoCache", {"flywheel"}),
        (":RedisCache", {"redis"}),
        (".sql.SQLCache", {"SQLAlchemy", "transaction", "zope.sqlalchemy"}),
    ],
)
def test_each_cache_of_pypicloud_needs_only_its_own_libraries(cache: str, expected: set[str]) -> None:
    assert required(needs(cache, "sqlite://")) == expected


@pytest.mark.parametrize(
    ("url", "distribution", "module"),
    [
        ("postgresql+psycopg2://u:p@db/ppc", "psycopg2-binary", "psycopg2"),
        ("postgresql+psycopg://u:p@db/ppc", "psycopg", "psycopg"),
        ("postgresql+pg8000://u:p@db/ppc", "pg8000", "pg8000"),
        ("mysql+pymysql://u:p@db/ppc", "pymysql", "pymysql"),
        ("custom+driver://u:p@db/ppc", "driver", "driver"),
    ],
)
def test_the_driver_is_the_one_that_sqlalchemy_chooses_for_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str, distribution: str, module: str
) -> None:
    monkeypatch.setattr(backends, "_installed", lambda name: True)
    found = needs("sql", url)
    assert distribution in required(found)
    assert module in found.modules


def test_the_driver_of_a_url_without_one_is_that_of_the_installed_sqlalchemy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was psycopg2 until SQLAlchemy 2.0, and is psycopg from 2.1 on."""
    monkeypatch.setattr(backends, "_installed", lambda name: True)
    version = tuple(map(int, metadata.version("SQLAlchemy").split(".")[:2]))
    assert needs("sql", "postgresql://u:p@db/ppc").modules[-1] == (
        "psycopg" if version >= (2, 1) else "psycopg2"
    )


def test_psycopg_needs_the_library_that_lambda_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_installed", lambda name: True)
    (found,) = [
        requirement
        for requirement in needs("sql", "postgresql+psycopg://u:p@db/ppc").requirements
        if requirement.name == "psycopg"
    ]
    assert found.extras == {"binary"}


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ("", True),
        ("?charset=utf8mb4", True),
        ("?ssl_ca=/etc/ssl/ca.pem&ssl_disabled=true", True),
        ("?ssl_ca=/etc/ssl/ca.pem", False),
        ("?charset=utf8mb4&ssl_verify_identity=true", False),
        ("?ssl_check_hostname=false", False),
    ],
)
def test_pymysql_needs_cryptography_only_without_tls(
    monkeypatch: pytest.MonkeyPatch, options: str, needed: bool
) -> None:
    """Lambda's python3.11 cannot run its binary, and without it the bundle has none."""
    monkeypatch.setattr(backends, "_installed", lambda name: True)
    assert ("cryptography" in required(needs("sql", f"mysql+pymysql://u:p@db/ppc{options}"))) is needed


def test_sqlite_needs_no_driver() -> None:
    assert needs("sql", None).modules == BACKENDS["sql"].modules


def test_a_missing_driver_is_named_without_the_password() -> None:
    with pytest.raises(
        BundleError, match="driver pg8000, which is not installed here: pip install pg8000"
    ) as caught:
        needs("sql", "postgresql+pg8000://me:secret@db/ppc")
    assert "secret" not in str(caught.value)


def test_a_custom_cache_needs_its_own_distribution_and_every_installed_backend(
    site_packages: SitePackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_packages.install("acme_cache", {"acme_cache.py": ""})
    assert required(needs("acme_cache:Cache")) >= {"acme_cache", "flywheel", "redis", "SQLAlchemy"}
    monkeypatch.setattr(backends, "_installed", lambda name: name != "redis")
    assert "redis" not in required(needs("acme_cache:Cache"))


def test_a_custom_cache_that_no_distribution_contains_is_refused() -> None:
    with pytest.raises(BundleError, match="no installed distribution contains the module acme_loose"):
        needs("acme_loose.Cache")


def test_a_custom_cache_in_redis_needs_no_driver_of_sqlalchemy(site_packages: SitePackages) -> None:
    site_packages.install("acme_cache", {"acme_cache.py": ""})
    assert "rediss" not in required(needs("acme_cache:Cache", "rediss://cache.example"))


def test_psycopg_comes_with_its_own_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_installed", lambda name: True)
    found = needs("sql", "postgresql+psycopg://u:p@db/ppc")
    assert {"binary"} in [requirement.extras for requirement in found.requirements]
