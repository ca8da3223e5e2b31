"""Give the check of a bundle the host's AWS SDK, with bytecode for the Python that runs the check."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ...exceptions import BundleError
from .interpreters import clean_environment

#: The modules that Lambda's Python runtimes have in addition to the standard library.
_MODULES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
#: Imports what a function imports of them.
_IMPORT = "import sys; sys.path.insert(0, sys.argv[1]); import botocore.session"


@contextmanager
def host_sdk(python: str | None) -> Iterator[Path]:
    """Yield a directory with the host's SDK, and with nothing else of its ``site-packages``.

    The host has no bytecode of it for another version of Python, which would need half a second to compile it
    during the check. A process does that now, while the bundle is built. If it is not done by the time of the
    check, or fails, the check compiles what is left.

    Parameters
    ----------
    python : str or None
        The interpreter of the check; None if there is none.

    Raises
    ------
    BundleError
        The host has no SDK.
    """
    with tempfile.TemporaryDirectory(prefix="ppc-s3sync-") as parent:
        directory = Path(parent, "sdk")
        if python in (None, sys.executable):
            link_sdk(directory)
            yield directory
            return
        link_sdk(directory, _link_sources)
        process = subprocess.Popen(
            [str(python), "-I", "-S", "-W", "ignore", "-c", _IMPORT, str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        try:
            yield directory
        finally:
            process.kill()
            process.wait()


def link_sdk(directory: Path, link: Callable[[str, str], None] = os.symlink) -> None:
    """Create a directory with links to the host's SDK, and to nothing else in its ``site-packages``."""
    directory.mkdir()
    for name in _MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise BundleError(f"{name}, a requirement of boto3, is not installed here: pip install boto3")
        origin = Path(spec.origin)
        module = origin.parent if origin.name == "__init__.py" else origin
        link(str(module), str(directory / module.name))


def _link_sources(source: str, target: str) -> None:
    """Link to a module, but not to a directory in which another Python would write bytecode."""
    if not os.path.exists(f"{source}/__init__.py"):
        os.symlink(source, target)
        return
    os.mkdir(target)
    for entry in os.scandir(source):
        if not entry.is_dir():
            os.symlink(entry.path, f"{target}/{entry.name}")
        elif entry.name != "__pycache__":
            _link_sources(entry.path, f"{target}/{entry.name}")
