"""Read the versions and the aliases of the function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..models import Desired, Function
from ..snap_start import ALIAS, Alias, Published, Version, is_recorded
from .calls import Calls
from .functions import failure_of, managed
from .permissions import permission_statements

LATEST = "$LATEST"
#: What a version freezes besides the fields that this tool manages: botocore, lambda 2015-03-31,
#: UpdateFunctionConfigurationRequest.
FURTHER = (
    "CodeSha256",
    "KMSKeyArn",
    "TracingConfig",
    "FileSystemConfigs",
    "EphemeralStorage",
    "LoggingConfig",
)


def find_published(calls: Calls, desired: Desired, function: Function | None) -> Published | None:
    """Return the versions and the aliases of the function; None if it does not exist.

    They are read only if they may exist, so that other deployments need no permission to read them.
    """
    if function is None or not (desired.snap_start or is_recorded(function)):
        return None
    found = {version.number: version for version in _versions(calls, function.name)}
    latest = found.pop(LATEST, None)
    if latest is None:
        # It was deleted in the meantime.
        return None
    published = Published(latest, tuple(found.values()), find_aliases(calls, function.name))
    return published if published.alias is None else _with_alias(calls, function.name, published)


def find_aliases(calls: Calls, function: str) -> tuple[Alias, ...]:
    """Return the aliases of a function."""
    return tuple(
        Alias(
            item["Name"],
            item["FunctionVersion"],
            dict((item.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}),
        )
        for item in _pages(calls, function, "list_aliases", "Aliases")
    )


def _versions(calls: Calls, function: str) -> Iterator[Version]:
    for configuration in _pages(calls, function, "list_versions_by_function", "Versions"):
        content = managed(configuration)
        # This tool gives its versions a description of their own.
        description = str(content.pop("Description"))
        content |= {key: configuration[key] for key in FURTHER if configuration.get(key)}
        content["Layers"] = [layer["Arn"] for layer in configuration.get("Layers") or []]
        yield Version(configuration["Version"], description, content)


def _with_alias(calls: Calls, function: str, published: Published) -> Published:
    """Return what is known of the versions, with the policy and the state of this tool's alias."""
    resource = f"the alias {ALIAS} of the function {function}"
    found = calls.find("lambda", "get_function", resource, FunctionName=function, Qualifier=ALIAS)
    configuration = (found or {}).get("Configuration", {})
    return replace(
        published,
        statements=permission_statements(calls, function, ALIAS),
        state=configuration.get("State", "Active"),
        failure=failure_of(configuration),
    )


def _pages(calls: Calls, function: str, operation: str, key: str) -> Iterator[Mapping[str, Any]]:
    arguments = {"FunctionName": function}
    while True:
        page = calls.find("lambda", operation, f"the function {function}", **arguments) or {}
        yield from page.get(key, [])
        if not page.get("NextMarker"):
            return
        arguments["Marker"] = page["NextMarker"]
