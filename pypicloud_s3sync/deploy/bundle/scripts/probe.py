"""Import the modules that Lambda will import: ``{"path": [...], "modules": [...], "cache": ...}`` on stdin.

The result on stdout is ``{}``, or ``{"importing", "error", "missing"}`` for the first import that fails;
``missing`` is the module that was not found, or null.

Until the request comes, the sources in the directory of the first argument are compiled, if there is one.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from typing import Any

#: What a function imports of the SDK: boto3 and s3transfer are not among it.
SDK = ("botocore", "dateutil", "jmespath", "urllib3")
NOT_IMPORTED = ("__pycache__", "contrib", "data", "zoneinfo")


def main() -> None:
    """Read the request, extend the module path, import, and print the result."""
    for directory in sys.argv[1:]:
        use(compile_sources(directory))
    request = json.load(sys.stdin)
    sys.path[:0] = request["path"]
    json.dump(probe(request), sys.stdout)


def compile_sources(directory: str) -> dict[str, Any]:
    """Return the code of the SDK's sources by their paths; nothing is imported, and nothing is written."""
    compiled = {}
    for package in SDK:
        for folder, subfolders, names in os.walk(os.path.join(directory, package)):
            subfolders[:] = [name for name in subfolders if name not in NOT_IMPORTED]
            for path in (os.path.join(folder, name) for name in names if name.endswith(".py")):
                loader = SourceFileLoader("", path)
                try:
                    compiled[path] = loader.source_to_code(loader.get_data(path), path)
                except (OSError, SyntaxError, ValueError):
                    continue  # It may not be needed; if it is, importing it says what is wrong.
    return compiled


def use(compiled: dict[str, Any]) -> None:
    """Let imports of these sources take their code from here instead of compiling them again."""
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> Any:
        return compiled.pop(self.path, None) or original(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


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
