"""pypicloud's web application with this add-on, and clients of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plaster
from webtest import TestApp

PASSWORD = "secret"
#: The users are ``admin``, who is an admin, and ``mallory``.
INI = """
[app:main]
use = egg:pypicloud
pyramid.includes = pypicloud_s3sync
pypi.default_read = everyone
auth.admins = admin
user.admin = {password}
user.mallory = {password}
session.encrypt_key = ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0LWtleS0wMDE=
session.validate_key = ZGV2ZWxvcG1lbnQtb25seS12YWxpZGF0ZS1rZXktMDE=
session.secure = false
# A process for each application of the tests would slow them down; those that need it set it again.
s3sync.reconcile_on_start = {on_start}
"""
#: Settings with which S3 sync cannot work.
FILES = """
pypi.storage = file
storage.dir = {directory}/packages
db.url = sqlite:///{directory}/db.sqlite
"""


def hashed(password: str) -> str:
    """Return the hash of a password for an ini."""
    from passlib.hash import sha512_crypt

    digest: str = sha512_crypt.using(rounds=1000).hash(password)
    return digest.replace("%", "%%")


def make_app(directory: Path, settings: str, *, on_start: bool = False) -> TestApp:
    """Return pypicloud's application with further settings, from an ini in a directory."""
    path = directory / "server.ini"
    path.write_text(INI.format(password=hashed(PASSWORD), on_start=on_start) + settings)
    uri = plaster.parse_uri(str(path))
    # Named so, plaster reads the metadata of its own distribution only, not of all.
    uri.scheme = f"plaster_pastedeploy+{uri.scheme}"
    return TestApp(plaster.get_loader(uri, protocols=["wsgi"]).get_wsgi_app())


def make_file_app(directory: Path) -> TestApp:
    """Return pypicloud's application with packages in files, so that it needs no AWS."""
    return make_app(directory, FILES.format(directory=directory))


def use_basic(app: TestApp, user: str = "admin") -> TestApp:
    """Send HTTP Basic credentials with every request."""
    app.authorization = ("Basic", (user, PASSWORD))
    return app


def log_in(app: TestApp, user: str = "admin") -> str | None:
    """Log in with a session, as a browser does; return the CSRF token of its pages, if they have one."""
    app.post_json("/acct/login", {"username": user, "password": PASSWORD})
    page: str = app.get("/").text
    return page.split('token: "')[1].split('"')[0] if "S3SYNC" in page else None


def lines(response: Any) -> list[dict[str, Any]]:
    """Return the lines of a streamed response."""
    assert response.content_type == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]
