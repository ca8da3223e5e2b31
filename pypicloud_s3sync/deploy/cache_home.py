"""Find where the programs of a user keep what they can compute again.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Return the directory, which need not exist; it is not absolute if the user has no home directory."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.cache"))
