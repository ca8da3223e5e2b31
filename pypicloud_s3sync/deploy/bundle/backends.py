"""Define which distributions each of pypicloud's caches needs, and which modules are imported as a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from urllib.parse import parse_qs, urlsplit

from packaging.requirements import Requirement

from ...config.classes import short_name
from ...exceptions import BundleError
from .models import BundleSpec


@dataclass(frozen=True)
class Backend:
    """A kind of database, and the distributions and modules that connect to it.

    Parameters
    ----------
    requirements : tuple of str
        Distributions to add to pypicloud.
    modules : tuple of str
        Modules that are imported only when the cache is used.
    install : str
        What to ``pip install`` if the distributions are missing.
    """

    requirements: tuple[str, ...]
    modules: tuple[str, ...]
    install: str


@dataclass(frozen=True)
class Driver:
    """A database driver for SQLAlchemy.

    Parameters
    ----------
    requirements : tuple of str
        The distributions that contain it, best first.
    module : str
    without_tls : tuple of str
        Distributions that it uses, if they are installed, only if the connection has no TLS.
    """

    requirements: tuple[str, ...]
    module: str
    without_tls: tuple[str, ...] = ()


BACKENDS = {
    "dynamo": Backend(("flywheel",), ("flywheel", "pypicloud_s3sync.caches.dynamo"), "pypicloud[dynamo]"),
    "redis": Backend(("redis",), ("redis",), "pypicloud[redis]"),
    "sql": Backend(
        ("SQLAlchemy>=1.4", "transaction", "zope.sqlalchemy"), ("zope.sqlalchemy",), "SQLAlchemy>=1.4"
    ),
}

#: Drivers by their name in ``dialect+driver://``.
DRIVERS = {
    "pg8000": Driver(("pg8000",), "pg8000"),
    # Without psycopg-binary, psycopg loads the host's libpq, which Lambda lacks.
    "psycopg": Driver(("psycopg[binary]",), "psycopg"),
    "psycopg2": Driver(("psycopg2-binary", "psycopg2"), "psycopg2"),
    # MySQL's default authentication, caching_sha2_password, encrypts passwords that TLS does not protect.
    "pymysql": Driver(("pymysql",), "pymysql", ("cryptography",)),
}

#: Options of ``db.url`` with which PyMySQL connects with TLS or not at all.
_TLS = ("ssl_ca", "ssl_check_hostname", "ssl_cipher", "ssl_verify_cert", "ssl_verify_identity")

#: The dialect whose driver Python has, and the schemes of a custom cache in Redis.
_WITHOUT_DRIVER = ("redis", "rediss", "sqlite")


@dataclass(frozen=True)
class CacheNeeds:
    """What the cache of a spec adds to pypicloud itself; see :class:`Backend` for the fields.

    ``drivers`` are those of the requirements that may be binaries.
    """

    requirements: tuple[Requirement, ...]
    drivers: tuple[Requirement, ...]
    modules: tuple[str, ...]
    install: str


def cache_needs(spec: BundleSpec) -> CacheNeeds:
    """Return what the cache of a spec needs.

    A custom cache class may extend any of pypicloud's, so it gets every backend that is installed, and the
    distribution that contains the class.

    Raises
    ------
    BundleError
        If no installed distribution contains the driver of ``db_url`` or the module of the class.
    """
    cache = short_name(spec.cache)
    known = cache if cache in BACKENDS else None
    names = [known] if known else [name for name, backend in BACKENDS.items() if _is_installed(backend)]
    backends = [BACKENDS[name] for name in names]
    requirements = [requirement for backend in backends for requirement in backend.requirements]
    modules = [module for backend in backends for module in backend.modules]
    if not known:
        requirements += _distributions_of(cache)
    driver = _driver(spec.db_url) if "sql" in names else None
    drivers: list[str] = []
    if driver:
        drivers.append(_installed_driver(driver))
        drivers += [] if _has_tls(spec.db_url) else filter(_installed, driver.without_tls)
        modules.append(driver.module)
    install = " ".join(f"'{backend.install}'" for backend in backends)
    needed = tuple(map(Requirement, (*requirements, *drivers)))
    return CacheNeeds(needed, needed[len(requirements) :], tuple(modules), install)


def has_known_cache(spec: BundleSpec) -> bool:
    """Return whether the cache is one of pypicloud's; a custom cache class may import anything."""
    return short_name(spec.cache) in BACKENDS


def dialect_modules(spec: BundleSpec) -> Iterator[str]:
    """Yield the module of SQLAlchemy's dialect, which SQLAlchemy finds by its name in ``db_url``.

    A dialect that is not installed here yields none: the server could not use it either.
    """
    if short_name(spec.cache) != "sql":
        return
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import NoSuchModuleError

    with suppress(NoSuchModuleError):
        yield str(URL.create(_scheme(spec.db_url)).get_dialect().__module__)


def _is_installed(backend: Backend) -> bool:
    return all(_installed(Requirement(requirement).name) for requirement in backend.requirements)


def _installed(distribution: str) -> bool:
    return next(iter(metadata.distributions(name=distribution)), None) is not None


def _driver(url: str | None) -> Driver | None:
    dialect, _, driver = _scheme(url).partition("+")
    if dialect in _WITHOUT_DRIVER:
        return None
    name = driver or _default_driver(dialect)
    return DRIVERS.get(name, Driver((name,), name))


def _scheme(url: str | None) -> str:
    return (url or "sqlite://").partition("://")[0]


def _has_tls(url: str | None) -> bool:
    options = parse_qs(urlsplit(url or "").query)
    return "ssl_disabled" not in options and any(name in options for name in _TLS)


def _default_driver(dialect: str) -> str:
    """Return the driver that SQLAlchemy chooses; for PostgreSQL that is psycopg2 until 2.0, then psycopg."""
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import NoSuchModuleError

    try:
        return str(URL.create(dialect).get_driver_name())
    except NoSuchModuleError:
        return dialect


def _installed_driver(driver: Driver) -> str:
    for requirement in driver.requirements:
        if _installed(Requirement(requirement).name):
            return requirement
    wanted = " or ".join(f"'{name}'" if "[" in name else name for name in driver.requirements)
    raise BundleError(
        f"db.url needs the driver {driver.module}, which is not installed here: pip install {wanted}"
    )


def _distributions_of(dotted: str) -> list[str]:
    module = dotted.replace(":", ".").partition(".")[0]
    # A distribution with damaged metadata has no name.
    owners = [name for name in metadata.packages_distributions().get(module, []) if name]
    if not owners:
        raise BundleError(
            f"pypi.db = {dotted}: no installed distribution contains the module {module}:"
            " pip install it without -e"
        )
    # There are several if the module is a namespace that distributions share.
    return sorted(set(owners))
