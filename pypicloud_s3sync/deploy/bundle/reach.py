"""Find the modules of a bundle that its handler can import, from what the sources say.

A run shows only the modules that it imported. The sources also show those that a rare path imports: inside a
function, after ``try``, or by a name in a string. So nothing is left out that any path could need.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from .archive import is_binary
from .collect import Files

#: A string that may name a module, as ``import_module`` and lazy packages take it.
_STRING = re.compile(rb"""["'](\.*[A-Za-z_]\w*(?:\.\w+)*)["']""")
#: A module whose attributes are imported when they are used: ``__getattr__`` outside of any class.
_LAZY = re.compile(rb"^\S.*__getattr__|^__getattr__", re.MULTILINE)


def reachable(files: Files, roots: Iterable[str], imported: Iterable[str] = ()) -> set[str]:
    """Return the names of the files that the roots can import, directly or through each other.

    Parameters
    ----------
    files : dict
        All files that may go into the bundle.
    roots : iterable of str
        Names of files.
    imported : iterable of str
        Modules that are imported by names which no source has.

    Returns
    -------
    set of str
        The roots, the modules, the packages that contain them, and the data files of those packages.
    """
    modules = {module: name for name in files if (module := _module_of(name))}
    with _without_garbage_collection():
        reached = _follow([*roots, *_files_of(imported, modules)], files, modules)
    folders = {str(PurePosixPath(name).parent) for name in reached}
    return reached | {name for name in files if _module_of(name) is None and _is_data_of(name, folders)}


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause the collector of cycles: it would look through every syntax tree, and find none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _follow(pending: list[str], files: Files, modules: Mapping[str, str]) -> set[str]:
    """Return some files, and those that they mention directly or through each other."""
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name in reached:
            continue
        reached.add(name)
        if name.endswith(".py"):
            pending += _files_of(_mentioned(name, files[name]), modules)
    return reached


def _module_of(name: str) -> str | None:
    """Return the dotted name of the module in a file; None for a data file."""
    path = PurePosixPath(name)
    if is_binary(name):
        stem = path.name.partition(".")[0]
    elif path.suffix == ".py":
        stem = path.stem
    else:
        return None
    return ".".join(path.parent.parts if stem == "__init__" else (*path.parent.parts, stem))


def _is_data_of(name: str, folders: set[str]) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(name).parents if parent.name)


def _files_of(names: Iterable[str], modules: Mapping[str, str]) -> set[str]:
    """Return the files of those names that are modules, and of their packages, which Python imports first."""
    found: set[str] = set()
    for dotted in names:
        parts = dotted.split(".")
        prefixes = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
        found.update(modules[prefix] for prefix in prefixes if prefix in modules)
        if parts[-1] == "*":
            # Of a package, that imports the modules in its ``__all__``.
            package = dotted.removesuffix(".*")
            found.update(name for module, name in modules.items() if module.rpartition(".")[0] == package)
    return found


def _mentioned(name: str, path: Path) -> set[str]:
    """Return every dotted name in a source that may be a module."""
    module = str(_module_of(name))
    package = module if name.endswith("/__init__.py") else module.rpartition(".")[0]
    source = path.read_bytes()
    named = set(_named(source, package, module))
    try:
        return named.union(_imported(ast.parse(source), package))
    except (SyntaxError, ValueError):
        # It is for another version of Python. The check of the finished zip shows whether it matters.
        return named


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield what import statements name: modules, and names in them that may be modules."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            pending += node.orelse
        else:
            # Only statements: an expression cannot contain an import.
            for block in ("body", "orelse", "finalbody", "handlers", "cases"):
                pending += _statements(getattr(node, block, None))


def _statements(block: object) -> list[ast.AST]:
    # The body of a lambda is an expression.
    return block if isinstance(block, list) else []


def _named(source: bytes, package: str, module: str) -> Iterator[str]:
    """Yield what strings name, which may be modules; most are not."""
    # A lazy package has the bare names of its modules.
    is_lazy = _LAZY.search(source) is not None
    for match in _STRING.finditer(source):
        dotted = match[1].decode()
        yield _absolute(dotted, package)
        if is_lazy:
            yield f"{module}.{dotted}"


def _absolute(name: str, package: str) -> str:
    """Return an absolute name for one that may begin with dots."""
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if level == 0:
        return bare
    parents = package.split(".")
    return ".".join(filter(None, [*parents[: len(parents) - level + 1], bare]))


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))
