"""Compare what can be counted with the numbers in ``tests/figures.json``, so that nothing grows unnoticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

FIGURES = Path(__file__).parents[1] / "figures.json"
#: Other versions of Python and of the libraries differ by less.
TOLERANCE = 0.03
#: If it is set, the numbers are replaced.
UPDATE = "UPDATE_FIGURES"


def check_figure(name: str, value: int, tolerance: float = TOLERANCE) -> None:
    """Fail if a figure is worse than the number that is kept for it.

    Parameters
    ----------
    name : str
    value : int
        The figure; less is better.
    tolerance : float
        The part of the number by which the figure may be larger.
    """
    figures: dict[str, int] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if os.environ.get(UPDATE):
        figures[name] = value
        FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
        return
    kept = figures.get(name)
    assert kept is not None, f"{name} is {value:,}, and has no number in {FIGURES.name}: {_remedy()}"
    assert value <= kept * (1 + tolerance), (
        f"{name} is {value:,}, more than {kept:,}: make it smaller again; or, if it must grow, {_remedy()}"
    )


def _remedy() -> str:
    return f"run `make figures`, and commit tests/{FIGURES.name} with the reason"
