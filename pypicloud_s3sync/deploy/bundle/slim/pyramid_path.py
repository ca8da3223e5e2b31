"""The resolver of Pyramid with which pypicloud's SQL cache finds the class in ``db.poolclass``.

Pyramid's own module imports zope.interface and pkg_resources, which it needs for assets only.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

__all__ = ["DottedNameResolver"]


class DottedNameResolver:
    """Resolves dotted names.

    Parameters
    ----------
    package : str
        The name of a module; names that begin with ``.`` or ``:`` are relative to its package.
    """

    def __init__(self, package: str) -> None:
        self._package = package.rpartition(".")[0]

    def maybe_resolve(self, dotted: Any) -> Any:
        """Return the object that ``package.module.Class`` or ``package.module:Class`` names.

        Anything but a string is returned unchanged.
        """
        if not isinstance(dotted, str):
            return dotted
        if dotted.startswith((".", ":")):
            dotted = f"{self._package}{dotted}"
        return resolve_name(dotted)
