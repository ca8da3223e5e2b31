"""Collect the secrets of an ini file, even of one that cannot be read, because the error may quote them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..sync.masking import secrets_of

_OPTION = re.compile(r"(?P<name>[^\s=:#;\[][^=:]*?)\s*[=:]\s*(?P<value>.*)")
_REFERENCE = re.compile(r"%\((?P<name>[^)]*)\)s")
_OTHER_FILE = re.compile(r"config:(?P<path>[^#\s]+)")
#: References within references; a circular one ends here.
_DEPTH = 10


def secrets_of_ini(config_uri: str, variables: Mapping[str, str]) -> list[str]:
    """Return the secrets in all sections of an ini file and of the files that it includes, raw and expanded.

    Parameters
    ----------
    config_uri : str
        The ini file, as ``pserve`` takes it. A file that cannot be read has no secrets.
    variables : dict
        Values for ``%(NAME)s`` in the ini file.
    """
    options = list(_options(Path(config_uri.partition("#")[0]), set()))
    values = {**dict(options), **variables}
    expanded = [(name, _expand(value, values)) for name, value in options]
    return secrets_of([*options, *expanded, *variables.items()])


def _options(path: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """Yield the options of a file, line by line: a parser would stop at the first mistake."""
    if path in seen:
        return
    seen.add(path)
    try:
        lines = path.read_text(errors="replace").splitlines()
    except (OSError, ValueError):
        return
    name, value = "", ""
    for line in [*lines, "end ="]:
        if name and line[:1].isspace() and line.strip():
            value += f"\n{line.strip()}"
            continue
        if name:
            yield name, value
            for other in _OTHER_FILE.finditer(value):
                yield from _options(path.parent / other["path"], seen)
        option = _OPTION.match(line)
        name, value = (option["name"], option["value"]) if option else ("", "")


def _expand(value: str, values: Mapping[str, str]) -> str:
    for _ in range(_DEPTH):
        expanded = _REFERENCE.sub(lambda match: values.get(match["name"], match[0]), value)
        if expanded == value:
            break
        value = expanded
    return value.replace("%%", "%")
