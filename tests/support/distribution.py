"""Build the project's sdist and wheel, and install the wheel into a fresh environment, as a user would."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

ROOT = Path(__file__).parents[2]
#: What the tests' servers and databases need beside the package itself.
EXTRAS = "demo,mysql,postgres,redis"


@dataclass(frozen=True)
class Installed:
    """The wheel that was built, and the environment that it is installed in."""

    sdist: Path
    wheel: Path
    environment: Path

    @property
    def scripts(self) -> Path:
        """The directory of the environment's console scripts and of its Python."""
        return self.environment / "bin"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.scripts / "python"


@contextmanager
def installed_wheel() -> Iterator[Installed]:
    """Build the sdist from the checkout, the wheel from the sdist, and install the wheel."""
    with tempfile.TemporaryDirectory(prefix="tests-wheel-") as directory:
        dist, environment = Path(directory, "dist"), Path(directory, "environment")
        _uv("build", "--out-dir", dist, ROOT)
        (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
        _uv("venv", "--python", sys.executable, environment)
        installed = Installed(sdist, wheel, environment)
        _uv("pip", "install", "--python", installed.python, f"{wheel}[{EXTRAS}]")
        yield installed


def _uv(*arguments: str | Path) -> None:
    command = [uv.find_uv_bin(), *map(str, arguments), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(command)} failed:\n{result.stderr}"
