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
#: When Lambda deprecates each runtime, as announced on the same page. cfn-lint follows that page and has the
#: same dates (1.58.0, data/AdditionalSpecs/LmbdRuntimeLifecycle.json). Older copies of the page say
#: 2026-06-30 for python3.11, which AWS has postponed by a year:
#: https://github.com/aws-cloudformation/cfn-lint/issues/4564
DEPRECATION = {
    "python3.11": datetime.date(2027, 6, 30),
    "python3.12": datetime.date(2028, 10, 31),
    "python3.13": datetime.date(2029, 6, 30),
    "python3.14": datetime.date(2029, 6, 30),
}
#: From when on Lambda refuses updates of functions with each runtime (same page). They go on running.
UPDATES_BLOCKED = {
    "python3.11": datetime.date(2027, 8, 31),
    "python3.12": datetime.date(2029, 1, 10),
    "python3.13": datetime.date(2029, 8, 31),
    "python3.14": datetime.date(2029, 8, 31),
}
#: When these dates were read. The default runtime depends on this date, not on today's: a function whose
#: settings nobody changes must not need a new runtime overnight.
AS_OF = datetime.date(2026, 11, 26)
#: How long before its deprecation a runtime is reported, and is no default anymore.
NOTICE = datetime.timedelta(days=365)

#: The runtimes without SnapStart: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes
WITHOUT_SNAP_START = frozenset({"python3.11"})

#: The kernel's names of Lambda's architectures; the tags of wheels use them.
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}

#: The default if Lambda does not support the host's Python for long enough: the oldest that it does.
FALLBACK_RUNTIME = next(runtime for runtime in RUNTIMES if DEPRECATION[runtime] - AS_OF >= NOTICE)


def default_runtime(*, emulated: bool = False) -> str:
    """Return the runtime of the host's Python, so that server and function run the same, if it has a future.

    Parameters
    ----------
    emulated : bool
        Whether an emulator runs the function. It does so with the Python of its host, where the modules that
        were compiled for another one cannot be loaded.
    """
    host = host_runtime()
    supported = host in RUNTIMES and (emulated or DEPRECATION[host] - AS_OF >= NOTICE)
    return host if supported else FALLBACK_RUNTIME


def host_runtime() -> str:
    """Return the name of the runtime with the host's Python; Lambda may have none of this name."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def deprecation(runtime: str, today: datetime.date | None = None) -> str | None:
    """Return a warning about a runtime that Lambda deprecates within a year, or has deprecated."""
    date = DEPRECATION[runtime]
    today = today or _today()
    if today < date - NOTICE:
        return None
    deprecates = "deprecates" if today < date else "has deprecated"
    when = f"on {date}" if today < date else f"since {date}"
    refuses = "refuses" if updates_blocked(runtime, today) else f"from {UPDATES_BLOCKED[runtime]} on refuses"
    return (
        f"Lambda {deprecates} the runtime {runtime} {when}, and {refuses} updates of the function:"
        " set s3sync.runtime to a newer one"
    )


def updates_blocked(runtime: str, today: datetime.date | None = None) -> bool:
    """Return whether Lambda refuses updates of functions with a runtime."""
    blocked = UPDATES_BLOCKED.get(runtime)
    return blocked is not None and (today or _today()) >= blocked


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
