"""A ready zip is checked before it is deployed."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import Bundle, load
from pypicloud_s3sync.exceptions import BundleError

MEBIBYTE = 1024**2
HANDLER = ("lambda_script.py", "pypicloud_s3sync/handler.py")


def zip_of(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, "text")
    return data.getvalue()


def test_a_ready_zip_is_loaded_unchanged(tmp_path: Path) -> None:
    data = zip_of(*HANDLER)
    (tmp_path / "output.zip").write_bytes(data)
    assert load(tmp_path / "output.zip") == Bundle(data, 8)


def test_a_file_that_is_not_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(BundleError, match=r"text.zip is not a zip \("):
        load(tmp_path / "text.zip")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot read .*absent.zip \(No such file"):
        load(str(tmp_path / "absent.zip"))


@pytest.mark.parametrize("missing", HANDLER)
def test_a_zip_without_the_handler_is_refused(tmp_path: Path, missing: str) -> None:
    (tmp_path / "other.zip").write_bytes(zip_of(*(name for name in HANDLER if name != missing)))
    with pytest.raises(BundleError, match=f"other.zip does not contain {missing}: create it with"):
        load(tmp_path / "other.zip")


def test_an_error_names_the_address_that_the_user_knows(tmp_path: Path) -> None:
    (tmp_path / "download.zip").write_bytes(zip_of("other.py"))
    with pytest.raises(BundleError, match=r"^s3://bucket/key does not contain"):
        load(tmp_path / "download.zip", "s3://bucket/key")


def test_a_ready_zip_of_more_than_250_mib_unzipped_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "huge.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in HANDLER:
            archive.writestr(name, "")
        with archive.open("huge", "w") as huge:
            for _ in range(251):
                huge.write(bytes(MEBIBYTE))
    with pytest.raises(BundleError, match=r"huge.zip has 251 MiB unzipped"):
        load(tmp_path / "huge.zip")


def patched(offset: int, value: bytes, *, signature: bytes = b"PK\1\2") -> bytes:
    """Return a zip with other bytes in the last of its headers with a signature."""
    data = zip_of(*HANDLER)
    start = data.rindex(signature) + offset
    return data[:start] + value + data[start + len(value) :]


def corrupted() -> bytes:
    """Return a zip in which a byte of a file differs."""
    data = zip_of(*HANDLER)
    position = data.index(b"text")
    return data[:position] + b"T" + data[position + 1 :]


def compressed_by(method: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name in HANDLER:
            archive.writestr(name, "text" * 100)
    return data.getvalue()


def undecodable() -> bytes:
    """Return a zip with a name that claims to be UTF-8 and is not."""
    return zip_of(*HANDLER, "é.py").replace("é.py".encode(), b"\xff\xfe.py")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: patched(6, bytes([99])), "is not a zip .*version 9.9"),
        (lambda: patched(8, b"\1"), "is encrypted"),
        (lambda: zip_of(*HANDLER)[:-30], "is not a zip"),
        (lambda: zip_of(*HANDLER)[:20], "is not a zip"),
        (lambda: b"", "is not a zip"),
        (corrupted, "'lambda_script.py' is damaged"),
        (lambda: patched(0, b"XX", signature=b"PK\3\4"), "handler.py' is damaged"),
        (undecodable, "is not a zip"),
        (lambda: compressed_by(zipfile.ZIP_LZMA), "another method than deflate"),
        (lambda: zip_of(*HANDLER, "/etc/passwd"), "'/etc/passwd' is not a relative path"),
        (lambda: zip_of(*HANDLER, "a/../../b.py"), r"'a/../../b.py' is not a relative path"),
        (lambda: zip_of(*HANDLER, "./b.py"), "'./b.py' is not a relative path"),
        (lambda: zip_of(*HANDLER, "a\\b.py"), "is not a relative path"),
        (lambda: zip_of(*HANDLER, "a//b.py"), "is not a relative path"),
        (lambda: zip_of(*HANDLER, "a\nb/../c.py"), "is not a relative path"),
        (lambda: zip_of(*HANDLER, HANDLER[0]), "'lambda_script.py' is in it more than once"),
        (lambda: zip_of(*HANDLER, "lambda_script.py/b"), "in a directory that is also a file"),
    ],
    ids=[
        *("version 99", "encrypted", "truncated", "truncated early", "empty", "bad CRC", "bad header"),
        *("not UTF-8", "LZMA", "absolute", "parent", "dot", "backslash", "two slashes", "newline", "twice"),
        "file and directory",
    ],
)
def test_a_zip_that_lambda_could_not_unpack_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[], bytes], reason: str
) -> None:
    path = tmp_path / "given.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile's, about the duplicate
        path.write_bytes(make())
    with pytest.raises(BundleError, match=reason) as refused:
        load(path)
    assert str(refused.value).startswith(str(path))
    assert "ppc-s3sync bundle -o FILE" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["pkg/tab\there.txt", "pkg/é.txt", "pkg/a b.txt", "pkg/", "it's.txt"])
def test_an_unusual_name_is_not_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "given.zip").write_bytes(zip_of(*HANDLER, name))
    load(tmp_path / "given.zip")


@pytest.mark.parametrize("path", ["directory", "a\0b"])
def test_a_path_that_is_not_a_file_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(BundleError, match=r"^cannot read .*: set s3sync\.bundle to a zip"):
        load(str(tmp_path / path))
