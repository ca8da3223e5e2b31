"""Print the path of a Python of a version, for ``make test-all``: ``python tests/find_python.py 3.12``."""

from __future__ import annotations

import sys

from pypicloud_s3sync.deploy.bundle.interpreters import find_python


def main(version: str) -> int:
    """Find an interpreter that is not of a virtual environment."""
    major, minor = map(int, version.split("."))
    running = sys.version_info[:2] == (major, minor)
    found = sys._base_executable if running else find_python((major, minor))  # type: ignore[attr-defined]
    if found is None:
        print(
            f"no Python {version} on this machine: install one, for example with uv or pyenv", file=sys.stderr
        )
        return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
