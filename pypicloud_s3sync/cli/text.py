"""Make text safe to print: control characters become visible escapes, documents become JSON."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Control characters, halves of surrogate pairs, and the separators of lines and paragraphs.
_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
#: The characters that change the order of the text around them: https://www.unicode.org/reports/tr9/
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def one_line(text: str) -> str:
    """Return a text as one line that no terminal takes for a command: ``\\x1b`` in place of ESC.

    AWS, a file or an argument may contain any character. Letters of any language stay readable.
    """
    return "".join(_escaped(character) if _is_control(character) else character for character in text)


def lines(text: str) -> str:
    """Return a text like :func:`one_line`, but keep the ends of its lines."""
    return "\n".join(map(one_line, text.split("\n")))


def json_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON in ASCII, which every terminal and every encoding can show."""
    # JSON allows DEL in a string, so json.dumps does not escape it.
    return json.dumps(document, indent=2).replace("\x7f", "\\u007f")


def json_with_items(
    document: Mapping[str, Any], name: str, items: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the parts of a document as JSON; its last field is a list that may not fit into memory."""
    yield json_text({**document, name: []}).removesuffix("]\n}")
    separator = ""
    for item in items:
        flat = json.dumps(item).replace("\x7f", "\\u007f")
        yield f"{separator}\n    {flat}"
        separator = ","
    yield ("\n  " if separator else "") + "]\n}\n"


def _is_control(character: str) -> bool:
    return (
        unicodedata.category(character) in _CATEGORIES or unicodedata.bidirectional(character) in _DIRECTIONS
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
