"""No secret in output: what is shown of a function's environment; values in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MASK = "********"
#: The settings that are shown as they are; any other may be a secret of some cache class.
SHOWN = {
    *("pypi.db", "storage.bucket", "storage.prefix", "storage.region_name"),
    *("db.region_name", "db.host", "db.port", "db.secure", "db.namespace", "db.tablenames"),
    *("db.clustered", "db.graceful_reload", "db.poolclass", "db.pool_recycle", "db.echo"),
}


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
    if not isinstance(value, str):
        return value if isinstance(value, int | float | None) else MASK
    if "://" in value:
        # A password in it may hold any character, '@' and '/' too: nothing behind the scheme is safe to show.
        return f"{value.partition('://')[0]}://{MASK}"
    return value if name in SHOWN else MASK
