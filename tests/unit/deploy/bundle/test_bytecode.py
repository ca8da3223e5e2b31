"""Files are compiled under any name that a package may give them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import host_target
from pypicloud_s3sync.deploy.bundle.bytecode import compile_files

TAG = sys.implementation.cache_tag


@pytest.mark.parametrize(
    "name", ["a\tb", "a\nb", "a\rb", "it's", 'a"b', "a b", "é", "日本", "a\\b", "a\u2028b"]
)
@pytest.mark.parametrize("pattern", ["{}.py", "{}/__init__.py"])
def test_a_file_is_compiled_whatever_its_name_contains(tmp_path: Path, name: str, pattern: str) -> None:
    path = pattern.format(name)
    source = tmp_path / "sources" / path
    source.parent.mkdir(parents=True)
    source.write_text("VALUE = 1\n")
    compiled = compile_files({path: source}, host_target(), sys.executable, tmp_path / "compiled")
    directory, _, stem = path.removesuffix(".py").rpartition("/")
    expected = f"{directory}/__pycache__/{stem}".removeprefix("/") + f".{TAG}.pyc"
    assert list(compiled) == [expected]
    assert f"/var/task/{path}".encode() in compiled[expected].read_bytes()


def test_a_file_that_is_not_valid_in_the_targets_python_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("print 1\n")
    files = {"broken.py": tmp_path / "broken.py"}
    assert compile_files(files, host_target(), sys.executable, tmp_path / "compiled") == {}
