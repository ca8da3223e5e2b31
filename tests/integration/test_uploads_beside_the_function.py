"""pypicloud's application saves a file although the function inserts its row first, on real servers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from pypicloud.storage.s3 import S3Storage
from sqlalchemy.engine import Engine
from webtest import TestApp

from pypicloud_s3sync import handler
from support.apps import make_app, use_basic
from support.databases import Database, each, url_settings
from support.handlers import handler_for
from support.moto_world import notification_of
from support.sites import Site, ini_settings
from support.upstream import upstream_index

# pypicloud and WebOb leave the files of a request to the garbage collector.
pytestmark = [pytest.mark.untraced, pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")]

FILENAME, CONTENT = "pkg-1.0.tar.gz", b"content"
#: Settings of a site's DynamoDB cache, which an SQL cache refuses.
NOT_FOR_SQL = ("region_name", "host", "port", "aws_access_key_id", "aws_secret_access_key")


class Both:
    """pypicloud's application and the function, with one bucket and one database.

    Attributes
    ----------
    event : dict or None
        The event of an upload, until the function has handled it.
    saved : list of str
        The filenames that the function has saved.
    """

    def __init__(self, directory: Path, site: Site, database: Database) -> None:
        self.directory, self.site, self.database = directory, site, database
        self.event: dict[str, Any] | None = None
        self.saved: list[str] = []

    def app(self, **more: str) -> TestApp:
        """Return the application for an admin, with further settings."""
        unused = {f"db__{name}": None for name in NOT_FOR_SQL}
        given = {name.replace(".", "__"): value for name, value in self.database.settings.items()}
        return use_basic(make_app(self.directory, ini_settings(self.site, **unused, **given, **more)))

    def handle(self) -> None:
        """Let the function handle the event, if there is one."""
        event, self.event = self.event, None
        if event is not None:
            self.saved += handler.handle_s3_event(event, None)["saved"]
            assert self.rows() == [FILENAME], "the function has not committed its row"

    def rows(self) -> list[str]:
        """Return the filenames of the rows that are committed."""
        with self.database.cache() as cache:
            return [row.filename for name in cache.distinct() for row in cache.all(name)]


@pytest.fixture(params=each("postgres", "mysql"))
def both(
    request: pytest.FixtureRequest, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Both]:
    """Set up the application and the function for each database."""
    name: str = request.param
    database = Database(name, url_settings(name, request.getfixturevalue(f"{name}_url")))
    with handler_for(site, database.settings, monkeypatch):
        yield Both(tmp_path, site, database)
    # Now, and not during a test in which the warning of an open file is an error.
    gc.collect()


@pytest.fixture(params=["after the upload", "before the INSERT"], autouse=True)
def moment(request: pytest.FixtureRequest, both: Both, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the function handle an upload right after it, or when the application is about to add the row."""
    moment: str = request.param
    upload = S3Storage.upload

    def upload_and_send(storage: Any, package: Any, data: Any) -> None:
        upload(storage, package, data)
        both.event = notification_of(storage.get_path(package), bucket=both.site.bucket)
        if moment == "after the upload":
            both.handle()

    def before_execute(_: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT INTO packages"):
            both.handle()

    monkeypatch.setattr(S3Storage, "upload", upload_and_send)
    sqlalchemy.event.listen(Engine, "before_cursor_execute", before_execute)
    yield moment
    sqlalchemy.event.remove(Engine, "before_cursor_execute", before_execute)


def test_an_upload_by_twine_succeeds_although_the_function_has_inserted_its_row(both: Both) -> None:
    app = both.app()
    form = {":action": "file_upload", "protocol_version": "1", "name": "pkg", "version": "1.0"}
    app.post("/simple/", form, upload_files=[("content", FILENAME, CONTENT)], status=200)
    assert (both.saved, both.rows()) == ([FILENAME], [FILENAME])
    assert FILENAME in app.get("/simple/pkg/").text


def test_a_download_from_upstream_succeeds_although_the_function_has_inserted_its_row(both: Both) -> None:
    with upstream_index(both.directory / "upstream", "pkg", "1.0", FILENAME, CONTENT) as url:
        app = both.app(pypi__fallback="cache", pypi__fallback_base_url=url, pypi__use_json_scraper="true")
        response = app.get(f"/api/package/pkg/{FILENAME}", status=200)
    assert response.body == CONTENT
    assert (both.saved, both.rows()) == ([FILENAME], [FILENAME])
    assert FILENAME in app.get("/simple/pkg/").text
