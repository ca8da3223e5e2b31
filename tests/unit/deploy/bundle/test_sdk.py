from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore
import pytest

from pypicloud_s3sync.deploy.bundle import sdk
from pypicloud_s3sync.exceptions import BundleError

Processes = list[subprocess.Popen[bytes]]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Collect the processes that are started."""
    started: Processes = []

    class Collected(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Collected)
    return started


@pytest.fixture
def other_python(tmp_path: Path) -> str:
    """Return the path of an interpreter that is not this one."""
    path = tmp_path / "python"
    path.symlink_to(sys.executable)
    return str(path)


def bytecode(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*.pyc")}


@pytest.mark.parametrize("python", [sys.executable, None])
def test_this_python_finds_the_bytecode_beside_the_hosts_sdk(
    python: str | None, processes: Processes
) -> None:
    with sdk.host_sdk(python) as directory:
        assert (directory / "botocore").resolve() == Path(botocore.__file__).parent
        assert {path.name for path in directory.iterdir()} == {"six.py", *sdk._MODULES} - {"six"}
    assert not directory.exists()
    assert processes == []


def test_another_python_compiles_the_sdk_into_the_directory_and_not_beside_the_hosts(
    processes: Processes, other_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "_IMPORT", sdk._IMPORT.replace("botocore.session", "jmespath"))
    host = Path(botocore.__file__).parent.with_name("jmespath")
    before = bytecode(host)
    with sdk.host_sdk(other_python) as directory:
        (process,) = processes
        assert process.wait() == 0
        compiled = bytecode(directory / "jmespath")
        assert f"parser.{sys.implementation.cache_tag}.pyc" in compiled
        assert (directory / "botocore" / "data").resolve() == Path(botocore.__file__).parent / "data"
        assert not list(directory.rglob("__pycache__/__pycache__"))
    assert bytecode(host) == before
    assert not directory.exists()


def test_the_process_ends_with_the_block(
    processes: Processes, other_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "_IMPORT", "import time; time.sleep(600)")
    with pytest.raises(BundleError), sdk.host_sdk(other_python):
        raise BundleError("too large")
    (process,) = processes
    assert process.returncode is not None


def test_a_host_without_the_sdk_is_told_to_install_it(
    monkeypatch: pytest.MonkeyPatch, other_python: str
) -> None:
    def find(name: str) -> None:
        return None

    monkeypatch.setattr(sdk, "find_spec", find)
    with (
        pytest.raises(BundleError, match="not installed here: pip install boto3"),
        sdk.host_sdk(other_python),
    ):
        pass
