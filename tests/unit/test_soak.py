"""The soak is not part of the suite, but it must start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_the_soak_can_be_imported_without_pytest() -> None:
    command = [sys.executable, "-c", "import soak; soak.play(0)"]
    result = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
