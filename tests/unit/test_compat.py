import datetime
import inspect
from decimal import Decimal

import pytest
from pyramid.paster import get_app
from webtest import TestApp

from pypicloud_s3sync import compat

INI = """
[app:main]
use = egg:pypicloud
pyramid.includes = pypicloud_s3sync
pypi.storage = file
storage.dir = {folder}/packages
db.url = sqlite:///{folder}/db.sqlite
pypi.default_read = everyone
auth.admins = admin
user.admin = x
session.encrypt_key = ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0LWtleS0wMDE=
session.validate_key = ZGV2ZWxvcG1lbnQtb25seS12YWxpZGF0ZS1rZXktMDE=
"""


@pytest.fixture
def ini(tmp_path):
    path = tmp_path / "server.ini"
    path.write_text(INI.format(folder=tmp_path))
    return path


def test_pypicloud_starts_with_the_include_and_answers(ini):
    app = TestApp(get_app(str(ini)))
    assert set(app.get("/health").json) == {"access", "cache", "storage"}
    assert app.get("/health").status_code == 200
    assert "<html>" in app.get("/simple/").text.lower()


def test_a_larger_app_may_include_pypicloud_and_this_in_either_order(tmp_path):
    from pyramid.config import Configurator

    for order in (("pypicloud", "pypicloud_s3sync"), ("pypicloud_s3sync", "pypicloud")):
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


def test_dynamodb_rows_are_written_and_read(world):
    modified = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    world.cache.save(world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", modified, "A package"))
    row = world.cache.fetch("pkg-1.0.tar.gz")
    assert (row.name, row.version, row.summary, row.last_modified) == ("pkg", "1.0", "A package", modified)
    assert world.cache.distinct() == ["pkg"]


def test_applying_twice_changes_nothing_the_second_time():
    from flywheel.fields.types import DateTimeType
    from pyramid_duh import params, view

    compat.apply()
    before = DateTimeType.ddb_load, params.inspect, view.inspect
    compat.apply()
    assert before == (DateTimeType.ddb_load, params.inspect, view.inspect)


def test_a_naive_datetime_field_stays_naive():
    from flywheel.fields.types import DateTimeType

    compat.apply()
    assert DateTimeType(naive=True).ddb_load(Decimal("0.25")) == datetime.datetime(
        1970, 1, 1, 0, 0, 0, 250000
    )


def test_inspect_itself_is_left_as_python_has_it():
    compat.apply()
    assert not hasattr(inspect, "getargspec")


def test_a_flywheel_that_works_is_left_alone(monkeypatch):
    from flywheel.fields.types import DateTimeType

    def works(self, value):
        return datetime.datetime.fromtimestamp(float(value), datetime.UTC)

    monkeypatch.setattr(DateTimeType, "ddb_load", works)
    compat.apply()
    assert DateTimeType.ddb_load is works


def test_pyramid_duh_finds_getargspec_and_the_rest_of_inspect():
    from pyramid_duh import params

    compat.apply()
    spec = params.inspect.getargspec(lambda a, b=1, *c, **d: None)
    assert (spec.args, spec.varargs, spec.keywords, spec.defaults) == (["a", "b"], "c", "d", (1,))
    assert params.inspect.isfunction(compat.apply)
