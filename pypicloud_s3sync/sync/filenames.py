"""Read the names in filenames by pypicloud's rules, but without pypicloud: its import takes half a second."""

from __future__ import annotations

import re

from distlib import DistlibException
from distlib.locators import Locator
from distlib.util import split_filename
from distlib.wheel import Wheel

#: The extensions of packages.
EXTENSIONS: tuple[str, ...] = Locator.source_extensions + Locator.binary_extensions
#: The names of one filename that are tried. Their summaries have to fit into one transaction of DynamoDB.
MOST_NAMES = 20


def possible_names(filename: str) -> tuple[str, ...]:
    """Return every name that a filename can be split into, for example ``my`` and ``my-3d``."""
    stem = filename.removesuffix(_extension(filename) or "")
    words = stem.split("-")
    # In a wheel's filename, only the name of the package comes before the first hyphen.
    splits = range(1, 2 if filename.endswith(".whl") else len(words))
    names = (_normalize("-".join(words[:count])) for count in splits)
    return tuple(dict.fromkeys(name for name in names if name))[:MOST_NAMES]


def guess_name(filename: str) -> str | None:
    """Return the name in a filename, or None. It is good only for a search: it may be split wrongly.

    This is the name that pypicloud's ``parse_filename`` returns, in its normal form.
    """
    extension = _extension(filename)
    if extension is None:
        return None
    if extension == ".whl":
        try:
            # distlib returns a wheel's name as it is written, for example My_Pkg.
            return _normalize(Wheel(filename).name)
        except DistlibException:
            return None
    parsed = split_filename(filename.removesuffix(extension))
    return None if parsed is None else _normalize(parsed[0])


def _extension(filename: str) -> str | None:
    return next((extension for extension in EXTENSIONS if filename.endswith(extension)), None)


def _normalize(name: str) -> str:
    """Return a name as pypicloud's ``normalize_name`` does."""
    return re.sub(r"[-_.]+", "-", name).lower()
