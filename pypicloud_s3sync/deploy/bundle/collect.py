"""The files that go into a bundle: where each is on disk, by its name in the zip."""

from __future__ import annotations

import csv
import hashlib
from importlib import metadata
from pathlib import Path, PurePosixPath

from ...exceptions import BundleError
from .closure import Part
from .contents import SLIM, VERSION_MARK, wanted, wanted_of_own

#: The directory of this package, installed or checked out: its own RECORD is empty where it is editable.
OWN = Path(__file__).parents[2]

#: A bundle's files: the path on disk by the name in the zip.
Files = dict[str, Path]


def own_files() -> Files:
    """The files of this package that the handler needs."""
    files = {path.relative_to(OWN).as_posix(): path for path in OWN.rglob("*") if path.is_file()}
    return {f"{OWN.name}/{name}": path for name, path in files.items() if wanted_of_own(name)}


def listed(name: str, distribution: metadata.Distribution) -> dict[str, str]:
    """A distribution's files that go into a bundle: its RECORD's digest of each, by path.

    Paths that lead out of ``site-packages``, as those of console scripts, are no part of a bundle.
    """
    is_wanted = wanted(name)
    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    return {row[0]: row[1] for row in rows if row and _is_inside(row[0]) and is_wanted(row[0])}


def distribution_files(name: str, distribution: metadata.Distribution) -> Files:
    """The same files, as they are on disk.

    Raises
    ------
    BundleError
        One that is listed is not there.
    """
    files = {path: Path(str(distribution.locate_file(path))) for path in listed(name, distribution)}
    for path, location in files.items():
        if not location.is_file():
            raise BundleError(
                f"{name} lists {path}, which is not there: "
                f"pip install --force-reinstall {name}=={distribution.version}"
            )
    return files


def slim_files(parts: list[Part], directory: Path) -> Files:
    """The files of this package's that stand in for others; written where they have to be filled in."""
    version = next(part.version for part in parts if part.name == "pypicloud")
    files = {}
    for name, template in SLIM.items():
        filled = directory / name
        filled.parent.mkdir(parents=True, exist_ok=True)
        filled.write_text(template.read_text("utf-8").replace(VERSION_MARK, version), "utf-8")
        files[name] = filled
    return files


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts
