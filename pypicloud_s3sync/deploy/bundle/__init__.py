"""Build the zip that the Lambda function runs: from this host's own distributions, the same bytes each time.

:func:`build` takes a :class:`BundleSpec` through six steps, each a module that knows nothing of the next:

1. :mod:`.closure` starts from pypicloud, what :mod:`.backends` says the cache needs and the extra packages,
   and follows their requirements with the target's environment markers. :mod:`.contents` is the one table of
   what stays out and why. Whether the files that are installed here run on the target is told by the tags of
   the wheel that they came from (:mod:`.platforms`).
2. :mod:`.fetch` gets the others' wheels, in the versions installed here, in one call of uv. Where all files
   fit no network is needed.
3. :mod:`.collect` lists the files: those that each RECORD names, this package's own, and the slim files in
   ``slim/`` that take the place of pypicloud's import-everything ones.
4. :mod:`.bytecode` compiles them with a Python of the target's version (:mod:`.interpreters`).
5. :mod:`.archive` writes the zip.
6. :mod:`.verify` unpacks it and imports the handler and the cache in a clean interpreter.

:func:`fingerprint` (:mod:`.digest`) runs only the first, to tell whether a build would make anything new.
:func:`load` reads a zip that was built before.
"""

from .digest import fingerprint
from .models import (
    DIRECT_UPLOAD_LIMIT,
    UNZIPPED_LIMIT,
    BuildListener,
    Bundle,
    BundleSpec,
    Target,
)
from .pipeline import build, load
from .platforms import host_target

__all__ = [
    "DIRECT_UPLOAD_LIMIT",
    "UNZIPPED_LIMIT",
    "BuildListener",
    "Bundle",
    "BundleSpec",
    "Target",
    "build",
    "fingerprint",
    "host_target",
    "load",
]
