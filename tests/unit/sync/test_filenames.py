"""The names in filenames are those that pypicloud reads."""

from __future__ import annotations

import subprocess
import sys

import pytest
from distlib import DistlibException
from hypothesis import given
from hypothesis import strategies as st
from pypicloud.util import ALL_EXTENSIONS, PackageParseError, normalize_name, parse_filename

from pypicloud_s3sync.sync.filenames import EXTENSIONS, guess_name, possible_names

words = st.text("aZ9._+ %", min_size=1, max_size=6) | st.sampled_from(["pkg", "1.0", "py3", "none", "any"])
filenames = st.builds(
    lambda parts, end: "-".join(parts) + end,
    st.lists(words, max_size=6),
    st.sampled_from([*ALL_EXTENSIONS, "", ".txt"]),
)


def by_pypicloud(filename: str) -> str | None:
    try:
        return str(normalize_name(parse_filename(filename)[0]))
    except (PackageParseError, DistlibException):
        return None


@given(filenames)
def test_the_guessed_name_is_the_one_that_pypicloud_reads(filename: str) -> None:
    assert guess_name(filename) == by_pypicloud(filename)


def test_pypicloud_is_not_imported() -> None:
    code = "import sys, pypicloud_s3sync.sync.filenames; sys.exit('pypicloud' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_extensions_are_pypiclouds() -> None:
    assert EXTENSIONS == ALL_EXTENSIONS


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("pkg-1.0.tar.gz", "pkg"),
        ("My_Pkg-1.0.zip", "my-pkg"),
        ("My.Pkg-1.0-py3-none-any.whl", "my-pkg"),
        ("my-2-pkg-1.0.tar.gz", "my"),
        ("unparsable.tar.gz", None),
        ("broken.whl", None),
        ("index.html", None),
        ("", None),
    ],
    ids=str,
)
def test_a_name_is_guessed_from_the_filename(filename: str, name: str | None) -> None:
    assert guess_name(filename) == name


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("pkg-1.0.tar.gz", ("pkg",)),
        ("my-3d-1.0.tar.gz", ("my", "my-3d")),
        ("zope.interface-5.0-2.zip", ("zope-interface", "zope-interface-5-0")),
        ("My_Pkg-1.0-py3-none-any.whl", ("my-pkg",)),
        ("strange", ()),
        ("-1.0.tar.gz", ()),
        ("-".join("x" * 200) + ".tar.gz", tuple("-".join("x" * count) for count in range(1, 21))),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_a_filename_can_be_split_into_several_names(filename: str, expected: tuple[str, ...]) -> None:
    assert possible_names(filename) == expected
