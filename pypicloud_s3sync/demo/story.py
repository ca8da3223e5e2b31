"""Run the steps of the demo: a package gets from one region to another, is installed there and is deleted.

Each function is a step. It returns once its effect can be seen, and raises an error if that does not happen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..devtools.processes import wait_until
from ..exceptions import S3SyncError
from .servers import Region, TwoRegions
from .tools import PASSWORD, USER, request
from .transcript import Transcript
from .wheel import Wheel, build


def tell(company: TwoRegions, transcript: Transcript) -> None:
    """Run all steps.

    Parameters
    ----------
    company : TwoRegions
    transcript : Transcript

    Raises
    ------
    HopError
        If a step fails.
    """
    first, second = company.first, company.second
    with transcript.hop("ppc-s3sync replicate", f"{first.name}, {second.name}"):
        replicate(company, transcript)
    for region in (first, second):
        with transcript.hop("ppc-s3sync enable", region.name):
            enable(company, region, transcript)
    with transcript.hop("build a wheel", "this machine"):
        wheel = build(company.workspace, "hello-regions", "1.0")
    with transcript.hop("upload it with twine", first.name):
        upload(company, first, wheel)
    with transcript.hop("replicate the object", f"{first.name} -> {second.name}"):
        wait_for_object(company, second, wheel, present=True)
    with transcript.hop("ppc-s3sync wait", second.name):
        wait_for_file(company, second, wheel)
    with transcript.hop("see it in /simple/", second.name):
        wait_until_listed(company, second, wheel)
    with transcript.hop("make a fresh environment", "this machine"):
        python = make_environment(company)
    with transcript.hop("install it with pip", second.name):
        install(company, python, second, wheel)
    with transcript.hop("run it", "this machine"):
        call(company, python, wheel)
    with transcript.hop("ppc-s3sync compare", f"{first.name}, {second.name}"):
        compare(company, transcript)
    with transcript.hop("delete it", first.name):
        delete(first, wheel)
    with transcript.hop("replicate the delete marker", f"{first.name} -> {second.name}"):
        wait_for_object(company, second, wheel, present=False)
    with transcript.hop("see it disappear from /simple/", second.name):
        wait_until_unlisted(company, second, wheel)


def replicate(company: TwoRegions, transcript: Transcript) -> None:
    """Run the real ``ppc-s3sync replicate`` on both ini files, and show what it prints."""
    inis = [str(region.ini) for region in (company.first, company.second)]
    transcript.line(f"$ ppc-s3sync replicate {' '.join(inis)}")
    company.run(["ppc-s3sync", "replicate", *inis], lambda line: transcript.line(f"  {line}"))


def enable(company: TwoRegions, region: Region, transcript: Transcript) -> None:
    """Run the real ``ppc-s3sync enable`` on the region's ini file, and show what it prints."""
    transcript.line(f"$ ppc-s3sync enable {region.ini}")
    company.run(["ppc-s3sync", "enable", str(region.ini)], lambda line: transcript.line(f"  {line}"))


def upload(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Upload the wheel with the real ``twine``."""
    login = ["--username", USER, "--password", PASSWORD, "--non-interactive", "--disable-progress-bar"]
    company.run(["twine", "upload", "--repository-url", f"{region.url}/simple/", *login, str(wheel.path)])


def wait_for_object(company: TwoRegions, region: Region, wheel: Wheel, *, present: bool) -> None:
    """Wait until the region's bucket contains the wheel, or no longer contains it."""
    s3 = company.aws.client("s3", region.name)

    def arrived() -> bool:
        company.check_running()
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=region.bucket).get("Contents", [])]
        return any(key.endswith(f"/{wheel.filename}") for key in keys) is present

    verb = "contains" if present else "no longer contains"
    with replicator_explained(company):
        wait_until(arrived, f"{region.bucket} {verb} {wheel.filename}")


def wait_for_file(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Run the real ``ppc-s3sync wait``, which returns once the region can serve the wheel."""
    with replicator_explained(company):
        company.run(["ppc-s3sync", "wait", str(region.ini), wheel.filename, "--timeout", "60"])


def compare(company: TwoRegions, transcript: Transcript) -> None:
    """Run the real ``ppc-s3sync compare`` on both ini files, and show what it prints."""
    inis = [str(region.ini) for region in (company.first, company.second)]
    transcript.line(f"$ ppc-s3sync compare {' '.join(inis)}")
    company.run(["ppc-s3sync", "compare", *inis], lambda line: transcript.line(f"  {line}"))


@contextmanager
def replicator_explained(company: TwoRegions) -> Iterator[None]:
    """Add the replicator's last failure to an error of the block."""
    try:
        yield
    except S3SyncError as error:
        cause = company.replicator.error
        raise S3SyncError(f"{error} (the replicator failed: {cause})" if cause else str(error)) from None


def wait_until_listed(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Wait until the index lists the package, and the page of the package lists the file."""

    def listed() -> bool:
        company.check_running()
        return _lists_name(region, wheel) and _lists_file(region, wheel)

    with replicator_explained(company):
        wait_until(listed, f"{region.url}/simple/ lists {wheel.filename}", 60)


def wait_until_unlisted(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Wait until neither the index nor the page of the package lists the wheel."""

    def unlisted() -> bool:
        company.check_running()
        return not _lists_name(region, wheel) and not _lists_file(region, wheel)

    with replicator_explained(company):
        wait_until(unlisted, f"{region.url}/simple/ no longer lists {wheel.filename}", 60)


def make_environment(company: TwoRegions) -> Path:
    """Create a fresh virtual environment without pip and return the path of its Python."""
    directory = company.workspace / "environment"
    company.run([sys.executable, "-m", "venv", "--without-pip", str(directory)])
    return directory / "bin" / "python"


def install(company: TwoRegions, python: Path, region: Region, wheel: Wheel) -> None:
    """Install the wheel with the real ``pip``, only from this region."""
    # An environment with a pip of its own takes seconds to create. pip has --python since version 22.3.
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    source = ["--index-url", f"{region.url}/simple/"]
    company.run([*pip, "install", *source, f"{wheel.name}=={wheel.version}"])


def call(company: TwoRegions, python: Path, wheel: Wheel) -> None:
    """Call the installed package's function."""
    output = company.run([str(python), "-c", f"import {wheel.module}; print({wheel.module}.greet())"])
    if output != wheel.greeting:
        raise S3SyncError(f"the installed package prints {output!r}, not {wheel.greeting!r}")


def delete(region: Region, wheel: Wheel) -> None:
    """Delete the wheel through pypicloud's HTTP API."""
    status, body = request(f"{region.url}/api/package/{wheel.name}/{wheel.filename}", "DELETE")
    if status != 200:
        raise S3SyncError(f"cannot delete {wheel.filename} at {region.url}: status {status}: {body[:300]}")


def _lists_name(region: Region, wheel: Wheel) -> bool:
    status, page = request(f"{region.url}/simple/")
    return status == 200 and f">{wheel.name}<" in page


def _lists_file(region: Region, wheel: Wheel) -> bool:
    status, page = request(f"{region.url}/simple/{wheel.name}/")
    return status == 200 and wheel.filename in page
