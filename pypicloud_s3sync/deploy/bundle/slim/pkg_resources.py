"""The function of setuptools' pkg_resources that pypicloud calls, without the rest.

The rest finds and installs distributions: half a megabyte, and a sixth of a cold start.
"""

from packaging.version import Version

__all__ = ["parse_version"]

parse_version = Version
