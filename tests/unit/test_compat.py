"""The repairs let pypicloud run on current versions of Python, and change nothing else."""

from __future__ import annotations

import datetime
import inspect
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pypicloud.util import EnvironSettings
from webtest import TestApp

from pypicloud_s3sync import compat
from support.apps import make_file_app
from support.moto_world import World


def test_pypicloud_starts_with_the_include_and_answers(tmp_path: Path) -> None:
    app = make_file_app(tmp_path)
    assert set(app.get("/health").json) == {"access", "cache", "storage"}
    assert app.get("/health").status_code == 200
    assert "<html>" in app.get("/simple/").text.lower()


def test_the_first_logins_may_come_at_the_same_time(tmp_path: Path) -> None:
    """A context that is loaded by the first login is loaded by each of them."""
    from passlib.context import CryptContext, LazyCryptContext

    make_file_app(tmp_path)
    from pypicloud.access.base import get_pwd_context

    context = get_pwd_context("sha", 1000)
    assert isinstance(context, CryptContext)
    assert type(context) is not LazyCryptContext
    assert context.verify("secret", context.hash("secret"))


@pytest.mark.parametrize("order", [("pypicloud", "pypicloud_s3sync"), ("pypicloud_s3sync", "pypicloud")])
def test_a_larger_application_may_include_pypicloud_and_the_add_on_in_either_order(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    from pyramid.config import Configurator

    config = Configurator(
        settings={
            "pypi.storage": "file",
            "storage.dir": str(tmp_path / "packages"),
            "db.url": f"sqlite:///{tmp_path}/db.sqlite",
            "session.encrypt_key": "ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0LWtleS0wMDE=",
            "session.validate_key": "ZGV2ZWxvcG1lbnQtb25seS12YWxpZGF0ZS1rZXktMDE=",
        }
    )
    for name in order:
        config.include(name)
    config.scan("pypicloud.views")
    app = TestApp(config.make_wsgi_app())
    assert app.get("/health").status_code == 200
    assert app.get("/admin/s3sync", status=401)


def test_dynamodb_rows_are_written_and_read(world: World) -> None:
    modified = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    world.cache.save(world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", modified, "A package"))
    row = world.cache.fetch("pkg-1.0.tar.gz")
    assert (row.name, row.version, row.summary, row.last_modified) == ("pkg", "1.0", "A package", modified)
    assert world.cache.distinct() == ["pkg"]


def test_applying_the_repairs_twice_changes_nothing_the_second_time() -> None:
    from flywheel.fields.types import DateTimeType
    from pyramid_duh import params, view

    compat.apply()
    before = DateTimeType.ddb_load, params.inspect, view.inspect
    compat.apply()
    assert before == (DateTimeType.ddb_load, params.inspect, view.inspect)


def test_a_naive_datetime_field_stays_naive() -> None:
    from flywheel.fields.types import DateTimeType

    compat.apply()
    assert DateTimeType(naive=True).ddb_load(Decimal("0.25")) == datetime.datetime(
        1970, 1, 1, 0, 0, 0, 250000
    )


def test_the_inspect_module_itself_does_not_change() -> None:
    compat.apply()
    assert not hasattr(inspect, "getargspec")


def test_a_version_of_flywheel_that_works_is_not_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    from flywheel.fields.types import DateTimeType

    def works(self: Any, value: Decimal) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(float(value), datetime.UTC)

    monkeypatch.setattr(DateTimeType, "ddb_load", works)
    compat.apply()
    assert DateTimeType.ddb_load is works


def test_pyramid_duh_finds_getargspec_and_the_rest_of_inspect() -> None:
    from pyramid_duh import params

    compat.apply()
    spec = params.inspect.getargspec(lambda a, b=1, *c, **d: None)
    assert (spec.args, spec.varargs, spec.keywords, spec.defaults) == (["a", "b"], "c", "d", (1,))
    assert params.inspect.isfunction(compat.apply)


# SQLAlchemy 1.4 and 2


def test_the_sql_cache_is_imported_and_sqlalchemy_stays_as_it_is() -> None:
    script = (
        "import sqlalchemy; before = dict(vars(sqlalchemy))\n"
        "from pypicloud_s3sync import compat; compat.apply(); compat.apply()\n"
        "from pypicloud.cache.sql import SQLPackage\n"
        "assert SQLPackage.__table__.c.version.type.length == 1000\n"
        "assert type(SQLPackage.__table__.c.version.type) is before['String'] is sqlalchemy.String\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Any]:
    """pypicloud's users and groups in SQLite: alice and bob are in the groups staff and guests."""
    make_file_app(tmp_path)
    from pypicloud.access.sql import SQLAccessBackend

    settings = EnvironSettings({"auth.db.url": f"sqlite:///{tmp_path}/users.db"}, {})
    access = SQLAccessBackend(**SQLAccessBackend.configure(settings))
    for group in ("staff", "guests"):
        access.create_group(group)
    for user in ("alice", "bob"):
        access.register(user, "password")
        access.approve_user(user)
        for group in ("staff", "guests"):
            access.edit_user_group(user, group, True)
    access.db.commit()
    yield access
    access.db.close()
    access._dbmaker.kw["bind"].dispose()


def test_users_and_groups_in_sql_can_be_deleted(access: Any) -> None:
    access.delete_user("alice")
    access.db.commit()
    assert access.group_members("staff") == ["bob"]
    access.delete_group("staff")
    access.db.commit()
    assert access.groups("bob") == ["guests"]


def test_a_user_in_sql_can_be_removed_from_a_group(access: Any) -> None:
    """SQLAlchemy itself deletes the row of the association table then."""
    access.edit_user_group("bob", "guests", False)
    access.db.commit()
    assert access.group_members("guests") == ["alice"]
    assert sorted(access.group_members("staff")) == ["alice", "bob"]


def test_other_tables_of_sqlalchemy_are_not_repaired(access: Any) -> None:
    from pypicloud.access.sql import User

    assert "delete" not in vars(User.__table__)


def test_the_function_does_not_touch_the_web_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer may contain pyramid_duh, which would import what the bundle's part of Pyramid does not have."""
    monkeypatch.setattr(compat, "_give_pyramid_duh_getargspec", lambda: pytest.fail("it imports Pyramid"))
    compat.apply_to_caches()
