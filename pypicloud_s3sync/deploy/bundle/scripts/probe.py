"""Import the modules that Lambda will import: ``{"path": [...], "modules": [...], "cache": ...}`` on stdin.

The result on stdout is ``{}``, or ``{"importing", "error", "missing"}`` for the first import that fails;
``missing`` is the module that was not found, or null.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any


def main() -> None:
    """Read the request, extend the module path, import, and print the result."""
    request = json.load(sys.stdin)
    sys.path[:0] = request["path"]
    json.dump(probe(request), sys.stdout)


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """Import each module, then the cache class as the handler does; return the first failure."""
    for name, load in steps(request):
        try:
            load()
        except Exception as error:
            return {"importing": name, "error": f"{type(error).__name__}: {error}", "missing": missing(error)}
    return {}


def steps(request: dict[str, Any]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the imports, each with its name in a failure."""
    for name in request["modules"]:
        yield name, partial(importlib.import_module, name)
    yield f"the cache {request['cache']}", partial(load_cache, request["cache"])


def load_cache(name: str) -> object:
    """Return the cache class, as the handler finds it: after the repairs, which SQLAlchemy 2 needs."""
    importlib.import_module("pypicloud_s3sync.compat").apply_to_caches()
    return importlib.import_module("pypicloud.cache").get_cache_impl({"pypi.db": name})


def missing(error: BaseException | None) -> str | None:
    """Return the module that was not found, from the root of an error, as libraries wrap such errors."""
    found = None
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            found = error.name
        error = error.__cause__ or error.__context__
    return found


if __name__ == "__main__":
    main()
