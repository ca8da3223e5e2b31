"""Refuse a cache that a Lambda function cannot use, or with which the bundle could not be built."""

from __future__ import annotations

from collections.abc import Mapping

from ..exceptions import ConfigError
from . import db_url
from .partitions import parse_region
from .reachable import check_reachable


def check_cache(backend: str | None, db: Mapping[str, str], *, emulated: bool, built: bool = True) -> None:
    """Raise an error if a Lambda function cannot use the cache.

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
    if backend == "dynamo":
        _check_dynamo(db, emulated=emulated)
    elif backend is not None:
        url = db.get("db.url")
        if not url:
            raise ConfigError(f"db.url is not set: pypi.db = {backend} needs the URL of its server")
        parsed = db_url.parse(backend, url)
        if backend == "sql":
            db_url.check_dialect(parsed)
            if built:
                db_url.check_driver(parsed)
        if not emulated:
            db_url.check_hosts(parsed)


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
