"""Find the files that ``db.url`` names, which the function lacks.

The certificates of authorities are public, so they go into the bundle. A private key is a secret, and libpq
refuses one that everybody can read, as everything in a bundle: no file of a client is included.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..exceptions import ConfigError
from ..sync.environment import CERTIFICATES, TASK
from .db_url import DbUrl

#: Options that name a file of public certificates or of revoked ones: libpq, redis-py and PyMySQL.
_CARRIED = ("sslcrl", "sslrootcert", "ssl_ca", "ssl_ca_certs")
#: Options that name a certificate of the client, its key or both.
_OF_CLIENT = ("sslcert", "sslkey", "ssl_cert", "ssl_certfile", "ssl_key", "ssl_keyfile")
#: Options that name a directory, with the option that names a file instead.
_DIRECTORIES = {"sslcrldir": "sslcrl", "ssl_capath": "ssl_ca", "ssl_ca_path": "ssl_ca_certs"}
#: Options that name a file of settings or passwords.
_OF_SETTINGS = ("passfile", "read_default_file", "service", "servicefile")
#: libpq reads the system's certificates: https://www.postgresql.org/docs/current/libpq-connect.html
_SYSTEM = "system"
_PUBLIC = re.compile(rb"-----BEGIN (TRUSTED |X509 )?(CERTIFICATE|CRL)-----")


def certificates_of(url: DbUrl) -> dict[str, str]:
    """Return the files to carry: the path on this host by the option.

    Raises
    ------
    ConfigError
        If the function would need another file of this host, or a file to carry cannot be used.
    """
    _refuse_others(url)
    carried = {}
    for option in _CARRIED:
        path = (url.options.get(option) or ("",))[-1]
        if path and path != _SYSTEM and not path.startswith(f"{TASK}/"):
            _check_file(option, path)
            carried[option] = os.path.abspath(path)
    return carried


def name_in_bundle(option: str) -> str:
    """Return the name in the bundle of the file that an option names."""
    return f"{CERTIFICATES}/{option}.pem"


def url_in_function(url: DbUrl, certificates: Mapping[str, str]) -> str:
    """Return ``db.url`` with the paths of the files in the function."""
    return url.with_options({option: f"{TASK}/{name_in_bundle(option)}" for option in certificates})


def check_other_settings(db: Mapping[str, str]) -> None:
    """Raise an error if another setting of the cache than ``db.url`` names a file of this host."""
    for name, value in db.items():
        if value.startswith("/") and not value.startswith(f"{TASK}/") and os.path.isfile(value):
            raise ConfigError(f"{name} names the file {value}, which the function lacks: remove the setting")


def _refuse_others(url: DbUrl) -> None:
    for option in url.options:
        if option in _OF_CLIENT:
            raise ConfigError(
                f"db.url has {option}, but a private key is a secret that the function's code must not"
                " contain: authenticate with a password"
            )
        if option in _DIRECTORIES:
            raise ConfigError(
                f"db.url has {option}, a directory that the function lacks: name a file with"
                f" {_DIRECTORIES[option]}"
            )
        if option in _OF_SETTINGS:
            raise ConfigError(
                f"db.url has {option}, a file that the function lacks: write what it contains into db.url"
            )
    verified = (url.options.get("sslmode") or ("",))[-1] in ("verify-ca", "verify-full")
    if verified and not url.options.get("sslrootcert"):
        raise ConfigError(
            "db.url has sslmode=verify-full or verify-ca without sslrootcert, but the function has no"
            " ~/.postgresql/root.crt: add sslrootcert with the path of the certificate"
        )


def _check_file(option: str, path: str) -> None:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}, which {option} in db.url names ({error.strerror}): the function needs a"
            " copy of it, so correct the path"
        ) from None
    if b"PRIVATE KEY" in content or not _PUBLIC.search(content):
        raise ConfigError(
            f"{path}, which {option} in db.url names, does not contain only certificates in PEM format:"
            " name a file of the authority's certificates"
        )
