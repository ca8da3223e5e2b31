"""Read the metadata of installed distributions; an error about damaged metadata names the distribution."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ...exceptions import BundleError


@contextmanager
def metadata_of(name: str) -> Iterator[None]:
    """Turn what is raised for damaged metadata of a distribution into an error that names it.

    packaging raises its own kinds of ValueError; so do invalid JSON and text that is not UTF-8.

    Raises
    ------
    BundleError
        If the block raises one of these.
    """
    try:
        yield
    except (ValueError, KeyError, OSError, csv.Error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(
            f"the metadata of {name} is damaged ({reason}):"
            f" pip install --force-reinstall --no-deps --no-cache-dir {name}"
        ) from error


@dataclass(frozen=True)
class Details:
    """The parsed METADATA of a distribution."""

    version: str
    requires_python: SpecifierSet
    requirements: tuple[Requirement, ...]


def read_details(name: str, distribution: metadata.Distribution) -> Details:
    """Return the metadata of a distribution.

    Raises
    ------
    BundleError
        If it is missing or cannot be parsed.
    """
    with metadata_of(name):
        details = distribution.metadata
        names, versions = details.get_all("Name"), details.get_all("Version")
        if not names or not versions:
            raise ValueError(f"METADATA has no {'Version' if names else 'Name'}")
        Version(versions[0])
        return Details(
            versions[0],
            SpecifierSet(",".join(details.get_all("Requires-Python") or [])),
            tuple(map(Requirement, details.get_all("Requires-Dist") or [])),
        )


def read_record(name: str, distribution: metadata.Distribution) -> list[list[str]]:
    """Return the rows of a distribution's RECORD: path, digest and size of each file.

    Raises
    ------
    BundleError
        If the distribution has no RECORD, or it cannot be parsed.
    """
    with metadata_of(name):
        text = distribution.read_text("RECORD")
        # Not split into lines: a quoted path may contain a line break.
        rows = [] if text is None else [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        if any(len(row) < 2 for row in rows):
            raise ValueError("RECORD has a line without a digest")
    if text is None:
        raise BundleError(
            f"{name} is installed without a list of its files (RECORD):"
            f" pip install --force-reinstall --no-deps {name}"
        )
    return rows


def check_not_editable(name: str, distribution: metadata.Distribution) -> None:
    """Raise an error if a distribution is an editable install.

    Raises
    ------
    BundleError
        Its RECORD does not list the files of its packages.
    """
    with metadata_of(name):
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if not isinstance(origin, dict):
            raise ValueError("direct_url.json is not a JSON object")
        directory = origin.get("dir_info", {})
        editable = isinstance(directory, dict) and directory.get("editable")
    if editable:
        raise BundleError(
            f"{name} is an editable install, so its files are not known: pip install it without -e"
        )
