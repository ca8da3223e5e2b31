"""The function of setuptools' pkg_resources that pypicloud calls, without the rest.

The rest finds and installs distributions: half a megabyte, and a sixth of a cold start. setuptools takes this
function from ``packaging``. A part of that in the bundle would hide a layer's copy from libraries there,
so it is distlib's here, which pypicloud imports anyway and which orders versions in the same way.
"""

from distlib.version import NormalizedVersion

__all__ = ["parse_version"]

parse_version = NormalizedVersion
