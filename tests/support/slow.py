"""Mark tests as slow: `make test` leaves them out, because a quicker or a similar test is enough for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def others_are_slow(values: Iterable[Any]) -> list[Any]:
    """Return the values of one or more parameters; the tests with all but the first one are slow."""
    first, *others = (value if isinstance(value, tuple) else (value,) for value in values)
    return [pytest.param(*first), *(pytest.param(*other, marks=pytest.mark.slow) for other in others)]
