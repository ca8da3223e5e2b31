"""The repairs let pypicloud run on current versions of Python, and change nothing else."""

from __future__ import annotations

import datetime
import inspect
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypicloud_s3sync import compat
from support.apps import make_file_app
from support.moto_world import World


def test_pypicloud_starts_with_the_include_and_answers(tmp_path: Path) -> None:
    app = make_file_app(tmp_path)
    assert set(app.get("/health").json) == {"access", "cache", "storage"}
    assert app.get("/health").status_code == 200
    assert "<html>" in app.get("/simple/").text.lower()


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
