"""Build pypicloud's own bundle by its own code: ``python recipe.py FILE`` in an environment with pypicloud.

The versions that work come from ``PIP_CONSTRAINT``. One repair is needed: the recipe writes into the
directory ``repoze``, which Pyramid's requirements no longer have.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Write the bundle."""
    scripts: Any = importlib.import_module("pypicloud.lambda_scripts")
    make_virtualenv = scripts.make_virtualenv

    def make_repaired_virtualenv(directory: str) -> None:
        make_virtualenv(directory)
        for packages in Path(directory).glob("lib/python*/site-packages"):
            (packages / "repoze").mkdir(exist_ok=True)

    scripts.make_virtualenv = make_repaired_virtualenv
    Path(sys.argv[1]).write_bytes(scripts._build_lambda_bundle({}))


if __name__ == "__main__":
    main()
