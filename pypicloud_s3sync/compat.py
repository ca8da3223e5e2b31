"""Repair pypicloud 1.3.12 and its libraries so that they run on current versions of Python.

pypicloud is in maintenance mode and its requirements have no upper bounds, so a fresh install no longer
starts. One of the problems is solved by this package's requirements (setup.cfg: ``setuptools<80.9`` for
``import pkg_resources``), the others here.

Each repair is applied only if it is needed, may be applied twice, and says when it can go. The Pyramid
include and the Lambda handler call :func:`apply` or :func:`apply_to_caches` before they use pypicloud.
"""

from __future__ import annotations

import datetime
import inspect
import sys
from collections import namedtuple
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

ArgSpec = namedtuple("ArgSpec", "args varargs keywords defaults")


def includeme(config: Any) -> None:
    """Apply every repair: a Pyramid include that must run before pypicloud's views are scanned."""
    apply()
    _let_admin_page_load()
    _let_sql_access_backend_delete()
    _let_first_logins_come_together()
    _let_caches_keep_other_keys()
    _let_rebuilds_skip_deleted_files()


def apply() -> None:
    """Apply every repair that this environment needs."""
    _give_pyramid_duh_getargspec()
    apply_to_caches()


def apply_to_caches() -> None:
    """Apply the repairs that the function needs, which imports nothing of the web application.

    The repair of the web application imports Pyramid. The bundle has only a part of it, and another copy of
    pyramid_duh may be on the module path, for example in a layer.
    """
    _let_flywheel_load_datetimes()
    _let_sql_cache_be_imported()
    _let_caches_work_beside_the_function()


def _let_caches_work_beside_the_function() -> None:
    """Let the SQL cache meet other writers, and the DynamoDB cache be rebuilt: see the two modules.

    Only a cache whose libraries are installed is repaired. The bundle has only those of its own cache.
    """
    if find_spec("sqlalchemy") is not None:
        from .caches import sql_repairs

        sql_repairs.apply()
    if find_spec("flywheel") is not None:
        from .caches import dynamo_repairs

        dynamo_repairs.apply()


def _let_caches_keep_other_keys() -> None:
    """Let the server's uploads and deletions keep the other keys of a filename: see the module."""
    # By name: the bundle does not have the modules of the server's repairs.
    import_module(".caches.key_repairs", __package__).apply()


def _let_rebuilds_skip_deleted_files() -> None:
    """Let a rebuild go on if a file is deleted while it is listed: see the module."""
    import_module(".caches.storage_repairs", __package__).apply()


def _let_admin_page_load() -> None:
    """Give every access backend an empty list of pending users.

    pypicloud/static/js/admin.js asks every backend for pending users, but only mutable ones implement it. If
    the users are in the ini file, the request fails with status 500. Can go once pypicloud's IAccessBackend
    implements ``pending_users``, or its page does not ask.
    """
    from pypicloud.access.base import IAccessBackend

    if "pending_users" not in vars(IAccessBackend):
        IAccessBackend.pending_users = _no_users


def _no_users(self: Any) -> list[str]:
    return []


def _let_first_logins_come_together() -> None:
    """Load the context for passwords when the server starts, not with the first login.

    passlib's LazyCryptContext loads without a lock: if two threads check the first passwords at the same
    time, one request fails with status 500. Can go once pypicloud uses another context, or passlib locks
    this one.
    """
    from pypicloud.access import base

    create = base.get_pwd_context
    if getattr(create, "loads", False):
        return

    def get_pwd_context(*args: Any, **kwargs: Any) -> Any:
        context = create(*args, **kwargs)
        context.schemes()
        return context

    get_pwd_context.loads = True  # type: ignore[attr-defined]
    base.get_pwd_context = get_pwd_context


def _let_sql_access_backend_delete() -> None:
    """Let ``pypi.auth = sql`` delete users and groups with SQLAlchemy 2.

    pypicloud passes the condition to ``Table.delete``, which takes it in SQLAlchemy 1.4 only. Can go once
    pypicloud/access/sql.py (1.3.12 is the newest) calls ``delete().where(clause)``. Only its own table gets
    the method.
    """
    from pypicloud.access.sql import association_table

    delete = association_table.delete
    if inspect.signature(delete).parameters:
        return

    def delete_with_condition(whereclause: Any = None) -> Any:
        # SQLAlchemy's own unit of work calls it without a condition.
        return delete() if whereclause is None else delete().where(whereclause)

    association_table.delete = delete_with_condition


def _let_sql_cache_be_imported() -> None:
    """Import pypicloud's SQL cache, which passes ``convert_unicode`` to ``String``, with SQLAlchemy 2.

    SQLAlchemy 1.4 ignores the argument on Python 3, and 2.0 removed it. Can go once pypicloud/cache/sql.py
    (1.3.12 is the newest) does not pass it. ``String`` is replaced only during this import: other code may
    rely on its arguments.
    """
    if find_spec("sqlalchemy") is None or "pypicloud.cache.sql" in sys.modules:
        return
    import sqlalchemy

    string = sqlalchemy.String
    if "convert_unicode" in inspect.signature(string).parameters:
        return

    def string_without_convert_unicode(length: int, convert_unicode: bool) -> Any:
        return string(length)

    sqlalchemy.String = string_without_convert_unicode
    try:
        import_module("pypicloud.cache.sql")
    finally:
        sqlalchemy.String = string


def _give_pyramid_duh_getargspec() -> None:
    """Give ``pyramid_duh`` the function ``inspect.getargspec``, which Python 3.11 removed.

    Without it the server does not start. Can go once pyramid_duh (0.1.2 is the newest) calls
    ``getfullargspec``. Only its two modules get the function: other code may rely on ``inspect`` not having
    it.
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
    """Replace flywheel's method that loads a datetime, which raises TypeError at every DynamoDB read.

    It passes a Decimal to ``utcfromtimestamp``, which Python 3.10 no longer accepts. Can go once flywheel
    (0.5.4 is the newest) converts the value. The method is replaced, and no new type is registered, because a
    model that was imported earlier keeps the type that it was created with.
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
