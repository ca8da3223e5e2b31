"""No secret in output: what is shown of a function's environment; values in, values out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

MASK = "********"
SECRET = re.compile(r"pass|secret|token|key|auth|cred", re.IGNORECASE)
#: The password in scheme://user:password@host; everything up to the last @ of the authority.
URL_PASSWORD = re.compile(r"(?<=://)([^/?#\s@:]*):([^/?#\s]*)@")
URL_QUERY_SECRET = re.compile(r"([?&][^=&\s]*(?:pass|secret|token|key)[^=&\s]*=)[^&\s]+", re.IGNORECASE)


def redact(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A function's configuration as it may be shown: the environment with every secret masked.

    Of variables other than ours, which somebody added, only the names are shown.
    """
    shown = dict(configuration)
    environment = shown.get("Environment")
    if environment is not None:
        shown["Environment"] = {
            name: _settings(value) if name == "PYPICLOUD_SETTINGS" else MASK
            for name, value in environment.items()
        }
    return shown


def _settings(text: str) -> Any:
    try:
        settings = json.loads(text)
    except ValueError:
        return MASK
    if not isinstance(settings, dict):
        return MASK
    return {name: _setting(name, value) for name, value in settings.items()}


def _setting(name: str, value: Any) -> Any:
    if SECRET.search(name):
        return MASK
    if not isinstance(value, str):
        return value
    masked = URL_PASSWORD.sub(rf"\1:{MASK}@", value)
    return URL_QUERY_SECRET.sub(rf"\1{MASK}", masked)
