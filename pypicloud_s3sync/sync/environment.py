"""Write and read ``PYPICLOUD_SETTINGS``, the function's configuration, and find its secrets.

It is an environment variable that holds a JSON object of pypicloud's own settings: ``pypi.db``, the ``db.*``
options, ``storage.bucket``, ``storage.prefix`` and ``storage.region_name``. ``PPC_*`` variables override it,
as they do in the server. Settings that hold a secret are kept elsewhere; ``s3sync.secrets`` says where.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..exceptions import ConfigError
from . import secret_store
from .masking import MASK, secrets_in_environment, secrets_of

if TYPE_CHECKING:
    from pypicloud.util import EnvironSettings

VARIABLE = "PYPICLOUD_SETTINGS"
#: Names the SSM parameter, or the secret of Secrets Manager, that holds the other settings.
SECRETS = "s3sync.secrets"
#: Settings that may be shown. Any other setting may be a secret of some cache class.
SHOWN = {
    *("pypi.db", "storage.bucket", "storage.prefix", "storage.region_name"),
    *("db.region_name", "db.host", "db.port", "db.secure", "db.namespace", "db.tablenames"),
    SECRETS,
    *("db.clustered", "db.graceful_reload", "db.poolclass", "db.pool_recycle", "db.echo"),
}
#: The directory into which Lambda unpacks the bundle, and the one in it for the files that db.url names.
TASK = "/var/task"
CERTIFICATES = "certificates"
_ROOT = str(Path(__file__).parents[2])
#: Timeouts of the database drivers in seconds, by the scheme of ``db.url``.
_REDIS = (("socket_connect_timeout", 5), ("socket_timeout", 10))
_LIBPQ = (("connect_timeout", 5),)
_MYSQL = (("connect_timeout", 5), ("read_timeout", 10), ("write_timeout", 10))
TIMEOUTS = {
    **dict.fromkeys(("redis", "rediss"), _REDIS),
    **dict.fromkeys(("postgresql", "postgresql+psycopg2", "postgresql+psycopg"), _LIBPQ),
    **dict.fromkeys(("mysql", "mysql+mysqldb", "mysql+pymysql"), _MYSQL),
    **dict.fromkeys(("mariadb", "mariadb+mysqldb", "mariadb+pymysql"), _MYSQL),
}


def write(
    cache_settings: Mapping[str, str], bucket: str, prefix: str, region: str, secrets: str | None = None
) -> dict[str, str]:
    """Return the function's environment variables.

    Parameters
    ----------
    cache_settings : dict
        ``pypi.db`` and the ``db.*`` options.
    bucket, prefix : str
    region : str
        The bucket's region.
    secrets : str, optional
        The name of the SSM parameter, or the ARN of the secret, that holds further settings of the cache.
    """
    settings = {
        **cache_settings,
        "storage.bucket": bucket,
        "storage.prefix": prefix,
        "storage.region_name": region,
        **({SECRETS: secrets} if secrets else {}),
    }
    return {VARIABLE: json.dumps(settings, sort_keys=True, separators=(",", ":"))}


def read() -> EnvironSettings:
    """Return the settings in this process's environment, as pypicloud's cache classes take them.

    Raises
    ------
    ConfigError
        The variable is not set, its value is not a JSON object, or the secrets that it names cannot be read.
    """
    given = _settings()
    reference = given.pop(SECRETS, None)
    if reference:
        given |= secret_store.read(reference, given.get("storage.region_name"))
    settings = _with_variables(given)
    # A cache needs a storage, but the function never uses it: the base class is enough.
    settings["pypi.storage"] = "pypicloud.storage.base.IStorage"
    if isinstance(settings.get("db.url"), str):
        settings["db.url"] = _with_own_files(with_timeouts(settings["db.url"]))
    return settings


def without_secrets() -> EnvironSettings:
    """Return the settings in this process's environment, except those that are kept elsewhere."""
    return _with_variables({name: value for name, value in _settings().items() if name != SECRETS})


def _with_variables(settings: dict[str, Any]) -> EnvironSettings:
    """Return settings that ``PPC_*`` variables override."""
    # Imported here, because the command line uses this module too, and must not wait for pypicloud.
    from pypicloud.util import EnvironSettings

    return EnvironSettings(settings)


def _settings() -> dict[str, Any]:
    try:
        settings = json.loads(os.environ[VARIABLE])
        if not isinstance(settings, dict):
            raise ValueError(f"it is a {type(settings).__name__}")
    except KeyError:
        raise ConfigError(f"{VARIABLE} is not set: run ppc-s3sync enable") from None
    except ValueError as error:
        raise ConfigError(f"{VARIABLE} is not a JSON object ({error}): run ppc-s3sync enable") from None
    return settings


def _with_own_files(url: str) -> str:
    """Return a ``db.url`` with the paths of the bundle's files, which an emulator unpacks somewhere else."""
    return url.replace(f"{TASK}/{CERTIFICATES}/", f"{quote(_ROOT)}/{CERTIFICATES}/")


def with_timeouts(url: str) -> str:
    """Return a ``db.url`` whose driver gives up before Lambda ends the function, so that the cause is logged.

    By default, redis-py, libpq and MySQL's drivers wait forever for a response.
    Options that the URL already has stay unchanged.
    """
    options = [option for option in TIMEOUTS.get(url.partition("://")[0], ()) if option[0] not in url]
    added = "&".join(f"{name}={seconds}" for name, seconds in options)
    return f"{url}{'&' if '?' in url else '?'}{added}" if added else url


def reference_in(variables: Mapping[str, str]) -> str | None:
    """Return the parameter or secret that a function's environment names; None if there is none."""
    try:
        settings = json.loads(variables.get(VARIABLE, ""))
    except ValueError:
        return None
    found = settings.get(SECRETS) if isinstance(settings, dict) else None
    return found if isinstance(found, str) else None


def secrets() -> list[str]:
    """Return what no output of the function may contain: the secrets in its settings and its environment."""
    try:
        settings = _settings()
    except ConfigError:
        settings = {}
    known = [*settings.items(), *secret_store.seen()]
    return [*secrets_of(known), *secrets_in_environment(os.environ)]


def refresh_secrets() -> bool:
    """Read the secrets again that are kept outside the environment; return whether they have changed."""
    settings = _settings()
    reference = settings.get(SECRETS)
    return bool(reference and secret_store.refresh(reference, settings.get("storage.region_name")))


def redact(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's configuration with every secret in its environment masked.

    Of variables that other people added, only the names are shown.
    """
    shown = dict(configuration)
    environment = shown.get("Environment")
    if environment is not None:
        shown["Environment"] = {
            name: _redact_settings(value) if name == VARIABLE else MASK for name, value in environment.items()
        }
    return shown


def _redact_settings(text: str) -> Any:
    try:
        settings = json.loads(text)
    except ValueError:
        return MASK
    if not isinstance(settings, dict):
        return MASK
    return {name: _redact_setting(name, value) for name, value in settings.items()}


def _redact_setting(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value if isinstance(value, int | float | None) else MASK
    if "://" in value:
        # A password may hold any character, "@" and "/" too: nothing after the scheme is safe to show.
        return f"{value.partition('://')[0]}://{MASK}"
    return value if name in SHOWN else MASK
