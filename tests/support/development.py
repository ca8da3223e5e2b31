"""Serve ``development.ini`` on free ports, with an embedded AWS of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pypicloud_s3sync.devtools.ports import free_port, is_in_use
from pypicloud_s3sync.devtools.processes import clean_environment, wait_until


@dataclass(frozen=True)
class DevelopmentServer:
    """A pypicloud server that runs, and the port of its AWS."""

    url: str
    aws_port: int


@contextmanager
def development_server(pserve: Path, directory: Path) -> Iterator[DevelopmentServer]:
    """Write the ini with the installed package, and run ``pserve development.ini`` until the block ends.

    Parameters
    ----------
    pserve : Path
        The console script to run. The interpreter beside it writes the ini.
    directory : Path
        An existing directory for the ini and for the server's temporary files.
    """
    http_port, aws_port = free_port(), free_port()
    ini, temporary = directory / "development.ini", directory / "tmp"
    temporary.mkdir()
    # If the server ends at once, its comparison would wait for the emulator that has ended with it.
    own = {"TMPDIR": str(temporary), "PPC_S3SYNC_RECONCILE_ON_START": "false"}
    environment = clean_environment(own)
    write = [str(pserve.with_name("python")), "-m", "pypicloud_s3sync.demo", "--write-ini"]
    subprocess.run(write, env=environment, cwd=directory, check=True)
    ini.write_text(on_other_ports(ini.read_text(), http_port, aws_port))
    process = subprocess.Popen([str(pserve), str(ini)], env=environment, cwd=directory)
    url = f"http://localhost:{http_port}"
    try:
        wait_until(lambda: _serves(process, http_port), f"{url} answers", 60)
        yield DevelopmentServer(url, aws_port)
    finally:
        process.terminate()
        process.wait()


def _serves(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, f"pserve has ended with exit status {process.returncode}"
    return is_in_use(port)


def on_other_ports(ini: str, http_port: int, aws_port: int) -> str:
    """Return the ini with its two ports changed, as its own comment suggests."""
    for name, port in (("http_port", http_port), ("aws_port", aws_port)):
        ini, changed = re.subn(rf"(?m)^{name} = \d+$", f"{name} = {port}", ini)
        assert changed == 1
    return ini
