"""List the Python runtimes and processors of Lambda that this package supports."""

from __future__ import annotations

import datetime
import sys

#: Lambda's Python runtimes with the version of glibc in each: python3.11 is the last on Amazon Linux 2, later
#: ones run on Amazon Linux 2023. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
RUNTIMES = {
    "python3.11": (2, 26),
    "python3.12": (2, 34),
    "python3.13": (2, 34),
    "python3.14": (2, 34),
}
#: When Lambda deprecates each runtime, as announced on the same page. It forbids new functions a month later,
#: and updates of existing ones another month later; functions go on running.
DEPRECATION = {
    "python3.11": datetime.date(2027, 6, 30),
    "python3.12": datetime.date(2028, 10, 31),
    "python3.13": datetime.date(2029, 6, 30),
    "python3.14": datetime.date(2029, 6, 30),
}
#: How long before its deprecation a runtime is reported.
NOTICE = datetime.timedelta(days=365)
#: The default if Lambda has no runtime for the host's Python.
FALLBACK_RUNTIME = "python3.12"

#: The kernel's names of Lambda's architectures; the tags of wheels use them.
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}


def default_runtime() -> str:
    """Return the runtime of the host's Python if Lambda has it, so that server and function run the same."""
    host = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return host if host in RUNTIMES else FALLBACK_RUNTIME


def deprecation(runtime: str, today: datetime.date | None = None) -> str | None:
    """Return a warning about a runtime that Lambda deprecates within a year, or has deprecated."""
    date = DEPRECATION[runtime]
    today = today or datetime.datetime.now(datetime.UTC).date()
    if today < date - NOTICE:
        return None
    deprecates = "deprecates" if today < date else "has deprecated"
    when = f"on {date}" if today < date else f"since {date}"
    return (
        f"Lambda {deprecates} the runtime {runtime} {when}, and later refuses updates of the function:"
        " set s3sync.runtime to a newer one"
    )
