"""Pyramid's request, which pypicloud's base class of storages names in an annotation only.

Pyramid's own module imports WebOb, zope.interface and a third of Pyramid.
"""

__all__ = ["Request"]


class Request:
    """The type of a web request. A function has none: it creates its cache without one."""
