"""The one table of what goes into a bundle and what stays out, each with its reason.

It is proven by the import in a clean interpreter that ends every build (see :mod:`.verify`).
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

#: Lambda's Python runtimes bring these themselves.
SDK = frozenset({"boto3", "botocore", "jmespath", "s3transfer"})

#: Distributions that pypicloud requires and the handler never imports. They are left out where pypicloud asks
#: for them; what a user names in ``s3sync.extra_packages`` comes with all that it requires.
NOT_IMPORTED = {
    "greenlet": "SQLAlchemy's asyncio; pypicloud is synchronous",
    "hupper": "pserve --reload",
    "passlib": "pypicloud.access: users and passwords",
    "paste": "pypicloud's web server entry",
    "plaster": "reads the ini; the function has its settings in its environment",
    "plaster-pastedeploy": "as plaster",
    "pycparser": "cffi needs it to compile, not to load",
    "pyramid-beaker": "web sessions",
    "pyramid-jinja2": "web pages",
    "pyramid-rpc": "pip search",
    "pyramid-tm": "a transaction for each web request",
    "requests": "pypicloud.locator and smart_open's http transport",
    "transaction": "pypicloud.cache.sql, which names it itself",
    "zope-sqlalchemy": "pypicloud.cache.sql, which names it itself",
}

#: Of these distributions only what is listed goes in.
ONLY = {
    # cryptography's binary imports this module; the rest of cffi builds such modules.
    "cffi": ("_cffi_backend*.so",),
    # `import pkg_resources` is all that pypicloud and Pyramid want. Until 70 it carries its own libraries,
    # from 71 it takes them from setuptools/_vendor, which older ones have too: 0.2 MB for nothing.
    "setuptools": (
        "pkg_resources/*",
        "setuptools/_vendor/backports/*",
        "setuptools/_vendor/jaraco/*",
        "setuptools/_vendor/more_itertools/*",
        "setuptools/_vendor/packaging/*",
        "setuptools/_vendor/platformdirs/*",
    ),
}

#: Files that no distribution needs at run time.
USELESS = {
    "*.c": "sources of binaries",
    "*.exe": "Windows launchers (distlib)",
    "*.h": "sources of binaries",
    "*.pth": "Python reads them in site-packages only",
    "*.pyc": "compiled anew for the target",
    "*.pyd": "Windows binaries",
    "*.pyi": "type stubs",
    "*.pyx": "sources of binaries",
    "*/docs/*": "documentation",
    "*/py.typed": "type stubs",
    "*/tests/*": "tests",
    "bin/*": "console scripts",
    "tests/*": "tests",
}

#: Files that the handler does not need, by distribution.
UNUSED = {
    "pypicloud": {
        "pypicloud/_lambda_handler.py": "the handler that this one replaces",
        "pypicloud/access/*": "web",
        "pypicloud/auth.py": "web",
        "pypicloud/lambda_scripts.py": "the provisioning that this package replaces",
        "pypicloud/locator.py": "fallback to another index",
        "pypicloud/route.py": "web",
        "pypicloud/scripts.py": "console scripts",
        "pypicloud/static/*": "web",
        "pypicloud/templates/*": "web",
        "pypicloud/views/*": "web",
    },
    "pyramid": {"pyramid/scripts/*": "console scripts"},
    "sqlalchemy": {"sqlalchemy/testing/*": "tests"},
}

#: Distributions whose binaries are optional and stay out: what is left runs anywhere, whatever the wheel was
#: made for. SQLAlchemy 1.4 does the same in Python, and has no wheel for Python 3.13.
PURE_WITHOUT_BINARIES = frozenset({"sqlalchemy"})

#: The modules and packages of this package that the function runs. The import contract in setup.cfg allows
#: them to import nothing else of this package; it reads this list too.
OWN = ("__init__", "caches", "compat", "exceptions", "handler", "sync")

_SLIM = Path(__file__).parent / "slim"

#: Files that take another's place or are added, each a template in ``slim/`` whose first lines say why.
SLIM = {
    "lambda_script.py": _SLIM / "lambda_script.py",
    "pypicloud/__init__.py": _SLIM / "pypicloud.py",
    "pypicloud/cache/__init__.py": _SLIM / "pypicloud_cache.py",
}

#: Stands in ``slim/pypicloud.py`` where the version of the pypicloud that is bundled goes.
VERSION_MARK = "@PYPICLOUD_VERSION@"


def wanted(distribution: str) -> Callable[[str], bool]:
    """A test for the files of a distribution that go into a bundle.

    Parameters
    ----------
    distribution : str
        Its normalized name.

    Returns
    -------
    callable
        Takes a file's path relative to ``site-packages``, with ``/``.
    """
    only = ONLY.get(distribution, ("*",))
    binaries = ("*.so",) if distribution in PURE_WITHOUT_BINARIES else ()
    out = (*USELESS, *UNUSED.get(distribution, ()), *binaries)

    def is_wanted(path: str) -> bool:
        # importlib.metadata finds a version here; the other files of a dist-info are for installers.
        if path.partition("/")[0].endswith(".dist-info"):
            return path.endswith(".dist-info/METADATA")
        return _matches(path, only) and not _matches(path, out)

    return is_wanted


def wanted_of_own(path: str) -> bool:
    """Return whether a file of this package goes into a bundle.

    Parameters
    ----------
    path : str
        Relative to the package, with ``/``.
    """
    return path.endswith(".py") and path.partition("/")[0].removesuffix(".py") in OWN


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
