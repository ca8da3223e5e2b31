"""Write a number together with its noun, for messages to people."""

from __future__ import annotations


def count_of(number: float, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun in the right form: ``1 file``, ``0 files``, ``2,000 summaries``.

    Parameters
    ----------
    number : float
    noun : str
        The form for one. It may be more than a word: ``row has no object``.
    plural : str, optional
        The form for every other number, unless that is the noun with an "s".
    """
    digits = f"{number:,.12g}"
    return f"{digits} {noun if digits == '1' else plural or noun + 's'}"
