"""What ``pip install pypicloud-s3sync`` brings: the sdist, the wheel, and the panel that the wheel serves."""

from __future__ import annotations

import re
import subprocess
import tarfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.devtools.processes import clean_environment
from support.development import DevelopmentServer, development_server
from support.distribution import ROOT, Installed, tracked_files

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

#: What the page that an administrator sees names: in attributes, and in the script that starts the panel.
ADDRESS = re.compile(r"""["']([^"'\s]*/s3sync/[^"'\s]+\.(?:css|html|js))["']""")


#: The package's files that are under version control.
PACKAGE = {name for name in tracked_files() if name.startswith("pypicloud_s3sync/")}


def test_the_wheel_has_every_file_of_the_package_and_no_other(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == PACKAGE


def test_the_sdist_has_every_file_of_the_package(installed: Installed) -> None:
    with tarfile.open(installed.sdist) as sdist:
        packed = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    assert packed >= PACKAGE


def test_the_package_is_imported_from_the_fresh_environment(installed: Installed, tmp_path: Path) -> None:
    command = [str(installed.python), "-c", "import pypicloud_s3sync; print(pypicloud_s3sync.__file__)"]
    # The interpreter puts the working directory first on its path.
    found = subprocess.run(
        command, capture_output=True, text=True, check=True, env=clean_environment(), cwd=tmp_path
    )
    assert Path(found.stdout.strip()).is_relative_to(installed.environment)


@pytest.fixture(scope="module")
def server(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """pypicloud, served from the fresh environment."""
    with development_server(installed.scripts / "pserve", tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(server: DevelopmentServer) -> urllib.request.OpenerDirector:
    """A session that is logged in as an administrator."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    form = urllib.parse.urlencode({"username": "admin", "password": "admin"}).encode()
    opener.open(f"{server.url}/acct/login", data=form).close()
    return opener


def test_every_file_that_the_admin_page_names_is_served(
    server: DevelopmentServer, admin: urllib.request.OpenerDirector
) -> None:
    with admin.open(f"{server.url}/") as page:
        named = {urllib.parse.urljoin(page.url, found) for found in ADDRESS.findall(page.read().decode())}
    files = {path.name for path in ROOT.glob("pypicloud_s3sync/web/static/*") if path.is_file()}
    assert {Path(urllib.parse.urlsplit(address).path).name for address in named} == files
    for address in named:
        with admin.open(address) as file:
            name = Path(urllib.parse.urlsplit(address).path).name
            source = next(ROOT.glob(f"pypicloud_s3sync/**/static/{name}"))
            assert file.read() == source.read_bytes(), address


def test_the_panels_routes_answer_an_administrator(
    server: DevelopmentServer, admin: urllib.request.OpenerDirector
) -> None:
    with admin.open(f"{server.url}/admin/s3sync") as status:
        assert '"state": "off"' in status.read().decode()
