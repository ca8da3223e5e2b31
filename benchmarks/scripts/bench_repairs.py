"""Let pypicloud's own handler run on current versions of Python; it is put next to the handler.

flywheel passes a Decimal to ``utcfromtimestamp``, which Python 3.10 no longer accepts, so that reading any
row fails.
"""

from __future__ import annotations

import datetime
import importlib
from decimal import Decimal
from typing import Any


def _ddb_load(self: Any, value: Decimal) -> datetime.datetime:
    loaded = datetime.datetime.fromtimestamp(float(value), types.UTC)
    return loaded.replace(tzinfo=None) if self.naive else loaded


types = importlib.import_module("flywheel.fields.types")
types.DateTimeType.ddb_load = _ddb_load
