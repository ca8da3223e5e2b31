"""Import a finished zip as Lambda will: in a clean interpreter, with nothing beside it but the SDK."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...exceptions import BundleError
from .backends import cache_needs
from .interpreters import clean_environment
from .models import BundleSpec

_SCRIPT = Path(__file__).parent / "scripts" / "probe.py"

#: What Lambda's Python runtimes have beside the standard library, as modules.
_SDK_MODULES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

#: What is imported, before the cache's own.
_MODULES = ("lambda_script", "pypicloud_s3sync.handler", "pypicloud_s3sync.compat", "pypicloud.storage.s3")

_TIMEOUT = 120  # seconds


def verify(data: bytes, spec: BundleSpec, python: str) -> None:
    """Unpack a zip and import the handler, the storage and the cache from it.

    Parameters
    ----------
    data : bytes
        The zip.
    spec : BundleSpec
        What it was built from.
    python : str
        An interpreter of the target's version.

    Raises
    ------
    BundleError
        Something cannot be imported; names the module that is missing.
    """
    with tempfile.TemporaryDirectory(prefix="ppc-s3sync-") as directory:
        task, sdk = Path(directory, "task"), Path(directory, "sdk")
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            bundle.extractall(task)
        link_sdk(sdk)
        modules = [*_MODULES, *cache_needs(spec).modules]
        question = {"path": [str(task), str(sdk)], "modules": modules, "cache": spec.cache}
        answer = _ask(python, question)
    if answer:
        raise BundleError(_explain(answer, spec))


def link_sdk(directory: Path) -> None:
    """Make a directory of links to the host's SDK, where nothing else of its ``site-packages`` is."""
    directory.mkdir()
    for name in _SDK_MODULES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise BundleError(f"{name}, which boto3 brings, is not installed here: pip install boto3")
        origin = Path(spec.origin)
        place = origin.parent if origin.name == "__init__.py" else origin
        (directory / place.name).symlink_to(place)


def _ask(python: str, question: dict[str, Any]) -> dict[str, Any]:
    # -B: the links lead to the host's files, which must not get bytecode of another Python.
    command = [python, "-I", "-S", "-B", str(_SCRIPT)]
    try:
        result = subprocess.run(
            command,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            env=clean_environment(),
        )
        answer: dict[str, Any] = json.loads(result.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{python} could not try the bundle: {error}: run it by hand to see why") from error
    return answer


def _explain(answer: dict[str, Any], spec: BundleSpec) -> str:
    importing, missing = answer["importing"], answer["missing"]
    if missing:
        return (
            f"the bundle for {spec.target} does not work: {importing} needs the module {missing}, "
            "which is not in it: add the package that has it to s3sync.extra_packages"
        )
    reason = " ".join(answer["error"].split())
    return (
        f"the bundle for {spec.target} does not work: importing {importing} fails ({reason}): "
        "choose another s3sync.runtime, or install a version here that runs on it"
    )
