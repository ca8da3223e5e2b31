"""The soak is not part of the suite, but it must start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_it_plays_a_history_and_explores_a_scope_without_pytest() -> None:
    code = "import soak; soak.play(0); print(soak.explore(next(soak.tasks(large=True))))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=TESTS, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert " states, at most " in result.stdout
