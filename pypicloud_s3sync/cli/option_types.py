"""Read the values of options."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click


class NotBlank(click.ParamType[str]):
    """A text that says something: an empty one, often from an unset variable of a script, is no default."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        if not str(value).strip():
            self.fail("it is empty. Give a value, or leave the option out.", param, ctx)
        return str(value)


NOT_BLANK = NotBlank()


class MaxDelete(click.ParamType[Callable[[int], int]]):
    """A number of rows, or a part of them in percent: returns the limit for a number of rows."""

    name = "N|N%"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Callable[[int], int]:
        """Return the limit that a text means."""
        found = re.fullmatch(r"(\d+)(%?)", str(value).strip())
        if found is None or (found[2] and int(found[1]) > 100):
            self.fail(f"{value!r} is not a number or a percentage, such as 500 or 20%.", param, ctx)
        number = int(found[1])
        return (lambda rows: rows * number // 100) if found[2] else (lambda rows: number)
