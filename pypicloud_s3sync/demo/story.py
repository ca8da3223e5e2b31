"""What happens: a package goes from region one to region two, is used there, and goes again.

Every function is one hop; each waits until what it says is true, and raises where it does not become so.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..devtools.processes import wait_until
from ..exceptions import S3SyncError
from .report import Transcript
from .servers import PASSWORD, USER, Region, TwoRegions, request
from .wheel import Wheel, build


def tell(company: TwoRegions, report: Transcript) -> None:
    """The whole story; it held where no error is raised.

    Parameters
    ----------
    company : TwoRegions
    report : Transcript

    Raises
    ------
    HopFailed
        At the first hop that does not happen.
    """
    first, second = company.first, company.second
    for region in (first, second):
        with report.hop("ppc-s3sync enable", region.name):
            enable(company, region, report)
    with report.hop("build a wheel", "this machine"):
        wheel = build(company.workspace, "hello-regions", "1.0")
    with report.hop("upload it with twine", first.name):
        upload(company, first, wheel)
    with report.hop("replicate the object", f"{first.name} -> {second.name}"):
        wait_for_object(company, second, wheel, there=True)
    with report.hop("see it in /simple/", second.name):
        wait_until_listed(company, second, wheel)
    with report.hop("make a fresh environment", "this machine"):
        python = make_environment(company)
    with report.hop("install it with pip", second.name):
        install(company, python, second, wheel)
    with report.hop("run it", "this machine"):
        call(company, python, wheel)
    with report.hop("delete it", first.name):
        delete(first, wheel)
    with report.hop("replicate the delete marker", f"{first.name} -> {second.name}"):
        wait_for_object(company, second, wheel, there=False)
    with report.hop("see it vanish from /simple/", second.name):
        wait_until_vanished(company, second, wheel)


def enable(company: TwoRegions, region: Region, report: Transcript) -> None:
    """Run the real ``ppc-s3sync enable`` on the region's ini, and show what it prints."""
    report.line(f"$ ppc-s3sync enable {region.ini}")
    company.run(["ppc-s3sync", "enable", str(region.ini)], lambda line: report.line(f"  {line}"))


def upload(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Upload with the real ``twine``."""
    login = ["--username", USER, "--password", PASSWORD, "--non-interactive", "--disable-progress-bar"]
    company.run(["twine", "upload", "--repository-url", f"{region.url}/simple/", *login, str(wheel.path)])


def wait_for_object(company: TwoRegions, region: Region, wheel: Wheel, *, there: bool) -> None:
    """Wait until the region's bucket has the wheel, or has it no more."""
    s3 = company.aws.client("s3", region.name)

    def arrived() -> bool:
        company.check_running()
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=region.bucket).get("Contents", [])]
        return any(key.endswith(f"/{wheel.filename}") for key in keys) is there

    try:
        wait_until(arrived, f"{region.bucket} {'has' if there else 'has no'} {wheel.filename}")
    except S3SyncError as error:
        cause = company.replicator.error
        raise S3SyncError(f"{error} (the replicator: {cause})" if cause else str(error)) from None


def wait_until_listed(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Wait until the index lists the name, and the name's page the file."""

    def listed() -> bool:
        company.check_running()
        return _lists_name(region, wheel) and _lists_file(region, wheel)

    wait_until(listed, f"{region.url}/simple/ lists {wheel.filename}", 60)


def wait_until_vanished(company: TwoRegions, region: Region, wheel: Wheel) -> None:
    """Wait until neither the index nor the name's page lists it."""

    def vanished() -> bool:
        company.check_running()
        return not _lists_name(region, wheel) and not _lists_file(region, wheel)

    wait_until(vanished, f"{region.url}/simple/ lists {wheel.filename} no more", 60)


def make_environment(company: TwoRegions) -> Path:
    """A fresh virtual environment; the path of its Python."""
    directory = company.workspace / "environment"
    company.run([sys.executable, "-m", "venv", str(directory)])
    return directory / "bin" / "python"


def install(company: TwoRegions, python: Path, region: Region, wheel: Wheel) -> None:
    """Install with the real ``pip``, from this region and nowhere else."""
    source = ["--index-url", f"{region.url}/simple/"]
    company.run([str(python), "-m", "pip", "install", *source, f"{wheel.name}=={wheel.version}"])


def call(company: TwoRegions, python: Path, wheel: Wheel) -> None:
    """Call the installed package's function."""
    said = company.run([str(python), "-c", f"import {wheel.module}; print({wheel.module}.greet())"])
    if said != wheel.greeting:
        raise S3SyncError(f"the installed package says {said!r}, not {wheel.greeting!r}")


def delete(region: Region, wheel: Wheel) -> None:
    """Delete through pypicloud's HTTP API."""
    status, body = request(f"{region.url}/api/package/{wheel.name}/{wheel.filename}", "DELETE")
    if status != 200:
        raise S3SyncError(f"DELETE of {wheel.filename} at {region.url} answered {status}: {body[:300]}")


def _lists_name(region: Region, wheel: Wheel) -> bool:
    status, page = request(f"{region.url}/simple/")
    return status == 200 and f">{wheel.name}<" in page


def _lists_file(region: Region, wheel: Wheel) -> bool:
    status, page = request(f"{region.url}/simple/{wheel.name}/")
    return status == 200 and wheel.filename in page
