"""Build the project's sdist and wheel, and install the wheel into a fresh environment, as a user would."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uv

from pypicloud_s3sync.devtools.processes import clean_environment

ROOT = Path(__file__).parents[2]
#: What the tests' servers and databases need beside the package itself.
EXTRAS = "demo,mysql,postgres,redis"
#: What decides the bundle's contents, in an ini.
INI = """\
[app:main]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = amzn-s3-demo-bucket
storage.region_name = us-east-1
pypi.db = dynamo
db.region_name = us-east-1
"""


@dataclass(frozen=True)
class Installed:
    """The built wheel, the environment with it, and the bundle for DynamoDB that it builds there."""

    sdist: Path
    wheel: Path
    environment: Path
    bundle: Path

    @property
    def scripts(self) -> Path:
        """The directory of the environment's console scripts and of its Python."""
        return self.environment / "bin"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.scripts / "python"


@pytest.fixture(scope="session")
def installed(shared: Any) -> Installed:
    """The wheel in a fresh environment."""
    wheel: Installed = shared("support.distribution:installed_wheel")
    return wheel


@contextmanager
def installed_wheel() -> Iterator[Installed]:
    """Build the sdist from the tracked files, the wheel from the sdist, and install the wheel."""
    with tempfile.TemporaryDirectory(prefix="tests-wheel-") as directory:
        source, dist, environment = (Path(directory, name) for name in ("source", "dist", "environment"))
        # An egg-info that an earlier build left in the checkout adds files which a clean clone lacks.
        for name in tracked_files():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
        _uv("build", "--out-dir", dist, source)
        (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
        _uv("venv", "--python", sys.executable, environment)
        installed = Installed(sdist, wheel, environment, Path(directory, "bundle.zip"))
        _uv("pip", "install", "--python", installed.python, f"{wheel}[{EXTRAS}]")
        _build_bundle(installed, Path(directory, "bundle.ini"))
        yield installed


def _build_bundle(installed: Installed, ini: Path) -> None:
    ini.write_text(INI)
    command = [str(installed.scripts / "ppc-s3sync"), "bundle", str(ini), "-o", str(installed.bundle)]
    result = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    assert result.returncode == 0, f"the bundle could not be built:\n{result.stderr}"


def tracked_files() -> list[str]:
    """Return the paths of the files under version control, relative to the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _uv(*arguments: str | Path) -> None:
    command = [uv.find_uv_bin(), *map(str, arguments), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(command)} failed:\n{result.stderr}"
