"""A zip whose bytes depend only on the names and contents of its files."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from pypicloud_s3sync.deploy.bundle import archive
from pypicloud_s3sync.exceptions import BundleError

FILES = {
    "pkg/module.py": b"x = 1\n" * 100,
    "pkg/_binary.cpython-312-x86_64-linux-gnu.so": b"\x7fELF" * 100,
    "lib/libfoo.so.1.2": b"\x7fELF",
    "pkg/__init__.py": b"",
    "data/é.txt": "é".encode(),
    "not_a_library.so.txt": b"text",
}


def opened(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


def test_the_standard_library_reads_the_zip_without_errors() -> None:
    with opened(archive.write_zip(FILES)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == FILES


def test_the_order_of_the_files_does_not_change_the_bytes() -> None:
    assert archive.write_zip(dict(reversed(FILES.items()))) == archive.write_zip(FILES)


def test_entries_are_sorted_and_have_a_fixed_date() -> None:
    entries = opened(archive.write_zip(FILES)).infolist()
    assert [entry.filename for entry in entries] == sorted(FILES)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("pkg/module.py", 0o644),
        ("pkg/__init__.py", 0o644),
        ("not_a_library.so.txt", 0o644),
        ("pkg/_binary.cpython-312-x86_64-linux-gnu.so", 0o755),
        ("lib/libfoo.so.1.2", 0o755),
    ],
)
def test_only_shared_objects_are_executable(name: str, mode: int) -> None:
    entry = opened(archive.write_zip(FILES)).getinfo(name)
    assert entry.create_system == 3  # Unix, which the mode belongs to
    assert entry.external_attr >> 16 == stat.S_IFREG | mode


def test_files_are_compressed() -> None:
    data = archive.write_zip({"zeros": bytes(100_000)})
    assert len(data) < 1000


def test_too_many_files_for_a_zip_without_extensions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_FILES", len(FILES))
    archive.write_zip(FILES)
    with pytest.raises(BundleError, match="a zip holds at most 6 files, but the bundle has 7: leave"):
        archive.write_zip({**FILES, "one more": b""})
