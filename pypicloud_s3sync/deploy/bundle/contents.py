"""Define what goes into a bundle and what stays out, each with its reason.

Every build ends by importing the bundle in a clean interpreter (:mod:`.verify`), which shows that nothing is
left out that is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

#: Lambda's Python runtimes include these.
SDK = frozenset({"boto3", "botocore", "jmespath", "s3transfer"})

#: Distributions that pypicloud requires and the handler never imports. They are left out of pypicloud's own
#: requirements; a package in ``s3sync.extra_packages`` comes with everything that it requires.
NOT_IMPORTED = {
    "cryptography": "pypicloud.storage.s3: signed URLs of CloudFront; backends.py may add it for PyMySQL",
    "greenlet": "SQLAlchemy's asyncio; pypicloud is synchronous",
    "hupper": "pserve --reload",
    "passlib": "pypicloud.access: users and passwords",
    "paste": "the entry point of pypicloud's web server",
    "plaster": "reads the ini file; the function has its settings in its environment",
    "plaster-pastedeploy": "reads the ini file",
    "pycparser": "cffi needs it to compile modules, not to load them",
    "pyramid-beaker": "web sessions",
    "pyramid-duh": "web pages, and pypicloud.storage.s3",
    "pyramid-jinja2": "web pages",
    "pyramid-rpc": "pip search",
    "pyramid-tm": "a transaction for each web request",
    "requests": "pypicloud.locator",
    "smart-open": "pypicloud.storage.s3: uploads",
    "transaction": "pypicloud.cache.sql; the SQL backend in backends.py adds it",
    "zope-sqlalchemy": "pypicloud.cache.sql; the SQL backend in backends.py adds it",
}

#: Of these distributions, only the files that match go in.
ONLY = {
    # cryptography's binary imports this module. The rest of cffi is for building such modules.
    "cffi": ("_cffi_backend*.so",),
    # pypicloud and Pyramid only `import pkg_resources`. From 71 on it takes its libraries from
    # setuptools/_vendor. Up to 70 it has its own, and the 0.2 MB of setuptools/_vendor are not needed.
    "setuptools": (
        "pkg_resources/*",
        "setuptools/_vendor/backports/*",
        "setuptools/_vendor/jaraco/*",
        "setuptools/_vendor/more_itertools/*",
        "setuptools/_vendor/packaging/*",
        "setuptools/_vendor/platformdirs/*",
    ),
}

#: Files that are not needed at run time, in any distribution.
NOT_NEEDED = {
    "*.c": "sources of binaries",
    "*.exe": "Windows launchers (distlib)",
    "*.h": "sources of binaries",
    "*.pth": "Python reads them in site-packages only",
    "*.pyc": "compiled again for the target",
    "*.pyd": "Windows binaries",
    "*.pyi": "type stubs",
    "*.pyx": "sources of binaries",
    "*/docs/*": "documentation",
    "*/py.typed": "a marker for type checkers",
    "*/tests/*": "tests",
    "bin/*": "console scripts",
    "tests/*": "tests",
}

#: Files that the handler does not need, by distribution.
NOT_NEEDED_BY_HANDLER = {
    "pypicloud": {
        "pypicloud/_lambda_handler.py": "pypicloud's own handler, which this package replaces",
        "pypicloud/access/*": "web application",
        "pypicloud/auth.py": "web application",
        "pypicloud/lambda_scripts.py": "pypicloud's own provisioning, which this package replaces",
        "pypicloud/locator.py": "fallback to another index",
        "pypicloud/route.py": "web application",
        "pypicloud/scripts.py": "console scripts",
        "pypicloud/static/*": "web application",
        "pypicloud/templates/*": "web application",
        "pypicloud/views/*": "web application",
    },
    "pyramid": {"pyramid/scripts/*": "console scripts"},
    "sqlalchemy": {"sqlalchemy/testing/*": "tests"},
}

#: Distributions whose binaries are optional and stay out, so that the remaining files run on every target.
#: They have the same functions in Python. SQLAlchemy 1.4 has no wheel for Python 3.13.
PURE_WITHOUT_BINARIES = frozenset({"sqlalchemy", "zope-interface"})

#: The modules and packages of this package that the function runs. An import contract reads this list too
#: (setup.cfg), and does not allow them to import anything else of this package.
OWN = ("__init__", "caches", "compat", "exceptions", "handler", "reconcile", "sync")

#: Modules of them that only a host imports: repairs of the server, and a whole reconciliation, which the
#: function makes in steps, by ``reconcile.passes``.
HOST_ONLY = frozenset(
    {
        "caches.dynamo_keys",
        "caches.key_repairs",
        "caches.redis_keys",
        "caches.sql_keys",
        "caches.storage_repairs",
        "reconcile.name_repair",
        "reconcile.read_ahead",
        "reconcile.recorder",
        "reconcile.repair",
        "reconcile.run",
        "reconcile.second_look",
    }
)

_SLIM = Path(__file__).parent / "slim"

#: Files to add or to replace with a template in ``slim/``; each template's docstring says why.
SLIM = {
    "lambda_script.py": _SLIM / "lambda_script.py",
    "pypicloud/__init__.py": _SLIM / "pypicloud.py",
    "pypicloud/cache/__init__.py": _SLIM / "pypicloud_cache.py",
    "pypicloud/storage/__init__.py": _SLIM / "pypicloud_storage.py",
}

#: Modules of other distributions of which pypicloud uses one name: the distribution, and the template in
#: ``slim/`` that has that name. The bundle of a custom cache class has the modules themselves, and so has one
#: whose ``s3sync.extra_packages`` bring the distribution.
STAND_INS = {
    "pkg_resources/__init__.py": ("setuptools", _SLIM / "pkg_resources.py"),
    "pyramid/path.py": ("pyramid", _SLIM / "pyramid_path.py"),
    "pyramid/request.py": ("pyramid", _SLIM / "pyramid_request.py"),
}

#: Distributions of which stand-ins replace everything that is imported.
REPLACED = frozenset({"setuptools"})

#: Distributions of which stand-ins replace everything that imports what they require.
REPLACED_IN_PART = frozenset({"pyramid"})

#: Distributions that libraries in a layer import too: Python finds the bundle's first, so all of it goes in.
SHARED = frozenset({"packaging"})

#: The placeholder in ``slim/pypicloud.py`` for the version of the bundled pypicloud.
VERSION_PLACEHOLDER = "@PYPICLOUD_VERSION@"


def file_filter(distribution: str) -> Callable[[str], bool]:
    """Return a function that tells which files of a distribution go into a bundle.

    Parameters
    ----------
    distribution : str
        The distribution's normalized name.

    Returns
    -------
    callable
        Takes a file's path relative to ``site-packages``, with ``/``, and returns whether it goes in.
    """
    included = ONLY.get(distribution, ("*",))
    binaries = ("*.so",) if distribution in PURE_WITHOUT_BINARIES else ()
    excluded = (*NOT_NEEDED, *NOT_NEEDED_BY_HANDLER.get(distribution, ()), *binaries)

    def is_wanted(path: str) -> bool:
        # importlib.metadata reads a version from METADATA; the other files of a dist-info are for installers.
        if path.partition("/")[0].endswith(".dist-info"):
            return path.endswith(".dist-info/METADATA")
        return _matches(path, included) and not _matches(path, excluded)

    return is_wanted


def is_own_file_wanted(path: str) -> bool:
    """Return whether a file of this package goes into a bundle.

    Parameters
    ----------
    path : str
        The file's path relative to the package, with ``/``.
    """
    module = path.removesuffix(".py").replace("/", ".")
    return path.endswith(".py") and is_own_module_wanted(module)


def is_own_module_wanted(module: str) -> bool:
    """Return whether a module, named relative to this package, goes into a bundle."""
    return module.partition(".")[0] in OWN and module not in HOST_ONLY


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
