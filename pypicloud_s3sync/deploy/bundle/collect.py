"""List the files that go into a bundle, by their names in the zip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath

from ...exceptions import BundleError
from .closure import Part
from .contents import SLIM, STAND_INS, VERSION_PLACEHOLDER, file_filter, is_own_file_wanted
from .installed import read_record

#: The directory of this package, installed or checked out. Its RECORD cannot be used: an editable install
#: lists no files there.
OWN = Path(__file__).parents[2]

#: A bundle's files: the path on disk by the name in the zip.
Files = dict[str, Path]


def own_files() -> Files:
    """Return the files of this package that the handler needs."""
    files = {path.relative_to(OWN).as_posix(): path for path in OWN.rglob("*") if path.is_file()}
    return {f"{OWN.name}/{name}": path for name, path in files.items() if is_own_file_wanted(name)}


def recorded_files(name: str, distribution: metadata.Distribution) -> dict[str, str]:
    """Return a distribution's files that go into a bundle: the digest of each in its RECORD, by path.

    Paths outside of ``site-packages``, such as those of console scripts, are left out.

    Raises
    ------
    BundleError
        If the RECORD is missing or damaged.
    """
    is_wanted = file_filter(name)
    rows = read_record(name, distribution)
    return {row[0]: row[1] for row in rows if _is_inside(row[0]) and is_wanted(row[0])}


def distribution_files(name: str, distribution: metadata.Distribution) -> Files:
    """Return a distribution's files that go into a bundle, with their locations on disk.

    Raises
    ------
    BundleError
        If a file that the RECORD lists does not exist.
    """
    files = {path: Path(str(distribution.locate_file(path))) for path in recorded_files(name, distribution)}
    for path, location in files.items():
        if not location.is_file():
            raise BundleError(
                f"{name} lists the file {path!r}, which does not exist:"
                f" pip install --force-reinstall {name}=={distribution.version}"
            )
    return files


def slim_files(parts: Sequence[Part], directory: Path) -> Files:
    """Write the files that replace modules of pypicloud, with its version filled in, and return them."""
    version = next(part.version for part in parts if part.name == "pypicloud")
    files = {}
    for name, template in SLIM.items():
        filled = directory / name
        filled.parent.mkdir(parents=True, exist_ok=True)
        filled.write_text(template.read_text("utf-8").replace(VERSION_PLACEHOLDER, version), "utf-8")
        files[name] = filled
    return files


def stand_ins(parts: Sequence[Part]) -> Files:
    """Return the files that replace modules of other distributions than pypicloud."""
    untouched = {part.name for part in parts if part.untouched}
    return {
        name: template
        for name, (distribution, template) in STAND_INS.items()
        if distribution not in untouched
    }


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts
