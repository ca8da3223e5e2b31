"""Read the function's secret settings from an SSM parameter or a secret of Secrets Manager, once per process.

AWS keeps them outside the function's environment, which everybody who may look at the function can read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..exceptions import ConfigError, UnreachableError

#: Seconds. Both services answer within milliseconds; a VPC without a way to them does not answer at all.
CONNECT_TIMEOUT, READ_TIMEOUT = 2, 5
#: The settings by the name of the parameter, or the ARN of the secret, that holds them.
_settings: dict[str, dict[str, str]] = {}
#: Every setting that was read, as rotated secrets may still be quoted by an error.
_seen: dict[tuple[str, str], None] = {}


def read(reference: str, region: str | None) -> dict[str, str]:
    """Return the secret settings; ask AWS for them only once.

    Parameters
    ----------
    reference : str
        The name of an SSM parameter, or the ARN of a secret of Secrets Manager. Its value is a JSON object
        of ``db.*`` settings.
    region : str or None
        The region of the parameter.

    Raises
    ------
    ConfigError
        AWS refuses to return the value, or the value is not such an object.
    UnreachableError
        The service does not answer.
    """
    if reference not in _settings:
        refresh(reference, region)
    return _settings[reference]


def refresh(reference: str, region: str | None) -> bool:
    """Ask AWS for the secret settings again; return whether they have changed."""
    before = _settings.get(reference)
    found = _parse(reference, _fetch(reference, region))
    _settings[reference] = found
    _seen.update(dict.fromkeys(found.items()))
    return found != before


def seen() -> Iterable[tuple[str, str]]:
    """Return the names and values of all settings that were read, former values included."""
    return list(_seen)


def is_secret_arn(reference: str) -> bool:
    """Return whether a reference is the ARN of a secret of Secrets Manager."""
    return reference.startswith("arn:")


def service_of(reference: str) -> str:
    """Return the service that holds the secrets, by the name that its endpoints have."""
    return "secretsmanager" if is_secret_arn(reference) else "ssm"


def _describe(reference: str) -> str:
    return f"the secret {reference}" if is_secret_arn(reference) else f"the SSM parameter {reference}"


def _fetch(reference: str, region: str | None) -> str:
    service = service_of(reference)
    try:
        if is_secret_arn(reference):
            client = _client(service, reference.split(":")[3])
            return str(client.get_secret_value(SecretId=reference).get("SecretString", ""))
        parameter = _client(service, region).get_parameter(Name=reference, WithDecryption=True)
        return str(parameter["Parameter"]["Value"])
    except ClientError as error:
        code, reason = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise ConfigError(
            f"{_describe(reference)} cannot be read ({code}: {reason}): run ppc-s3sync enable, and check that"
            " the function's role may read it"
        ) from error
    except BotoCoreError as error:
        raise UnreachableError(
            f"{service} cannot be reached to read {_describe(reference)} ({type(error).__name__}): if the"
            f" function is in a VPC, add an interface endpoint for {service}, or set"
            " s3sync.secrets = environment"
        ) from error


def _client(service: str, region: str | None) -> Any:
    # Imported here, because the command line uses this module too, and need not wait for botocore.
    import botocore.session
    from botocore.config import Config

    retries: Any = {"mode": "standard", "max_attempts": 2}
    config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries=retries)
    return botocore.session.get_session().create_client(service, region_name=region, config=config)


def _parse(reference: str, text: str) -> dict[str, str]:
    """Return the settings in a value; an error does not quote it."""
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict) or not settings or not all(name.startswith("db.") for name in settings):
        raise ConfigError(
            f"{_describe(reference)} does not hold a JSON object of db.* settings: set its value to an object"
            ' such as {"db.url": "…"}'
        ) from None
    return {name: str(value) for name, value in settings.items()}
