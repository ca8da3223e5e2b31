"""Import what Lambda will import: ``{"path": [...], "modules": [...], "cache": ...}`` on stdin.

The answer on stdout is ``{}``, or ``{"importing", "error", "missing"}`` for the first import that fails;
``missing`` is the module that was not found, or null.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any


def main() -> None:
    """Read the question, put the path in place, import, answer."""
    question = json.load(sys.stdin)
    sys.path[:0] = question["path"]
    json.dump(ask(question), sys.stdout)


def ask(question: dict[str, Any]) -> dict[str, Any]:
    """Import each module, then the cache class as the handler does."""
    for name, load in steps(question):
        try:
            load()
        except Exception as error:
            return {"importing": name, "error": f"{type(error).__name__}: {error}", "missing": missing(error)}
    return {}


def steps(question: dict[str, Any]) -> Iterator[tuple[str, Callable[[], object]]]:
    """What to import, by the name to report."""
    for name in question["modules"]:
        yield name, partial(importlib.import_module, name)
    yield f"the cache {question['cache']}", partial(load_cache, question["cache"])


def load_cache(name: str) -> object:
    """The cache class, as the handler finds it."""
    return importlib.import_module("pypicloud.cache").get_cache_impl({"pypi.db": name})


def missing(error: BaseException | None) -> str | None:
    """The module that was not found at the root of an error; libraries wrap it in advice of their own."""
    found = None
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            found = error.name
        error = error.__cause__ or error.__context__
    return found


if __name__ == "__main__":
    main()
