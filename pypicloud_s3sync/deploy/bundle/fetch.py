"""Fetch wheels for another platform or Python with uv, which can choose for a target that is not the host."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import uv

from ...exceptions import BundleError
from .closure import Part, runs_on
from .models import Target

#: uv's names of the glibc versions. It has none between 2.17 and 2.28, so python3.11, which has 2.26, gets
#: wheels for 2.17. cryptography, whose wheel for a current host needs 2.34, has one for 2.17 as well.
_UV_GLIBC = {(2, 26): "manylinux_2_17", (2, 34): "manylinux_2_34"}

_TIMEOUT = 600  # seconds


def platform_name(target: Target) -> str:
    """Return uv's name of the target's platform, for example ``aarch64-manylinux_2_34``."""
    return f"{target.machine}-{_UV_GLIBC[target.glibc]}"


def fetch(parts: list[Part], target: Target, directory: Path) -> dict[str, metadata.Distribution]:
    """Install the wheels of parts into a directory, with one call of uv.

    Parameters
    ----------
    parts : list of Part
        Parts that have a ``fetch``.
    target : Target
    directory : Path
        An empty directory to install into.

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
    command = [
        *(uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--python", sys.executable, "--target", str(directory)),
        *("--python-version", "{}.{}".format(*target.python), "--python-platform", platform_name(target)),
        *requirements,
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"uv cannot fetch {', '.join(requirements)}: {error}: run it again") from error
    if result.returncode:
        raise BundleError(_explain(requirements, target, result.stderr))
    return {part.name: _fetched(part, target, directory) for part in parts}


def _explain(requirements: list[str], target: Target, stderr: str) -> str:
    reason = " ".join(stderr.replace("╰─▶", "").replace("│", "").split())
    if "No solution found" not in reason:
        return (
            f"uv cannot fetch {', '.join(requirements)} for {target}: check the network and the index"
            f" (UV_DEFAULT_INDEX), or build elsewhere and set s3sync.bundle (uv reports: {reason})"
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
