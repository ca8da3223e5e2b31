"""Let ``PPC_*`` environment variables override the settings of an ini file, as in the running application."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any


class EnvironSettings(Mapping[str, Any]):
    """Settings that ``PPC_*`` variables override, as ``pypicloud.util.EnvironSettings`` does it.

    pypicloud's own class comes with its web application, whose import takes most of the time of a command
    such as ``plan``.

    Parameters
    ----------
    settings : mapping
    environment : mapping, optional
        The variables. The default is those of this process.
    """

    def __init__(self, settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings)
        self._environment = dict(os.environ if environment is None else environment)

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __getitem__(self, name: str) -> Any:
        variable = _variable_of(name)
        return self._environment[variable] if variable in self._environment else self._settings[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._environment.pop(_variable_of(name), None)
        self._settings[name] = value

    def read_prefix_from_environ(self, prefix: str) -> None:
        """Add the settings with a prefix, for example ``db.``, that only a variable has."""
        start = _variable_of(prefix)
        for variable, value in self._environment.items():
            if variable.startswith(start):
                self._settings[prefix + variable.removeprefix(start).lower()] = value

    def clone(self) -> EnvironSettings:
        """Return a copy that can be changed."""
        return EnvironSettings(self._settings, self._environment)


def _variable_of(name: str) -> str:
    return "PPC_" + name.upper().replace(".", "_")
