"""The one place where settings are read: a paste ini and its environment become ``SyncSettings``.

pypicloud's own settings say what is to be synced, bucket and cache; the ``s3sync.*`` options of
:mod:`.options` say how the function is made. Both can be overridden by ``PPC_*`` environment variables, as in
the running application.
"""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pypicloud.util import EnvironSettings
from pyramid.paster import get_appsettings
from pyramid.path import DottedNameResolver

from ..exceptions import ConfigError
from .options import OPTIONS, PREFIX, REGION, URL, Delivery, Option
from .runtimes import default_runtime

#: Settings that hold AWS credentials: used to provision, never sent to the function.
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


@dataclass(frozen=True)
class Credentials:
    """AWS credentials that stand in the ini."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SyncSettings:
    """What is synced and how the function is made; see :mod:`.options` for the second half.

    ``cache_settings`` holds ``pypi.db`` and every ``db.*`` option but credentials; a ``db.url`` in it may
    carry a password, so it is never printed. ``region`` is None where only the bucket can tell.
    """

    bucket: str
    prefix: str
    cache: str
    cache_settings: Mapping[str, str] = field(repr=False)
    credentials: Credentials | None
    db_credentials: Credentials | None
    region: str | None
    function_name: str
    role_arn: str | None
    runtime: str
    architecture: str
    memory_size: int
    timeout: int
    log_retention_days: int
    vpc_subnet_ids: tuple[str, ...]
    vpc_security_group_ids: tuple[str, ...]
    delivery: Delivery
    extra_packages: tuple[str, ...]
    permissions_boundary: str | None
    tags: Mapping[str, str]
    bundle: str | None
    endpoint_url: str | None

    @property
    def db_url(self) -> str | None:
        """The URL of a Redis or SQL cache, with its password."""
        return self.cache_settings.get("db.url")

    @property
    def db_region(self) -> str | None:
        """The region of the DynamoDB tables."""
        return self.cache_settings.get("db.region_name")


def load_ini(config_uri: str, variables: Mapping[str, str] | None = None) -> EnvironSettings:
    """The application's settings, as ``pserve`` reads them.

    Parameters
    ----------
    config_uri : str
        ``file.ini`` or ``file.ini#section``.
    variables : dict, optional
        For ``%(NAME)s`` in the ini.

    Raises
    ------
    ConfigError
        No such file or section, not an ini, or a ``%(NAME)s`` without a value.
    """
    path, _, section = config_uri.partition("#")
    if not os.path.isfile(path):
        raise ConfigError(f"no config file {path!r}: give the ini that pserve takes")
    try:
        settings = get_appsettings(config_uri, options=dict(variables or {}))
    except configparser.InterpolationError as error:
        missing = getattr(error, "reference", None)
        hint = f"give it as {missing}=VALUE" if missing else "write a literal % as %%"
        raise ConfigError(f"{path}: [{error.section}] {error.option} cannot be expanded: {hint}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not an ini file: {_first_line(error)}") from error
    except LookupError as error:
        wanted = section or "main"
        raise ConfigError(f"{path} has no section [app:{wanted}]: {_first_line(error)}") from error
    except (ImportError, ValueError, OSError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read: {_first_line(error)}") from error
    return EnvironSettings(dict(settings))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def read(settings: EnvironSettings, overrides: Mapping[str, str | None] | None = None) -> SyncSettings:
    """Check the application's settings and turn them into values.

    Parameters
    ----------
    settings : pypicloud.util.EnvironSettings
        Left as it is. A plain dict would miss ``PPC_*``, and pypicloud's classes do not take one.
    overrides : dict, optional
        Options from the command line by their name without prefix; None where not given.

    Raises
    ------
    ConfigError
        For the first thing that cannot work, with what to change.
    """
    settings = settings.clone()
    for prefix in (PREFIX, "db.", "storage."):
        settings.read_prefix_from_environ(prefix)
    for name, value in (overrides or {}).items():
        if value is not None:
            settings[PREFIX + name] = value
    _check_known(settings)
    options = {option.name: _convert(option, settings) for option in OPTIONS}
    options["runtime"] = options["runtime"] or default_runtime()
    options["endpoint_url"] = options["endpoint_url"] or _checked("AWS_ENDPOINT_URL", URL, os.environ)
    options["region"] = options["region"] or _checked("storage.region_name", REGION, settings)
    _check_storage(settings, emulated=options["endpoint_url"] is not None)
    _check_vpc(options)
    return SyncSettings(
        bucket=settings["storage.bucket"],
        prefix=settings.get("storage.prefix", ""),
        cache=settings.get("pypi.db", "sql"),
        cache_settings=_cache_settings(settings, emulated=options["endpoint_url"] is not None),
        credentials=_credentials(settings, "storage."),
        db_credentials=_credentials(settings, "db."),
        **options,
    )


def _check_known(settings: EnvironSettings) -> None:
    known = [PREFIX + option.name for option in OPTIONS]
    for key in settings:
        if key.startswith(PREFIX) and key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f"unknown setting {key}: did you mean {nearest}?")


def _convert(option: Option, settings: EnvironSettings) -> Any:
    value = _checked(PREFIX + option.name, option.convert, settings)
    return option.default if value is None else value


def _checked(name: str, convert: Callable[[str], Any], settings: Any) -> Any | None:
    """A setting's value; None where it is not set."""
    text = settings.get(name)
    if text is None or not str(text).strip():
        return None
    try:
        return convert(str(text).strip())
    except ValueError as error:
        raise ConfigError(f"{name} = {text} is not possible: it takes {error}") from None


def _check_storage(settings: EnvironSettings, *, emulated: bool) -> None:
    storage = settings.get("pypi.storage", "file")
    if storage not in ("s3", "cloudfront") and not _derives_from_s3(storage):
        raise ConfigError(
            f"pypi.storage = {storage} is not in S3, so there is nothing to sync: set pypi.storage = s3"
        )
    if not settings.get("storage.bucket"):
        raise ConfigError("storage.bucket is not set: name the bucket that holds the packages")
    if settings.get("storage.endpoint_url") and not emulated:
        raise ConfigError(
            "storage.endpoint_url is set, so the packages are not in AWS's S3, which alone can notify Lambda"
            " (for an AWS emulator, set s3sync.endpoint_url)"
        )


def _derives_from_s3(storage: str) -> bool:
    """Whether a dotted path names a class of pypicloud's S3 storage (pypicloud.storage.get_storage_impl)."""
    if "." not in storage:
        return False
    from pypicloud import storage as implementations

    try:
        resolved = DottedNameResolver(implementations).resolve(storage)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"pypi.storage = {storage} cannot be imported: {_first_line(error)}") from error
    return isinstance(resolved, type) and issubclass(resolved, implementations.S3Storage)


def _check_vpc(options: Mapping[str, Any]) -> None:
    if bool(options["vpc_subnet_ids"]) != bool(options["vpc_security_group_ids"]):
        raise ConfigError(
            "s3sync.vpc_subnet_ids and s3sync.vpc_security_group_ids go together: set both or none"
        )


def _cache_settings(settings: EnvironSettings, *, emulated: bool) -> dict[str, str]:
    cache = settings.get("pypi.db", "sql")
    secrets = {f"db.{name}" for name in CREDENTIALS}
    db = {key: str(value) for key, value in settings.items() if key.startswith("db.") and key not in secrets}
    if cache == "dynamo":
        _check_dynamo(db, emulated=emulated)
    elif cache in ("redis", "sql"):
        _check_url(cache, db.get("db.url"), emulated=emulated)
    return {"pypi.db": cache, **db}


def _check_dynamo(db: Mapping[str, str], *, emulated: bool) -> None:
    if "db.region_name" not in db:
        raise ConfigError("db.region_name is not set: name the region of the DynamoDB tables")
    if len(db.get("db.tablenames", "two names").split()) not in (0, 2):
        raise ConfigError("db.tablenames takes two names: the table of packages and that of summaries")
    if "db.host" in db and not emulated:
        _check_reachable("db.host", db["db.host"])


def _check_url(cache: str, url: str | None, *, emulated: bool) -> None:
    if not url:
        raise ConfigError(f"db.url is not set: pypi.db = {cache} needs the URL of its server")
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:
        raise ConfigError("db.url is not a URL: write scheme://user:password@host/name") from None
    if scheme.startswith("sqlite"):
        raise ConfigError(
            "db.url is a sqlite file, which a Lambda function cannot reach:"
            " use pypi.db = dynamo, or a Redis or SQL server"
        )
    if not emulated:
        _check_reachable("db.url", host or "localhost")


def _check_reachable(setting: str, host: str) -> None:
    if host in ("localhost", "::1", "0.0.0.0") or host.startswith("127."):  # noqa: S104 - compared, not bound
        raise ConfigError(
            f"{setting} is on {host}, which a Lambda function cannot reach: give an address that AWS can"
            " (for an AWS emulator on this machine, set s3sync.endpoint_url)"
        )


def _credentials(settings: EnvironSettings, prefix: str) -> Credentials | None:
    access_key_id, secret, token = (settings.get(prefix + name) for name in CREDENTIALS)
    if not access_key_id and not secret:
        return None
    if not access_key_id or not secret:
        raise ConfigError(
            f"{prefix}aws_access_key_id and {prefix}aws_secret_access_key go together: set both or none"
        )
    return Credentials(access_key_id, secret, token or None)
