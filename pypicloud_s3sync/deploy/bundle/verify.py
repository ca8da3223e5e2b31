"""Import a finished zip as Lambda does: in a clean interpreter, with only the AWS SDK next to it."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ...exceptions import BundleError
from .backends import cache_needs, dialect_modules
from .interpreters import clean_environment
from .models import BundleSpec

_SCRIPT = Path(__file__).parent / "scripts" / "probe.py"

#: The modules to import, before those of the cache.
_MODULES = ("lambda_script", "pypicloud_s3sync.handler", "pypicloud_s3sync.compat", "pypicloud.storage")

_TIMEOUT = 120  # seconds


def verify(data: bytes, spec: BundleSpec, python: str, sdk: Path) -> None:
    """Unpack a zip and import the handler, the storage and the cache from it.

    Parameters
    ----------
    data : bytes
        The zip.
    spec : BundleSpec
        The spec that the zip was built from.
    python : str
        An interpreter of the target's version.
    sdk : Path
        A directory with the AWS SDK.

    Raises
    ------
    BundleError
        If an import fails. If a module is missing, the message names it.
    """
    with tempfile.TemporaryDirectory(prefix="ppc-s3sync-") as directory:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            bundle.extractall(directory)
        modules = [*_MODULES, *cache_needs(spec).modules, *dialect_modules(spec)]
        request = {"path": [directory, str(sdk)], "modules": modules, "cache": spec.cache}
        failure = _run_probe(python, request)
    if failure:
        raise BundleError(_explain(failure, spec))


def _run_probe(python: str, request: dict[str, Any]) -> dict[str, Any]:
    # -B: the links lead to the host's files, next to which another Python must not write bytecode.
    command = [python, "-I", "-S", "-B", str(_SCRIPT)]
    try:
        result = subprocess.run(
            command,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            env=clean_environment(),
        )
        failure: dict[str, Any] = json.loads(result.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise BundleError(
            f"{python} cannot verify the bundle ({error}): check that the interpreter runs"
        ) from error
    return failure


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
