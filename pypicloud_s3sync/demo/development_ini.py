"""Write development.ini: a server on this machine, with an AWS emulator."""

from __future__ import annotations

import shlex
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path


def write_ini(path: Path) -> int:
    """Write the ini file of the development server, and say how to start it. Keep an existing file.

    Return the exit status: 2 if the file cannot be written.
    """
    text = files(__package__).joinpath("development.ini").read_text()
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        print(f"cannot write {path} ({error.strerror}): name another file", file=sys.stderr)
        return 2
    print(
        f"{path} is for a server on this machine only. Start it, and log in as admin with the password admin:"
    )
    print(f"  pserve {shlex.quote(str(path))}")
    print("  http://localhost:6543")
    if find_spec("ministack") is None:
        print("It needs the AWS emulator: pip install 'pypicloud-s3sync[demo]'")
    return 0
