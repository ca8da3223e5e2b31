"""Lambda's Pythons and processors, as far as this package supports them."""

from __future__ import annotations

import sys

#: Lambda's Python runtimes with the glibc of each: python3.11 is the last on Amazon Linux 2, the later ones
#: run on Amazon Linux 2023. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
RUNTIMES = {
    "python3.11": (2, 26),
    "python3.12": (2, 34),
    "python3.13": (2, 34),
    "python3.14": (2, 34),
}
#: Where Lambda has no runtime of the host's Python.
FALLBACK_RUNTIME = "python3.12"

#: The kernel's name of each architecture, which wheels use, by Lambda's.
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}


def default_runtime() -> str:
    """The host's Python where Lambda has it, so that server and function run the same versions."""
    host = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return host if host in RUNTIMES else FALLBACK_RUNTIME
