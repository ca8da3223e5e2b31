"""Read the application's settings and its environment into ``SyncSettings``; nothing else reads settings.

pypicloud's own settings name the bucket and the cache; the ``s3sync.*`` options of :mod:`.options` describe
the function. ``PPC_*`` environment variables override both, as in the running application.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyramid.settings import asbool

from ..exceptions import ConfigError
from ..sync.masking import secrets_of
from . import partitions
from .caches import check_cache
from .classes import cache_backend, short_name
from .environ import EnvironSettings
from .ini import load_ini, load_inis
from .options import ENVIRONMENT, OPTIONS, PREFIX, SECRET_ARN, SSM, Delivery, Option, parse_endpoint
from .runtimes import WITHOUT_SNAP_START, default_runtime
from .storage import check_storage, s3_endpoint

__all__ = ["Credentials", "SyncSettings", "load_ini", "load_inis", "read", "snapshot"]

#: Settings that hold AWS credentials: used for provisioning, never sent to the function.
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")

#: The prefixes of the settings that matter here, besides ``pypi.db`` and ``pypi.storage``.
SECTIONS = (PREFIX, "db.", "storage.")
#: The settings by which pypicloud's storage uploads a package: pypicloud/storage/object_store.py.
UPLOAD = ("pypi.storage", "storage.object_acl", "storage.prepend_hash", "storage.storage_class")


@dataclass(frozen=True)
class Credentials:
    """AWS credentials from the ini file."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SyncSettings:
    """The bucket and the cache to sync, and the options of the function (see :mod:`.options`).

    ``cache`` is pypicloud's short name of the cache, or the dotted path of a custom class. ``cache_backend``
    is the short name of the cache that it is or extends. ``cache_settings`` holds ``pypi.db`` and every
    ``db.*`` setting except credentials. It is not printed, as ``db.url`` may contain a password.
    ``certificates`` are the files that ``db.url`` names, by option; ``function_db_url`` names their copies in
    the function. ``region`` is None if only the bucket can tell it; ``region_origin`` names the setting, the
    variable or the option that it comes from. ``s3_endpoint_url`` is this host's VPC endpoint of S3.
    ``server_side_encryption`` is how pypicloud asks S3 to encrypt what it uploads. ``secret_store`` is the
    option ``secrets``. ``storage_settings`` are further ones that decide how the server uploads a package.
    """

    bucket: str
    prefix: str
    cache: str
    cache_backend: str | None
    cache_settings: Mapping[str, str] = field(repr=False)
    certificates: Mapping[str, str]
    function_db_url: str | None = field(repr=False)
    credentials: Credentials | None
    db_credentials: Credentials | None
    region: str | None
    region_origin: str | None
    s3_endpoint_url: str | None
    server_side_encryption: str | None
    function_name: str
    role_arn: str | None
    runtime: str
    architecture: str
    memory_size: int
    timeout: int
    log_retention_days: int | None
    vpc_subnet_ids: tuple[str, ...]
    vpc_security_group_ids: tuple[str, ...]
    delivery: Delivery
    maximum_concurrency: int | None
    extra_packages: tuple[str, ...]
    permissions_boundary: str | None
    tags: Mapping[str, str]
    bundle: str | None
    secret_store: str
    reconcile_schedule: str | None
    reconcile_on_start: bool
    snap_start: bool
    endpoint_url: str | None
    storage_settings: Mapping[str, str]

    @property
    def db_url(self) -> str | None:
        """The URL of a Redis or SQL cache, with its password."""
        return self.cache_settings.get("db.url")

    @property
    def secrets(self) -> list[str]:
        """The secrets in the settings of the cache, and the credentials, which no output may contain."""
        credentials = [
            (f"aws_{name}", value)
            for given in (self.credentials, self.db_credentials)
            if given is not None
            for name, value in vars(given).items()
            if value is not None
        ]
        return secrets_of([*self.cache_settings.items(), *credentials])

    @property
    def function_cache_settings(self) -> Mapping[str, str]:
        """The settings of the cache for the function, in which ``db.url`` names files of the bundle."""
        changed = {"db.url": self.function_db_url} if self.function_db_url else {}
        return {**self.cache_settings, **changed}

    @property
    def withheld_settings(self) -> dict[str, str]:
        """The settings of the cache that hold a secret and are kept outside the function's environment."""
        if self.secret_store == ENVIRONMENT:
            return {}
        settings = self.function_cache_settings.items()
        return {name: value for name, value in settings if secrets_of([(name, value)])}

    @property
    def secret_arn(self) -> str | None:
        """The ARN of the user's own secret in Secrets Manager, if ``s3sync.secrets`` names one."""
        return self.secret_store if SECRET_ARN.fullmatch(self.secret_store) else None

    @property
    def keeps_parameter(self) -> bool:
        """Whether secrets are kept in an SSM parameter."""
        return self.secret_store == SSM and bool(self.withheld_settings)

    @property
    def may_have_parameter(self) -> bool:
        """Whether an SSM parameter may exist; a DynamoDB cache usually needs none."""
        return self.keeps_parameter or self.cache_backend != "dynamo"

    @property
    def db_region(self) -> str | None:
        """The region of the DynamoDB tables."""
        return self.cache_settings.get("db.region_name")

    @property
    def db_endpoint_url(self) -> str | None:
        """The address of DynamoDB if ``db.host`` is set, as pypicloud uses it."""
        db = self.cache_settings
        if "db.host" not in db:
            return None
        scheme = "https" if asbool(db.get("db.secure", "false")) else "http"
        # The default port is pypicloud's: pypicloud/cache/dynamo.py, DynamoCache.configure.
        return f"{scheme}://{db['db.host']}:{db.get('db.port', '8000')}"

    @property
    def tables_may_be_foreign(self) -> bool:
        """Whether the DynamoDB tables have other credentials than the bucket, perhaps of another account."""
        if self.cache_backend != "dynamo" or self.db_credentials in (None, self.credentials):
            return False
        # DynamoDB Local accepts any credentials; AWS would not know them.
        host = self.cache_settings.get("db.host", "")
        return not host or self.endpoint_url is not None or partitions.is_host_of_aws(host)

    @property
    def likely_region(self) -> str | None:
        """A region in the bucket's partition, if another setting than the bucket's region tells it."""
        arn = self.role_arn or self.permissions_boundary
        return self.db_region or (partitions.region_of_arn(arn) if arn else None)


def snapshot(settings: EnvironSettings) -> dict[str, str]:
    """Return all settings that :func:`read` uses, with ``PPC_*`` variables applied, for another process.

    Parameters
    ----------
    settings : EnvironSettings
        The settings, as :func:`read` takes them; they are not changed.
    """
    settings = _with_environment(settings)
    names = [name for name in settings if name.startswith(("pypi.", *SECTIONS))] + ["pypi.db", "pypi.storage"]
    return {name: str(settings[name]) for name in names if settings.get(name) is not None}


def read(settings: EnvironSettings, overrides: Mapping[str, str | None] | None = None) -> SyncSettings:
    """Check the application's settings and convert them to values.

    Parameters
    ----------
    settings : EnvironSettings
        The settings, also those of the running application, in pypicloud's own class; they are not changed.
    overrides : dict, optional
        Options from the command line, by their names without the prefix; None if not given.

    Raises
    ------
    ConfigError
        For the first setting that cannot work, with what to change.
    """
    settings = _with_environment(settings)
    for name, value in (overrides or {}).items():
        if value is not None:
            settings[PREFIX + name] = value
    _check_known(settings)
    options = {option.name: _convert(option, settings) for option in OPTIONS}
    options["secret_store"] = options.pop("secrets")
    options["endpoint_url"] = options["endpoint_url"] or _checked(
        "AWS_ENDPOINT_URL", parse_endpoint, os.environ
    )
    options["region"] = options["region"] or _checked(
        "storage.region_name", partitions.parse_region, settings
    )
    emulated = options["endpoint_url"] is not None
    options["runtime"] = options["runtime"] or default_runtime(emulated=emulated)
    check_storage(settings, emulated=emulated)
    endpoint = None if emulated else s3_endpoint(settings.get("storage.endpoint_url") or "")
    options["region"] = options["region"] or (endpoint.region if endpoint else None)
    _check_vpc(options)
    _check_snap_start(options)
    cache_settings = _cache_settings(settings)
    cache = cache_settings["pypi.db"]
    backend = cache_backend(cache)
    files = check_cache(backend, cache_settings, emulated=emulated, built=options["bundle"] is None)
    return SyncSettings(
        bucket=settings["storage.bucket"],
        prefix=settings.get("storage.prefix", ""),
        s3_endpoint_url=settings["storage.endpoint_url"] if endpoint and endpoint.interface else None,
        server_side_encryption=settings.get("storage.server_side_encryption") or None,
        cache=cache,
        cache_backend=backend,
        cache_settings=cache_settings,
        certificates=files.certificates,
        function_db_url=files.db_url,
        region_origin=_region_origin(settings, overrides or {}),
        credentials=_credentials(settings, "storage."),
        db_credentials=_credentials(settings, "db."),
        storage_settings={name: str(settings[name]) for name in UPLOAD if settings.get(name)},
        **options,
    )


def _with_environment(settings: EnvironSettings) -> EnvironSettings:
    """Return a copy of the settings with the ``PPC_*`` variables that override or add to them."""
    settings = settings.clone()
    for prefix in SECTIONS:
        settings.read_prefix_from_environ(prefix)
    return settings


def _region_origin(settings: EnvironSettings, overrides: Mapping[str, str | None]) -> str | None:
    if overrides.get("region"):
        return "-r"
    for name in (f"{PREFIX}region", "storage.region_name"):
        if str(settings.get(name) or "").strip():
            variable = "PPC_" + name.upper().replace(".", "_")
            return variable if settings.get(name) == os.environ.get(variable) else name
    return None


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
    """Return the value of a setting, or None if it is not set."""
    text = settings.get(name)
    if text is None or not str(text).strip():
        return None
    try:
        return convert(str(text).strip())
    except ValueError as error:
        raise ConfigError(f"Invalid value {text!r} for {name}: expected {error}") from None


def _check_vpc(options: Mapping[str, Any]) -> None:
    if bool(options["vpc_subnet_ids"]) != bool(options["vpc_security_group_ids"]):
        raise ConfigError(
            "only one of s3sync.vpc_subnet_ids and s3sync.vpc_security_group_ids is set: set both or neither"
        )


def _check_snap_start(options: Mapping[str, Any]) -> None:
    runtime = options["runtime"]
    if options["snap_start"] and runtime in WITHOUT_SNAP_START:
        raise ConfigError(
            f"s3sync.snap_start needs the runtime python3.12 or newer, but the function has {runtime}:"
            " set s3sync.runtime, or leave out s3sync.snap_start"
        )


def _cache_settings(settings: EnvironSettings) -> dict[str, str]:
    """Return ``pypi.db`` and every ``db.*`` setting except credentials."""
    secrets = {f"db.{name}" for name in CREDENTIALS}
    db = {key: str(value) for key, value in settings.items() if key.startswith("db.") and key not in secrets}
    return {"pypi.db": short_name(settings.get("pypi.db", "sql")), **db}


def _credentials(settings: EnvironSettings, prefix: str) -> Credentials | None:
    access_key_id, secret, token = (settings.get(prefix + name) for name in CREDENTIALS)
    if not access_key_id and not secret:
        return None
    if not access_key_id or not secret:
        raise ConfigError(
            f"only one of {prefix}aws_access_key_id and {prefix}aws_secret_access_key is set:"
            " set both or neither"
        )
    return Credentials(access_key_id, secret, token or None)
