"""Build the zip that the Lambda function runs from the distributions that are installed here.

:func:`build` takes a :class:`BundleSpec` through six steps. Each is a module that does not know the next:

1. :mod:`.closure` starts from pypicloud, from what :mod:`.backends` says the cache needs and from the extra
   packages, and follows their requirements with the target's environment markers. :mod:`.contents` is the one
   table of what stays out and why. The tags of an installed wheel tell whether its files run on the target
   (:mod:`.platforms`).
2. :mod:`.fetch` downloads wheels for the rest, in the versions installed here, with one call of uv. It needs
   no network if every installed file runs on the target.
3. :mod:`.collect` lists the files: those in each distribution's RECORD, this package's own, and the files in
   ``slim/``, which replace modules that import everything. :mod:`.trim` keeps those that the handler can
   import, from what the sources say (:mod:`.reach`).
4. :mod:`.bytecode` compiles them with a Python of the target's version (:mod:`.interpreters`).
5. :mod:`.archive` writes the zip.
6. :mod:`.verify` unpacks the zip and imports the handler and the cache in a clean interpreter.

The same inputs give the same bytes. :func:`fingerprint` (:mod:`.fingerprints`) runs only the first step, to
tell whether a new build would differ. :func:`load` (:mod:`.ready`) reads and checks a zip that was built
earlier.
"""

from .fingerprints import fingerprint
from .models import (
    DIRECT_UPLOAD_LIMIT,
    UNZIPPED_LIMIT,
    BuildListener,
    Bundle,
    BundleSpec,
    Target,
)
from .pipeline import build
from .platforms import host_target
from .ready import load

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
