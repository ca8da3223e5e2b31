"""Describe a target by its wheel tags and environment markers, and choose a target for this host."""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Iterator

from packaging.markers import default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags

from ...config.runtimes import ARCHITECTURES, default_runtime
from .models import Target

#: The oldest glibc, as the minor version, that has a ``manylinux`` tag, by machine (PEP 600).
_OLDEST_GLIBC_MINOR = {"x86_64": 5, "aarch64": 17}

#: The tags from before PEP 600, by the minor version of the glibc that they stand for (PEP 513, 571, 599).
_OLD_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


def host_target(architecture: str = "x86_64") -> Target:
    """Return the target with this host's Python, or the closest one if Lambda does not have that."""
    return Target(default_runtime(emulated=True), architecture)


def host_can_run(target: Target) -> bool:
    """Return whether a Python of the target's version can load the target's binaries on this host."""
    same_machine = platform.machine() == ARCHITECTURES[target.architecture]
    return same_machine and sys.platform == "linux" and platform.libc_ver()[0] == "glibc"


@functools.cache
def tags(target: Target) -> frozenset[Tag]:
    """Return every wheel tag that runs on the target.

    A plain ``linux_x86_64`` is not among them: such a wheel was compiled on this host, against its C library.
    """
    version = target.python
    interpreter = f"cp{version[0]}{version[1]}"
    names = list(_manylinux(target))
    return frozenset(
        [
            *cpython_tags(version, abis=[interpreter], platforms=names),
            *compatible_tags(version, interpreter=interpreter, platforms=names),
        ]
    )


def _manylinux(target: Target) -> Iterator[str]:
    major, newest = target.glibc
    for minor in range(newest, _OLDEST_GLIBC_MINOR[target.machine] - 1, -1):
        yield f"manylinux_{major}_{minor}_{target.machine}"
        if minor in _OLD_NAMES:
            yield f"{_OLD_NAMES[minor]}_{target.machine}"


def python_full_version(target: Target) -> str:
    """Return a full version of the target's Python for comparisons: late, because Lambda updates runtimes."""
    return "{}.{}.99".format(*target.python)


def marker_environments(target: Target) -> Iterator[dict[str, str]]:
    """Yield the values of PEP 508's environment markers on the target, then those on this host.

    The latter only if the running Python has the target's version: the bundle is imported with it before it
    is deployed, and an emulator runs it. Debian 12, for example, has 3.11.2, on which redis needs a package
    that it does not need since 3.11.3.
    """
    on_lambda = marker_environment(target)
    yield on_lambda
    if sys.version_info[:2] == target.python:
        here = default_environment()
        release = {name: here[name] for name in ("implementation_version", "python_full_version")}
        yield {**on_lambda, **release}


def marker_environment(target: Target) -> dict[str, str]:
    """Return the values of PEP 508's environment markers on the target."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python_full_version(target),
        "os_name": "posix",
        "platform_machine": target.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python_full_version(target),
        "python_version": "{}.{}".format(*target.python),
        "sys_platform": "linux",
    }
