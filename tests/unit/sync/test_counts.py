from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pypicloud_s3sync
from pypicloud_s3sync.sync.counts import count_of

PACKAGE = Path(pypicloud_s3sync.__file__).parent
NOUNS = (
    "actions|buckets|calls|changes|checks|days|deletions|differences|errors|events|failures|files|hours"
    "|invocations|keys|lines|messages|minutes|notifications|objects|packages|problems|regions|rows|rules"
    "|samples|seconds|statements|steps|summaries|tables|units|versions|warnings|workers"
)
PLURAL = re.compile(rf" (?:(?:failed|foreign|more|new|old|other|sampled|simulated) )?(?:{NOUNS})\b")


@pytest.mark.parametrize(
    ("number", "forms", "text"),
    [
        (1, ["file"], "1 file"),
        (0, ["file"], "0 files"),
        (2000, ["file"], "2,000 files"),
        (1, ["summary", "summaries"], "1 summary"),
        (3, ["summary", "summaries"], "3 summaries"),
        (1.0, ["second"], "1 second"),
        (0.5, ["second"], "0.5 seconds"),
        (21, ["row has", "rows have"], "21 rows have"),
    ],
)
def test_a_number_has_its_noun_in_the_right_form(number: float, forms: list[str], text: str) -> None:
    assert count_of(number, *forms) == text


def plurals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield each plural after a variable in a formatted text, unless the variable is a constant."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, following in zip(node.values, node.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(following, ast.Constant):
                continue
            names = {name.id for name in ast.walk(value.value) if isinstance(name, ast.Name)}
            if all(name.isupper() for name in names) and names:
                continue
            found = PLURAL.match(str(following.value))
            if found:
                yield node.lineno, ast.unparse(value.value) + found.group()


def test_no_message_has_a_plural_for_a_number_that_may_be_one() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in plurals(ast.parse(path.read_text()))
    ]
    assert not found, "use count_of"
