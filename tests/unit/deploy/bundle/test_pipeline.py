"""A ready zip is checked before it is deployed."""

from __future__ import annotations

import io
import zipfile
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
