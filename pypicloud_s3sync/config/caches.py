"""Refuse a cache that a Lambda function cannot use, or with which the bundle could not be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..exceptions import ConfigError
from . import db_url
from .certificates import certificates_of, check_other_settings, url_in_function
from .partitions import parse_region
from .reachable import check_reachable


@dataclass(frozen=True)
class Files:
    """The files that the function needs: their paths on this host by option, and the URL that names them."""

    certificates: Mapping[str, str] = field(default_factory=dict)
    db_url: str | None = field(default=None, repr=False)


def check_cache(backend: str | None, db: Mapping[str, str], *, emulated: bool, built: bool = True) -> Files:
    """Return the files that the function needs; raise an error if it cannot use the cache.

    Parameters
    ----------
    backend : str or None
        ``dynamo``, ``redis`` or ``sql``. A custom class that extends none of pypicloud's is not checked.
    db : mapping
        The ``db.*`` settings.
    emulated : bool
        Whether an AWS emulator is used, so that the cache may be on this machine.
    built : bool
        Whether the bundle is built, so that it needs a driver with a wheel.
    """
    check_other_settings(db)
    if backend == "dynamo":
        _check_dynamo(db, emulated=emulated)
    if backend in ("redis", "sql"):
        return _check_server(backend, db.get("db.url"), emulated=emulated, built=built)
    return Files()


def _check_server(backend: str, url: str | None, *, emulated: bool, built: bool) -> Files:
    if not url:
        raise ConfigError(f"db.url is not set: pypi.db = {backend} needs the URL of its server")
    parsed = db_url.parse(backend, url)
    if backend == "sql":
        db_url.check_dialect(parsed)
        if built:
            db_url.check_driver(parsed)
    if not emulated:
        db_url.check_hosts(parsed)
    certificates = certificates_of(parsed)
    return Files(certificates, url_in_function(parsed, certificates))


def _check_dynamo(db: Mapping[str, str], *, emulated: bool) -> None:
    region = db.get("db.region_name")
    if not region:
        raise ConfigError("db.region_name is not set: name the region of the DynamoDB tables")
    try:
        parse_region(region)
    except ValueError as error:
        raise ConfigError(f"Invalid value {region!r} for db.region_name: expected {error}") from None
    if len(db.get("db.tablenames", "two names").split()) not in (0, 2):
        raise ConfigError(
            f"Invalid value {db['db.tablenames']!r} for db.tablenames: expected two names,"
            " of the table of packages and of the table of summaries"
        )
    port = db.get("db.port", "8000")
    if not port.strip().isdecimal():
        raise ConfigError(f"Invalid value {port!r} for db.port: expected a number")
    if "db.host" in db and not db["db.host"].strip():
        raise ConfigError("db.host is empty: remove it to use AWS's own DynamoDB")
    if "db.host" in db and not emulated:
        check_reachable("db.host", db["db.host"])
