"""Find the settings with which no wheel must be downloaded, for a host that cannot reach a package index."""

from __future__ import annotations

from dataclasses import replace

from ...config.runtimes import RUNTIMES
from ...exceptions import BundleError
from .closure import parts_of
from .models import BundleSpec, Target


def advice(spec: BundleSpec) -> str:
    """Return what to set so that a bundle needs no index; an empty text if nothing of that kind helps."""
    remedies = []
    runtimes = [runtime for runtime in reversed(RUNTIMES) if _needs_no_index(spec, runtime)]
    if runtimes:
        remedies.append(f"set s3sync.runtime = {runtimes[0]}, for which everything is installed")
    if any(part.name == "cryptography" for part in parts_of(spec)):
        # See backends.py: only a connection without TLS needs it, and with it cffi.
        remedies.append("add ssl_ca with the certificate of the database's authority to db.url")
    return ", or ".join(remedies)


def _needs_no_index(spec: BundleSpec, runtime: str) -> bool:
    try:
        parts = parts_of(replace(spec, target=Target(runtime, spec.target.architecture)))
    except BundleError:
        return False
    return not any(part.fetch for part in parts)
