"""Derive the SSM parameter that holds the function's secrets, and the environment that refers to it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...config.settings import SyncSettings
from ...sync import environment
from ..models import Function, Names, Parameter, Role
from .tags import PARAMETER_TAG

#: In bytes; a larger value needs an advanced parameter, which costs money:
#: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
LIMIT = 4096


def parameter(settings: SyncSettings, names: Names, tags: Mapping[str, str]) -> Parameter | None:
    """Return the parameter with the secret settings; None if there are none or they are kept elsewhere."""
    if not settings.keeps_parameter:
        return None
    value = json.dumps(settings.withheld_settings, sort_keys=True, separators=(",", ":"))
    return Parameter(names.parameter, _without_double_braces(value), tags)


def _without_double_braces(document: str) -> str:
    """Return a JSON document in which double braces, which only its strings can have, are escaped.

    Systems Manager refuses them in any value: botocore, ssm 2014-11-06, PutParameter.
    """
    return document.replace("{{", r"\u007b\u007b").replace("}}", r"\u007d\u007d")


def variables(settings: SyncSettings, region: str, names: Names) -> dict[str, str]:
    """Return the function's environment variables, without the secrets that are kept elsewhere."""
    withheld = settings.withheld_settings
    shown = {name: value for name, value in settings.function_cache_settings.items() if name not in withheld}
    reference = names.parameter if settings.keeps_parameter else settings.secret_arn
    return environment.write(shown, settings.bucket, settings.prefix, region, reference)


def refers_to(function: Function | None, name: str) -> bool:
    """Return whether a function finds its secrets in a parameter."""
    variables = {} if function is None else function.configuration.get("Environment", {})
    return environment.reference_in(variables) == name


def is_recorded(function: Function | None) -> bool:
    """Return whether the function's tags say that the parameter may exist."""
    return function is not None and bool(function.tags.get(PARAMETER_TAG))


def may_exist(function: Function | None, role: Role | None, name: str) -> bool:
    """Return whether a run, perhaps an interrupted one, may have created the parameter and not removed it.

    The role may read it before it is created. The function's tag stays until it is deleted.
    """
    readable = role is not None and name in json.dumps(role.policy)
    return readable or is_recorded(function) or refers_to(function, name)
