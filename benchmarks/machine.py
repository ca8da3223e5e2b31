"""Name the machine and the day of a measurement."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """The machine and the date of a measurement.

    Parameters
    ----------
    cpu, system, python : str
        The model of the processor, the operating system and the version of Python.
    cores : int
        The number of cores that this process may use.
    load : float
        The load average of the last minute when the measurement began. Above 1, others used the machine.
    date : str
        The day, in ISO format.
    """

    cpu: str
    cores: int
    system: str
    python: str
    load: float
    date: str

    def __str__(self) -> str:
        busy = f", load {self.load:.1f} when it began" if self.load > 1 else ""
        return f"{self.cpu}, {self.cores} cores, {self.system}, Python {self.python}, {self.date}{busy}"


def this_machine() -> Machine:
    """Return the machine that this process runs on, and today's date."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 1),
        date=datetime.date.today().isoformat(),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
