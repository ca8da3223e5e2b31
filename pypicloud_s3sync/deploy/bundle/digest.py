"""A digest of everything that decides a bundle's bytes, without building it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .closure import Part, parts_of
from .collect import listed, own_files, sha256_of
from .fetch import platform_name
from .interpreters import find_python
from .models import BundleSpec

_BUILDER = Path(__file__).parent


def fingerprint(spec: BundleSpec) -> str:
    """What a bundle is made of, in one hexadecimal SHA-256: equal ones need no new build.

    It takes in the target, the bytes of this package's sources (those that build, too), and of each
    distribution its name, its version and the digests that its RECORD has of the files that go in. Those, and
    not the RECORD itself, as pip and uv write different ones. ``db_url`` shows only in the driver.

    Raises
    ------
    BundleError
        As :func:`.build` for what can be seen without building.
    """
    own = {name: sha256_of(path) for name, path in own_files().items()}
    builder = {path.relative_to(_BUILDER).as_posix(): sha256_of(path) for path in _BUILDER.rglob("*.py")}
    everything = {
        "target": [spec.target.runtime, spec.target.architecture],
        "compiled": find_python(spec.target.python) is not None,
        "own": own,
        "builder": builder,
        "parts": [_ingredients(part, spec) for part in parts_of(spec)],
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _ingredients(part: Part, spec: BundleSpec) -> list[object]:
    if part.fetch:
        return [part.name, part.fetch, platform_name(spec.target)]
    return [part.name, part.version, listed(part.name, part.distribution)]
