"""List the Python runtimes and processors of Lambda that this package supports."""

from __future__ import annotations

import sys

#: Lambda's Python runtimes with the version of glibc in each: python3.11 is the last on Amazon Linux 2, later
#: ones run on Amazon Linux 2023. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
RUNTIMES = {
    "python3.11": (2, 26),
    "python3.12": (2, 34),
    "python3.13": (2, 34),
    "python3.14": (2, 34),
}
#: The default if Lambda has no runtime for the host's Python.
FALLBACK_RUNTIME = "python3.12"

#: The kernel's names of Lambda's architectures; the tags of wheels use them.
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}


def default_runtime() -> str:
    """Return the runtime of the host's Python if Lambda has it, so that server and function run the same."""
    host = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return host if host in RUNTIMES else FALLBACK_RUNTIME
