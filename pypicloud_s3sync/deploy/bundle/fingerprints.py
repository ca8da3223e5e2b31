"""Compute a fingerprint of everything that determines a bundle's bytes, without building it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .closure import Part, parts_of
from .collect import own_files, recorded_files, sha256_of
from .fetch import platform_name
from .interpreters import find_python
from .models import BundleSpec

_BUILDER = Path(__file__).parent


def fingerprint(spec: BundleSpec) -> str:
    """Return a hexadecimal SHA-256 that identifies a bundle's contents without building it.

    It covers the target, and this host's release of its Python if that decides which distributions are
    needed; the bytes of this package's sources, including those that build the bundle; the name, version and
    file digests of each distribution; and the contents of further files. The digests are those of the bundled
    files in the distribution's RECORD, not of the RECORD itself, because pip and uv write different ones. Of
    ``db_url``, only what decides the distributions counts.

    Raises
    ------
    BundleError
        As :func:`.build`, for everything that can be seen without building.
    """
    own = {name: sha256_of(path) for name, path in own_files().items()}
    builder = {path.relative_to(_BUILDER).as_posix(): sha256_of(path) for path in _BUILDER.rglob("*.py")}
    everything = {
        "target": [spec.target.runtime, spec.target.architecture],
        "compiled": find_python(spec.target.python) is not None,
        "own": own,
        "builder": builder,
        "files": {name: sha256_of(Path(path)) for name, path in spec.files},
        "parts": [_ingredients(part, spec) for part in parts_of(spec)],
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _ingredients(part: Part, spec: BundleSpec) -> list[object]:
    if part.fetch:
        return [part.name, part.fetch, platform_name(spec.target)]
    return [part.name, part.version, recorded_files(part.name, part.distribution)]
