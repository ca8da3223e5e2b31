"""Repairs that let pypicloud 1.3.12 run on the Pythons and libraries of today.

pypicloud is in maintenance mode and its requirements carry no upper bounds, so a fresh install no longer
starts. Two of the breaks are mended by requirements of ours (setup.cfg: ``SQLAlchemy<2`` for
``String(convert_unicode=...)``, ``setuptools<80.9`` for ``import pkg_resources``), the others here.

Each repair is applied only where it is needed, may be applied twice, and says when it can go.
:func:`apply` is called by the Pyramid include and by the Lambda handler, before pypicloud does its work.
"""

from __future__ import annotations

import datetime
import inspect
from collections import namedtuple
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

ArgSpec = namedtuple("ArgSpec", "args varargs keywords defaults")


def includeme(config: Any) -> None:
    """Apply every repair: a Pyramid include, to run before pypicloud's views are scanned."""
    apply()
    _let_the_admin_page_load()


def apply() -> None:
    """Apply every repair that this environment needs."""
    _give_pyramid_duh_getargspec()
    _let_flywheel_load_datetimes()


def _let_the_admin_page_load() -> None:
    """Where users stand in the ini, the Admin page's request for pending ones ends in an error, and a 500.

    pypicloud/static/js/admin.js asks whatever the access backend is, and only those that can be changed
    answer. Needless once pypicloud's IAccessBackend has an answer, or its page does not ask.
    """
    from pypicloud.access.base import IAccessBackend

    if "pending_users" not in vars(IAccessBackend):
        IAccessBackend.pending_users = _no_users


def _no_users(self: Any) -> list[str]:
    return []


def _give_pyramid_duh_getargspec() -> None:
    """``pyramid_duh`` calls ``inspect.getargspec``, which Python 3.11 removed: the server does not start.

    Needless once pyramid_duh (0.1.2 is its newest) calls ``getfullargspec``. Only its two modules are
    given the function: other code may rely on ``inspect`` not having it.
    """
    if hasattr(inspect, "getargspec") or find_spec("pyramid_duh") is None:
        return
    for name in ("pyramid_duh.params", "pyramid_duh.view"):
        module = import_module(name)
        if module.inspect is inspect:
            repaired = {**vars(inspect), "getargspec": _getargspec}
            module.inspect = SimpleNamespace(**repaired)  # type: ignore[attr-defined]


def _getargspec(function: Callable[..., Any]) -> ArgSpec:
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def _let_flywheel_load_datetimes() -> None:
    """Flywheel hands a Decimal to ``utcfromtimestamp``: every DynamoDB read raises TypeError.

    Python 3.10 stopped taking a Decimal for a float there. Needless once flywheel (0.5.4 is its newest)
    converts the value. The method is replaced, not the type registered anew: a model that was imported
    before keeps the type that it was made with.
    """
    if find_spec("flywheel") is None:
        return
    from flywheel.fields.types import UTC, DateTimeType

    try:
        DateTimeType().ddb_load(Decimal("1.5"))
    except TypeError:

        def ddb_load(self: Any, value: Decimal) -> datetime.datetime:
            seconds = int(value)
            loaded = datetime.datetime.fromtimestamp(seconds, UTC)
            loaded = loaded.replace(microsecond=int(1_000_000 * (value - seconds)))
            return loaded.replace(tzinfo=None) if self.naive else loaded

        DateTimeType.ddb_load = ddb_load
