"""Choose the files of a bundle: those that its handler can import.

The bundle of a custom cache class has all files: the class may find modules in ways that no source shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from .archive import is_binary
from .backends import cache_needs, dialect_modules, has_known_cache
from .closure import Part
from .collect import Files, distribution_files, own_files, slim_files, stand_ins
from .contents import SHARED
from .models import BundleSpec
from .reach import reachable


def choose_files(
    spec: BundleSpec, parts: Sequence[Part], fetched: Mapping[str, metadata.Distribution], directory: Path
) -> Files:
    """Return the files that go into a bundle.

    Parameters
    ----------
    spec : BundleSpec
    parts : sequence of Part
    fetched : mapping
        The distributions that were fetched for the target, by the part's name.
    directory : Path
        The directory for files that are written.

    Raises
    ------
    BundleError
        If a file does not exist that a distribution lists.
    """
    libraries = [
        (part, distribution_files(part.name, fetched.get(part.name, part.distribution))) for part in parts
    ]
    files: Files = {}
    for _, listed in libraries:
        files |= listed
    own = own_files() | slim_files(parts, directory)
    if has_known_cache(spec):
        own |= stand_ins(parts)
        files |= own
        wanted = _reached(spec, libraries, files, own)
        files = {name: path for name, path in files.items() if name in wanted}
    return files | own | {name: Path(path) for name, path in spec.files}


def _reached(spec: BundleSpec, libraries: Sequence[tuple[Part, Files]], files: Files, own: Files) -> set[str]:
    entire = (name for part, listed in libraries if _is_entire(part, listed) for name in listed)
    found = reachable(files, [*own, *entire], [*cache_needs(spec).modules, *dialect_modules(spec)])
    for _, listed in libraries:
        if not found.isdisjoint(listed):
            found |= {name for name in listed if name.endswith(".dist-info/METADATA")}
    return found


def _is_entire(part: Part, files: Files) -> bool:
    """Return whether all files of a part go in: no source shows what a binary imports."""
    return part.entire or part.name in SHARED or any(map(is_binary, files))
