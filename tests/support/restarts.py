"""The servers of a panel's company: one can be killed and started again while a run of it goes on."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pypicloud_s3sync.demo.servers import TwoRegions
from pypicloud_s3sync.demo.tools import request
from pypicloud_s3sync.devtools.processes import SupervisedProcess, clean_environment, wait_until
from support.distribution import Installed


def make_scripts(installed: Installed, directory: Path) -> Path:
    """Make a directory of the installed scripts whose pserve has the same TMPDIR whenever it starts.

    A :class:`SupervisedProcess` has such a directory of its own, but a server's runs outlive it. The servers
    compare nothing when they start: if one found a difference, that run would be the last one.
    """
    scripts, temporary = directory / "bin", directory / "tmp"
    temporary.mkdir()
    scripts.mkdir()
    for path in installed.scripts.iterdir():
        (scripts / path.name).symlink_to(path)
    pserve = scripts / "pserve"
    pserve.unlink()
    variables = f"TMPDIR='{temporary}' PPC_S3SYNC_RECONCILE_ON_START=false"
    pserve.write_text(f"#!/bin/sh\n{variables} exec '{installed.scripts / 'pserve'}' \"$@\"\n")
    pserve.chmod(0o755)
    return scripts


def restart(company: TwoRegions) -> None:
    """Kill the second region's server and start it again."""
    region = company.second
    company.servers[region.name].stop()
    command = [str(company.scripts / "pserve"), str(region.ini)]
    company.servers[region.name] = SupervisedProcess(command, clean_environment())

    def is_healthy() -> bool:
        with contextlib.suppress(OSError):
            return request(f"{region.url}/health")[0] == 200
        return False

    wait_until(is_healthy, f"{region.url} answers", 60)


def run_process(company: TwoRegions) -> int:
    """Return the id of the process of the run of the company's second server."""
    temporary = f"TMPDIR={company.scripts.with_name('tmp')}".encode()

    def find() -> int | None:
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                arguments = (path / "cmdline").read_bytes().split(b"\0")
                if b"pypicloud-s3sync" in arguments and temporary in (path / "environ").read_bytes():
                    return int(path.name)
        return None

    return wait_until(find, "the run has a process") or 0
