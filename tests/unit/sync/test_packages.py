from __future__ import annotations

import datetime
from typing import Any

import pytest
from pypicloud.models import Package

from pypicloud_s3sync.sync.packages import (
    StoredObject,
    keep_text,
    stored_object,
    to_package,
)

TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def stored(key: str, **metadata: str) -> StoredObject:
    return StoredObject(key, "etag", "version", TIME, metadata)


def test_a_package_has_what_the_metadata_says_and_the_time_of_the_object() -> None:
    package = to_package(
        stored(
            "b1a2/pkg/pkg-1.0.tar.gz",
            **{"name": "pkg", "version": "1.0", "summary": "A package", "requires-python": ">=3"},
            uploader="alice",
        ),
        Package,
    )
    assert package is not None
    assert (package.name, package.version, package.filename) == ("pkg", "1.0", "pkg-1.0.tar.gz")
    assert (package.last_modified, package.summary) == (TIME, "A package")
    assert package.data == {
        "path": "b1a2/pkg/pkg-1.0.tar.gz",
        "requires_python": ">=3",
        "uploader": "alice",
    }


@pytest.mark.parametrize(
    ("key", "metadata", "name", "version"),
    [
        pytest.param("x/My_Pkg-1.0.tar.gz", {}, "my-pkg", "1.0", id="no metadata"),
        pytest.param("x/My_Pkg-1.0-py3-none-any.whl", {}, "my-pkg", "1.0", id="a wheel without metadata"),
        pytest.param("x/pkg-1.0.tar.gz", {"name": "other"}, "pkg", "1.0", id="no version in the metadata"),
        pytest.param(
            "x/my-2-pkg-1.0.tar.gz",
            {"name": "my-2-pkg", "version": "1.0"},
            "my-2-pkg",
            "1.0",
            id="a filename that would be split wrongly",
        ),
    ],
)
def test_the_filename_names_a_package_only_if_the_metadata_does_not(
    key: str, metadata: dict[str, str], name: str, version: str
) -> None:
    package = to_package(stored(key, **metadata), Package)
    assert package is not None
    assert (package.name, package.version) == (name, version)


@pytest.mark.parametrize(
    "key", ["index.html", "x/unparsable.tar.gz", "x/not-a-wheel.whl", "x/broken.whl", "x/"], ids=str
)
def test_an_object_without_a_name_is_not_a_package(key: str) -> None:
    assert to_package(stored(key), Package) is None


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"name": "Other_Pkg"},
        {"name": "other", "version": "2"},
        {
            "name": "other",
            "version": "2",
            "requires_python": ">=3",
            "hash-md5": "1",
            "hash_sha256": "2",
            "summary": "A package",
            "uploader": "alice",
            "foreign": "x",
        },
    ],
    ids=["none", "a name", "name and version", "all"],
)
@pytest.mark.parametrize(
    "key", ["b1a2/pkg/My_Pkg-1.0.tar.gz", "x/My_Pkg-1.0-py3-none-any.whl", "x/page.html"]
)
def test_a_package_is_the_one_that_pypicloud_makes_of_the_object(key: str, metadata: dict[str, str]) -> None:
    from pypicloud.storage.s3 import S3Storage

    expected = S3Storage.package_from_object(stored(key, **metadata), Package)
    package = to_package(stored(key, **metadata), Package)
    assert (package and vars(package)) == (expected and vars(expected))


HEAD: dict[str, Any] = {
    "ETag": '"abc"',
    "LastModified": TIME,
    "Metadata": {"name": "pkg", "summary": ""},
    "ContentLength": 3,
}


def test_an_answer_to_head_object_becomes_an_object_without_its_empty_metadata() -> None:
    expected = StoredObject("x/pkg-1.0.tar.gz", '"abc"', None, TIME, {"name": "pkg"})
    assert stored_object("x/pkg-1.0.tar.gz", HEAD) == expected


def test_an_object_in_a_bucket_with_versioning_has_a_version() -> None:
    assert stored_object("x", {**HEAD, "VersionId": "v1"}).version_id == "v1"


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        ("Größe für Ünïcode", "Groe fur Unicode"),
        ("two  spaces and a\ttab", "two spaces and a tab"),
        (" around ", "around"),
        ("rocket 🚀", "rocket"),
        ("rocket 🚀", "rocket "),
        ("日本語", ""),
        ("plain", "plain"),
        (None, ""),
    ],
)
def test_the_text_of_a_row_is_kept_if_the_metadata_is_all_that_s3_can_hold_of_it(
    text: str | None, metadata: str
) -> None:
    path = "x/pkg-1.0.tar.gz"
    package = to_package(
        stored(path, name="pkg", version="1.0", summary=metadata, uploader=metadata), Package
    )
    row = Package("pkg", "1.0", "pkg-1.0.tar.gz", TIME, text, path=path, uploader=text)
    assert package is not None
    keep_text(package, row)
    assert (package.summary, package.data.get("uploader")) == (text, text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("Größer", "x/pkg-1.0.tar.gz", id="another text"),
        pytest.param("Größe", "y/pkg-1.0.tar.gz", id="another object"),
    ],
)
def test_the_text_of_a_row_is_not_kept_if_the_object_is_not_the_one_of_the_row(text: str, path: str) -> None:
    package = to_package(stored("x/pkg-1.0.tar.gz", name="pkg", version="1.0", summary="Groe"), Package)
    assert package is not None
    keep_text(package, Package("pkg", "1.0", "pkg-1.0.tar.gz", TIME, text, path=path))
    assert package.summary == "Groe"
