"""Read one ini file per region, and the NAME=VALUE variables that apply to all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..config.settings import SyncSettings, load_inis, read

#: What ``%(NAME)s`` can refer to. A path or the options of a URI before "=" is no name.
_VARIABLE = re.compile(r"(?P<name>[\w.-]+)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Configuration:
    """A region: its ini file, as ``pserve`` takes it, and the settings that the ini file holds."""

    uri: str
    settings: SyncSettings


def split(arguments: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return the ini files and the variables among arguments ``CONFIG_URI`` and ``NAME=VALUE``."""
    uris: list[str] = []
    variables: dict[str, str] = {}
    for argument in arguments:
        found = _VARIABLE.fullmatch(argument)
        if found is None or os.path.isfile(argument.partition("#")[0]):
            uris.append(argument)
        else:
            variables[found["name"]] = found["value"]
    return uris, variables


def read_configurations(
    uris: Sequence[str], variables: Mapping[str, str], overrides: Mapping[str, str | None]
) -> list[Configuration]:
    """Return the settings of each ini file.

    Parameters
    ----------
    uris : sequence of str
    variables : dict
        Values for ``%(NAME)s``, in all of the ini files.
    overrides : dict
        Values that override the ``s3sync.*`` settings of the ini files, by their names without the prefix.
        The region is the exception: it applies only to ini files that name no region.
    """
    configurations = []
    others = {name: value for name, value in overrides.items() if name != "region"}
    for uri, ini in zip(uris, load_inis(uris, variables), strict=True):
        settings = read(ini, others)
        if settings.region is None and overrides.get("region"):
            settings = read(ini, overrides)
        configurations.append(Configuration(uri, settings))
    return configurations
