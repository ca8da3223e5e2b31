"""The process of the console script."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

#: Replaces the command by one that prints what it sees of the garbage collector.
OBSERVED = """
import gc
from pypicloud_s3sync.cli import __main__ as module

def main():
    print(gc.isenabled(), gc.get_threshold()[0])
    return 3

module.main = main
frozen = gc.get_freeze_count()  # Python 3.12 begins with some hundreds
print(module.entrypoint(), gc.get_freeze_count() > frozen + 5_000)
"""


def test_a_command_runs_with_few_garbage_collections_and_without_one_at_its_end() -> None:
    process = subprocess.run([sys.executable, "-c", OBSERVED], capture_output=True, text=True, check=False)
    assert (process.stdout, process.stderr) == ("True 200000\n3 True\n", "")


def test_the_console_script_is_the_module_that_python_runs() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="ppc-s3sync")
    assert script.value == "pypicloud_s3sync.cli.__main__:entrypoint"
