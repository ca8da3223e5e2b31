from __future__ import annotations

import json
import unicodedata

import pytest

from pypicloud_s3sync.cli.text import json_text, lines, one_line

#: Every character that may make a terminal do something, and those that change the order of a line.
CONTROLS = [
    *map(chr, (*range(0x20), *range(0x7F, 0xA0))),
    *("\u2028", "\u2029", "\ud800", "\udcff"),
    *map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
]


@pytest.mark.parametrize("character", CONTROLS, ids=ascii)
def test_a_control_character_is_escaped_visibly(character: str) -> None:
    escape = ascii(character)[1:-1]
    assert one_line(f"a{character}b") == f"a{escape}b"
    assert one_line(character).isprintable()


@pytest.mark.untraced
def test_no_other_category_reaches_a_terminal_as_a_control() -> None:
    shown = one_line("".join(map(chr, range(0x110000))))
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    "text", ["Größe für Ünïcode", "大小 ✓ …", "שלום עולם", "👩‍💻", "C:\\new", "a\u200db"]
)
def test_any_other_text_is_not_changed(text: str) -> None:
    assert one_line(text) == text


def test_the_lines_of_a_traceback_stay_lines() -> None:
    assert lines("a\x1b[1m\n  b\r\u2028\n") == "a\\x1b[1m\n  b\\r\\u2028\n"


@pytest.mark.parametrize("character", CONTROLS, ids=ascii)
def test_a_document_has_no_control_characters_and_the_same_content(character: str) -> None:
    document = {"description": f"a{character}b", f"k{character}": "Größe"}
    text = json_text(document)
    assert json.loads(text) == document
    assert all(part.isprintable() and part.isascii() for part in text.split("\n"))
