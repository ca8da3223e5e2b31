from __future__ import annotations

from random import Random

import pytest
from distlib import DistlibException
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.spelling import is_spelled, normal_version
from pypicloud_s3sync.reconcile.state import State
from support.backends import Backend, Custom, Dynamo, Redis, Sql
from support.examples import long_examples
from support.small_world import World
from support.uploads import LEGACY_NAMES, LEGACY_VERSIONS, NAMES, filenames, upload, versions


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("pkg-1.0.tar.gz", "pkg", "1.0"),
        ("pkg-2.0.0b1.tar.gz", "pkg", "2.0.0-beta.1"),
        ("pkg-1.0rc2-py3-none-any.whl", "pkg", "v1.0.preview-2"),
        ("pkg-1.0.post1-7-py3-none-any.whl", "pkg", "1.0-1"),
        ("pkg-1!1.2.dev0.zip", "pkg", "1!01.02-dev"),
        ("pkg-1.0a1+cu.118.zip", "pkg", "1.0alpha1+CU-118"),
        ("pkg-2.0.0b1_cu118-py3-none-any.whl", "pkg", "2.0.0-beta.1+cu118"),
        ("Zope_Interface-5.0.zip", "zope-interface", "5.0"),
        ("my-3d-1.0.tar.gz", "my-3d", "1.0"),
        ("my-3d-1.0.tar.gz", "my", "3d-1.0"),
        ("pkg-1.0.-final-.tar.gz", "pkg", "1.0 (final)"),
        ("pkg-1.0-1.noarch.rpm", "pkg", "1.0"),
        ("pkg_1.0-1_all.deb", "pkg", "1.0"),
        ("pkg-1.0.macosx-10.9-x86_64.tar.gz", "pkg", "1.0"),
        ("pkg-1.0b1.win-amd64-py2.7.exe", "pkg", "1.0-beta1"),
        ("pkg-1.0.pyz", "pkg", "1.0"),
        ("pkg-1.0", "pkg", "1.0"),
        # Without metadata, pypicloud decodes the filename, and ignores what is no version.
        ("pkg-1.0%2Bcu118.zip", "pkg", "1.0+cu118"),
        ("pkg-1.0 (copy).zip", "pkg", "1.0-"),
        # Metadata is in ASCII.
        ("größer-1.0b1.zip", "groer", "1.0-beta1"),
    ],
)
def test_a_filename_spells_name_and_version_as_a_tool_writes_them(
    filename: str, name: str, version: str
) -> None:
    assert is_spelled(filename, f"x/{filename}", name, version)


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("pkg-1.0.tar.gz", "pkg", "7"),
        ("pkg-1.0.tar.gz", "other", "1.0"),
        ("pkg-1.0.tar.gz", "pkg", "1.0b1"),
        ("pkg-1.0b1.tar.gz", "pkg", "1.0"),
        ("pkg-1.0b1.tar.gz", "pkg", "1.0-beta.2"),
        ("pkg-1.0.post1.zip", "pkg", "1.0+1.dev0"),
        ("pkg-1.0.1.tar.gz", "pkg", "1.0"),
        ("pkg-1.0.b1", "pkg", "1.0"),
        ("pkg-1.1.zip", "pkg", "1.0+1"),
        ("my-3d-1.0.tar.gz", "3d", "1.0"),
        ("pkg-1.0.tar.gz", "Pkg", "1.0"),
        ("pkg-1.0.tar.gz", "", "1.0"),
        ("pkg-1.0.tar.gz", "pkg", ""),
        ("-py" * 300 + ".zip", "pkg", "1.0"),
    ],
    ids=lambda text: text[:20],
)
def test_another_name_or_version_is_not_what_the_filename_spells(
    filename: str, name: str, version: str
) -> None:
    assert not is_spelled(filename, f"x/{filename}", name, version)


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ("ab12/other/pkg-1.0.zip", True),
        ("other/pkg-1.0.zip", True),
        ("ab12/Other/pkg-1.0.zip", True),
        ("ab12/another/pkg-1.0.zip", False),
        ("other/ab12/pkg-1.0.zip", False),
        ("pkg-1.0.zip", False),
        (None, False),
    ],
)
def test_a_name_that_the_filename_does_not_have_is_that_of_the_folder(key: str | None, spelled: bool) -> None:
    assert is_spelled("pkg-1.0.zip", key, "other", "1.0") is spelled
    assert is_spelled("1.0.zip", key and key.replace("pkg-", ""), "other", "1.0") is spelled
    assert not is_spelled("pkg-1.0.zip", key, "other", "7")


many = settings(long_examples(40), derandomize=True)


@many
@given(version=versions(), other=versions())
def test_a_version_is_normalized_so_that_equal_ones_are_the_same(version: str, other: str) -> None:
    first, second = Version(version), Version(other)
    assert (normal_version(version) == normal_version(other)) == (first == second)
    assert normal_version(version) == normal_version(str(first))


@many
@given(text=LEGACY_VERSIONS)
def test_what_pep_440_does_not_allow_is_not_normalized(text: str) -> None:
    try:
        Version(text)
    except InvalidVersion:
        assert normal_version(text) == text
    else:
        assert normal_version(text) != text


@pytest.mark.parametrize("backend", [Dynamo, Redis, Sql, Custom], ids=lambda it: it.__name__)
@settings(long_examples(5), derandomize=True)
@given(data=st.data())
def test_an_upload_costs_no_head_request_once_its_row_is_right(
    backend: type[Backend], data: st.DataObject
) -> None:
    world = World(backend)
    # pypicloud cannot sort versions of other kinds, and a custom cache may sort as pypicloud does.
    sorts = backend is Custom
    spelled = versions() if sorts else versions() | versions() | LEGACY_VERSIONS
    for _ in range(data.draw(st.integers(1, 8))):
        name, version = data.draw(NAMES | LEGACY_NAMES), data.draw(spelled)
        filename = data.draw(filenames(name, version))
        named = (None, None) if data.draw(st.booleans()) and not sorts else (name, version)
        try:
            upload(world, filename, *named)
        except (ValueError, DistlibException):
            # pypicloud cannot parse the filename, so it takes no upload without name and version.
            continue
    world.reconcile()
    # A name that S3's metadata cannot hold is another one in the object.
    assert not [key for key in world.heads if key.isascii()], "rows of the server"
    world.backend = backend(Random(1))
    world.adapter = world.backend.adapter()
    world.reconcile()
    again = world.reconcile()
    assert (again.in_sync, again.looked_at, world.heads) == (True, 0, []), "rows of the function"
    assert world.fan_out() == []
    Pass(world.syncer(), world.bucket, State()).run()
    assert world.heads == []
