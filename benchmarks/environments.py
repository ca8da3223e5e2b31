"""Build the bundles of both sides and unpack them, with the environment that pypicloud's own needs.

Everything is kept in ``build/benchmarks``, and built anew if a version changes.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import uv

from pypicloud_s3sync.deploy.bundle import Bundle, BundleSpec, build, host_target
from pypicloud_s3sync.devtools.processes import clean_environment

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "benchmarks"
SCRIPTS = Path(__file__).parent / "scripts"
#: pypicloud's own package set, the virtualenv that its recipe runs, and a driver for PostgreSQL.
PEER = ("pypicloud[dynamo,redis]==1.3.12", "virtualenv", "psycopg2-binary")
#: The versions that let pypicloud 1.3.12 run: it imports ``pkg_resources``, and passes ``convert_unicode``
#: to SQLAlchemy's ``String``. Its SDK is the one that the other side uses.
PINS = (
    "setuptools<80.9",
    "SQLAlchemy<2",
    *(f"{name}=={metadata.version(name)}" for name in ("boto3", "botocore")),
)


@dataclass(frozen=True)
class Peer:
    """An environment with pypicloud 1.3.12.

    Parameters
    ----------
    directory : pathlib.Path
        Its virtual environment.
    constraints : pathlib.Path
        The file of its pins.
    """

    directory: Path
    constraints: Path

    def build(self) -> bytes:
        """Return the bundle that pypicloud's recipe builds; the packages come from pip's cache."""
        target = self.directory / "bundle.zip"
        environment = {
            "PATH": f"{self.directory / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PIP_CONSTRAINT": str(self.constraints),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        _run([self.directory / "bin" / "python", SCRIPTS / "recipe.py", target], environment)
        return target.read_bytes()


def peer() -> Peer:
    """Return the peer's environment; create it if it does not exist."""
    constraints = BUILD / "peer-constraints.txt"
    BUILD.mkdir(parents=True, exist_ok=True)
    constraints.write_text("".join(f"{pin}\n" for pin in PINS))
    directory = BUILD / f"peer-{_digest(sys.version, *PEER, *PINS)}"
    if not (directory / "installed").exists():
        _uv("venv", "--clear", "--python", sys.executable, directory)
        _uv(
            "pip",
            "install",
            "--python",
            directory / "bin" / "python",
            "--compile-bytecode",
            *PEER,
            "-c",
            constraints,
        )
        (directory / "installed").touch()
    return Peer(directory, constraints)


def peer_bundle() -> bytes:
    """Return the peer's bundle; build it if it does not exist."""
    environment = peer()
    bundle = environment.directory / "bundle.zip"
    return bundle.read_bytes() if bundle.exists() else environment.build()


def sdk() -> Path:
    """Return a directory with the AWS SDK, which Lambda's runtime has beside every bundle."""
    pins = [pin for pin in PINS if pin.startswith("boto")]
    directory = BUILD / f"sdk-{_digest(sys.version, *pins)}"
    if not directory.exists():
        _uv("pip", "install", "--python", sys.executable, "--target", directory, "--compile-bytecode", *pins)
    return directory


def own_bundle(cache: str, db_url: str | None = None) -> Bundle:
    """Return this project's bundle for a cache, on this host."""
    return build(BundleSpec(host_target(), cache, db_url))


def unpack(data: bytes, name: str) -> Path:
    """Return the directory of an unpacked bundle."""
    directory = BUILD / name
    shutil.rmtree(directory, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        bundle.extractall(directory)
    return directory


def unpacked_peer() -> Path:
    """Return the directory of the peer's unpacked bundle, at its best.

    The bytecode that pip compiles is checked against the time of its source, and outdated in a zip. So it is
    compiled anew, as this project's bundle is: without that check.
    """
    directory = BUILD / f"task-{peer().directory.name}"
    if (directory / "lambda_script.py").exists():
        return directory
    unpacked = unpack(peer_bundle(), "unpacking")
    shutil.copy(SCRIPTS / "bench_repairs.py", unpacked)
    mode = ("--invalidation-mode", "unchecked-hash")
    _run([sys.executable, "-m", "compileall", "-q", "-f", *mode, unpacked], allowed={0, 1})
    unpacked.rename(directory)
    return directory


def binaries(data: bytes) -> int:
    """Return the number of binaries in a bundle."""
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return sum(name.endswith(".so") or ".so." in name for name in bundle.namelist())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _uv(*arguments: str | Path) -> None:
    _run([uv.find_uv_bin(), *arguments, "--quiet"])


def _run(
    command: list[str | Path],
    extra: dict[str, str] | None = None,
    allowed: frozenset[int] | set[int] = frozenset({0}),
) -> None:
    result = subprocess.run(
        [str(part) for part in command], env=clean_environment(extra), capture_output=True, text=True
    )
    if result.returncode not in allowed:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{result.stdout}\n{result.stderr}")
