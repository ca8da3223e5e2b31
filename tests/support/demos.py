"""The demo as a process of its own, also with parts left out, and its regions seen from outside."""

from __future__ import annotations

import os
import re
import subprocess
from configparser import RawConfigParser, SectionProxy
from dataclasses import dataclass
from pathlib import Path

from pypicloud_s3sync.demo.servers import Region
from pypicloud_s3sync.devtools.emulator import EmbeddedAws, is_emulator
from support.distribution import Installed

DEMO = ["-m", "pypicloud_s3sync.demo"]
CHANGED = """
import sys
from pypicloud_s3sync.demo import __main__ as demo, servers, story
from pypicloud_s3sync.exceptions import S3SyncError

def nothing(*arguments):
    pass

def fail(*arguments):
    raise S3SyncError("not today")

pserve = sys.argv.pop(1)
servers.script = lambda name, scripts: pserve
{changes}
sys.exit(demo.main())
"""
QUICK_DEMO = ["-c", CHANGED.format(changes="")]
DEMO_WITHOUT_STORY = ["-c", CHANGED.format(changes="story.tell = nothing")]
DEMO_THAT_FAILS = ["-c", CHANGED.format(changes="story.replicate = nothing; story.enable = fail")]


@dataclass(frozen=True)
class Demo:
    """A demo that has told its story and keeps everything running; its files are below ``temporary``."""

    process: subprocess.Popen[str]
    temporary: Path
    printed: str

    def regions(self) -> list[Region]:
        """Return the regions that the demo names at the end of its story."""
        line = r"(?m)^(\S+): http://localhost:(\d+)  login admin / admin  ini (\S+)$"
        return [
            Region(name, settings(Path(ini))["storage.bucket"], int(port), Path(ini))
            for name, port, ini in re.findall(line, self.printed)
        ]


class RunningAws(EmbeddedAws):
    """An emulator that another process has started."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    @property
    def running(self) -> bool:
        return is_emulator(self.endpoint_url)


def settings(ini: Path) -> SectionProxy:
    """Return the application's settings in an ini file."""
    parser = RawConfigParser()
    parser.read(ini)
    return parser["app:main"]


def start(installed: Installed, arguments: list[str], temporary: Path) -> subprocess.Popen[str]:
    """Start the Python of the installed package, outside of the checkout."""
    return subprocess.Popen(
        [str(installed.python), *arguments],
        cwd=installed.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    )


def read_to(text: str, demo: subprocess.Popen[str]) -> str:
    """Return what a demo prints up to the line with a text."""
    assert demo.stdout is not None
    printed = ""
    for line in demo.stdout:
        printed += line
        if text in line:
            return printed
    raise AssertionError(f"the demo ended before it printed {text!r}:\n{printed}")
