"""Import a finished zip as Lambda does: in a clean interpreter, with only the AWS SDK next to it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...exceptions import BundleError
from .backends import cache_needs, dialect_modules
from .interpreters import clean_environment
from .models import BundleSpec

_SCRIPT = Path(__file__).parent / "scripts" / "probe.py"

#: The modules that Lambda's Python runtimes have in addition to the standard library.
_SDK_MODULES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

#: The modules to import, before those of the cache.
_MODULES = ("lambda_script", "pypicloud_s3sync.handler", "pypicloud_s3sync.compat", "pypicloud.storage")

_TIMEOUT = 120  # seconds


@contextmanager
def checking(python: str | None) -> Iterator[Check | None]:
    """Start the interpreter of the check, so that it is ready when the zip is; end it after the block.

    It can compile the SDK meanwhile: the host has no bytecode of it for another version of Python than this.

    Parameters
    ----------
    python : str or None
        An interpreter of the target's version; without one, there is no check.

    Raises
    ------
    BundleError
        The host has no SDK, or the interpreter does not start.
    """
    if python is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ppc-s3sync-") as directory:
        sdk = Path(directory, "sdk")
        link_sdk(sdk)
        # -B: the links lead to the host's files, next to which another Python must not write bytecode.
        command = [python, "-I", "-S", "-B", str(_SCRIPT), *([] if python == sys.executable else [str(sdk)])]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=clean_environment(),
            )
        except OSError as error:
            raise _cannot_verify(python, error) from error
        with process:
            try:
                yield Check(process, python, Path(directory, "task"), sdk)
            finally:
                process.kill()


@dataclass(frozen=True)
class Check:
    """An interpreter that imports a finished zip, once.

    Parameters
    ----------
    process : subprocess.Popen
    python : str
        The interpreter.
    task : Path
        The directory to unpack the zip into.
    sdk : Path
        The directory of the SDK.
    """

    process: subprocess.Popen[str]
    python: str
    task: Path
    sdk: Path

    def run(self, data: bytes, spec: BundleSpec) -> None:
        """Unpack a zip and import the handler, the storage and the cache from it.

        Parameters
        ----------
        data : bytes
            The zip.
        spec : BundleSpec
            The spec that the zip was built from.

        Raises
        ------
        BundleError
            If an import fails. If a module is missing, the message names it.
        """
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            bundle.extractall(self.task)
        modules = [*_MODULES, *cache_needs(spec).modules, *dialect_modules(spec)]
        failure = self._probe(
            {"path": [str(self.task), str(self.sdk)], "modules": modules, "cache": spec.cache}
        )
        if failure:
            raise BundleError(_explain(failure, spec))

    def _probe(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            result, _ = self.process.communicate(json.dumps(request), _TIMEOUT)
            failure: dict[str, Any] = json.loads(result)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise _cannot_verify(self.python, error) from error
        return failure


def _cannot_verify(python: str, error: Exception) -> BundleError:
    return BundleError(f"{python} cannot verify the bundle ({error}): check that the interpreter runs")


def link_sdk(directory: Path) -> None:
    """Create a directory with links to the host's SDK, and to nothing else in its ``site-packages``."""
    directory.mkdir()
    for name in _SDK_MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise BundleError(f"{name}, a requirement of boto3, is not installed here: pip install boto3")
        origin = Path(spec.origin)
        module = origin.parent if origin.name == "__init__.py" else origin
        (directory / module.name).symlink_to(module)


def _explain(failure: dict[str, Any], spec: BundleSpec) -> str:
    importing, missing = failure["importing"], failure["missing"]
    if missing:
        return (
            f"the bundle for {spec.target} does not work: {importing} needs the module {missing}, which the"
            " bundle does not contain: add the package that contains it to s3sync.extra_packages"
        )
    reason = " ".join(failure["error"].split())
    return (
        f"the bundle for {spec.target} does not work: importing {importing} fails ({reason}):"
        " choose another s3sync.runtime, or install a version here that runs on it"
    )
