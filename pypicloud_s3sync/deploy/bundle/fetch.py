"""Download wheels for another platform or Python version with uv."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import uv

from ...exceptions import BundleError
from ..cache_home import cache_home
from .closure import Part, runs_on
from .models import Target

#: uv's names of the glibc versions. It has none between 2.17 and 2.28, so python3.11, which has 2.26, gets
#: wheels for 2.17. cryptography, whose wheel for a current host needs 2.34, has one for 2.17 as well.
_UV_GLIBC = {(2, 26): "manylinux_2_17", (2, 34): "manylinux_2_34"}

_TIMEOUT = 600  # seconds


def platform_name(target: Target) -> str:
    """Return uv's name of the target's platform, for example ``aarch64-manylinux_2_34``."""
    return f"{target.machine}-{_UV_GLIBC[target.glibc]}"


def fetch(
    parts: list[Part], target: Target, directory: Path, advice: Callable[[], str] = str
) -> dict[str, metadata.Distribution]:
    """Install the wheels of parts into a directory, with one call of uv.

    Parameters
    ----------
    parts : list of Part
        Parts that have a ``fetch``.
    target : Target
    directory : Path
        An empty directory to install into.
    advice : callable, optional
        Returns what to set so that nothing need be fetched, for the error of an index that does not answer.

    Returns
    -------
    dict
        The distribution of each part, by the part's name.

    Raises
    ------
    BundleError
        If a wheel does not exist for the target, or the index cannot be reached.
    """
    requirements = [part.fetch for part in parts if part.fetch]
    with _cache_options() as options:
        _install(requirements, target, directory, options, advice)
    return {part.name: _fetched(part, target, directory) for part in parts}


@contextmanager
def _cache_options() -> Iterator[list[str]]:
    """Yield uv's options for its cache: a temporary one if its own cannot be written.

    A service account may have no home directory, or one that it cannot write to. ``UV_CACHE_DIR`` is a choice
    of the user, so uv reports an error for that.
    """
    if os.environ.get("UV_CACHE_DIR") or _is_writable(_cache_directory()):
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="ppc-s3sync-uv-") as directory:
        yield ["--cache-dir", directory]


def _cache_directory() -> Path:
    """Return uv's default: https://docs.astral.sh/uv/reference/storage/#cache-directory."""
    return cache_home() / "uv"


def _is_writable(directory: Path) -> bool:
    if not directory.is_absolute():
        # The user has no home directory, so "~" is not one.
        return False
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _install(
    requirements: list[str], target: Target, directory: Path, options: list[str], advice: Callable[[], str]
) -> None:
    arguments = [
        *("pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--python", sys.executable, "--target", str(directory)),
        *("--python-version", "{}.{}".format(*target.python), "--python-platform", platform_name(target)),
        *options,
        *requirements,
    ]
    try:
        command = [uv.find_uv_bin(), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"uv cannot fetch {', '.join(requirements)}: {error}: run it again") from error
    if result.returncode:
        raise BundleError(_explain(requirements, target, result.stderr, advice))


def _explain(requirements: list[str], target: Target, stderr: str, advice: Callable[[], str]) -> str:
    reason = " ".join(stderr.replace("╰─▶", "").replace("│", "").split())
    if "No solution found" not in reason:
        instead = advice()
        return (
            f"uv cannot fetch {', '.join(requirements)} for {target}: check the network and the index"
            f" (UV_DEFAULT_INDEX){f', or {instead}' if instead else ''}, or build elsewhere and set"
            f" s3sync.bundle (uv reports: {reason})"
        )
    missing = [line for line in requirements if line in reason or line.partition("==")[0] in reason]
    return (
        f"there is no wheel of {', '.join(missing or requirements)} for {target}: choose another"
        f" s3sync.runtime or s3sync.architecture, or install a version that has one (uv reports: {reason})"
    )


def _fetched(part: Part, target: Target, directory: Path) -> metadata.Distribution:
    name = str(part.fetch).partition("==")[0]
    distribution = next(iter(metadata.distributions(name=name, path=[str(directory)])), None)
    if distribution is None or not runs_on(distribution, target):
        raise BundleError(
            f"uv fetched no {part.fetch} that runs on {target}:"
            " choose another s3sync.runtime or s3sync.architecture"
        )
    return distribution
