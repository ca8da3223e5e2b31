"""Define what to build (:class:`BundleSpec`), the result (:class:`Bundle`) and Lambda's limits on size."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ...config.runtimes import ARCHITECTURES, RUNTIMES
from ...exceptions import BundleError

#: The largest zip, in bytes, that CreateFunction and UpdateFunctionCode accept in the request. A larger one
#: is uploaded to S3 first. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
DIRECT_UPLOAD_LIMIT = 50 * 1024**2

#: The largest size of a function's unzipped code in bytes, including layers. Same page.
UNZIPPED_LIMIT = 250 * 1024**2

#: Takes ``(message, done, total)`` for each step of a build.
BuildListener = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Target:
    """The platform that a bundle runs on.

    Parameters
    ----------
    runtime : str
        Lambda's name of the runtime, for example ``python3.12``.
    architecture : str
        ``x86_64`` or ``arm64``.

    Raises
    ------
    BundleError
        If the runtime or the architecture is not supported.
    """

    runtime: str
    architecture: str = "x86_64"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("runtime", self.runtime, RUNTIMES),
            ("architecture", self.architecture, ARCHITECTURES),
        ):
            if value not in known:
                raise BundleError(f"Invalid value {value!r} for {name}: expected one of {', '.join(known)}")

    def __str__(self) -> str:
        return f"{self.runtime} on {self.architecture}"

    @property
    def python(self) -> tuple[int, int]:
        """The major and minor version of the runtime's Python."""
        major, minor = self.runtime.removeprefix("python").split(".")
        return int(major), int(minor)

    @property
    def machine(self) -> str:
        """The name of the processor: ``x86_64`` or ``aarch64``."""
        return ARCHITECTURES[self.architecture]

    @property
    def glibc(self) -> tuple[int, int]:
        """The major and minor version of the runtime's C library."""
        return RUNTIMES[self.runtime]


@dataclass(frozen=True)
class BundleSpec:
    """A description of a bundle to build.

    Parameters
    ----------
    target : Target
    cache : str
        The value of ``pypi.db``: ``dynamo``, ``redis``, ``sql`` or the dotted path of a class.
    db_url : str, optional
        The value of ``db.url``. Only its driver, and whether it uses TLS, count; it may hold a password.
    extra_packages : tuple of str
        Names of installed distributions to add, with everything that they require.
    files : tuple of pairs
        Further files: the name in the zip and the path on this host.
    """

    target: Target
    cache: str
    db_url: str | None = field(default=None, repr=False)
    extra_packages: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Bundle:
    """A zip for Lambda.

    Parameters
    ----------
    data : bytes
        The zip.
    unzipped_size : int
        The size of its files in bytes.
    """

    data: bytes = field(repr=False)
    unzipped_size: int

    @property
    def size(self) -> int:
        """The size of the zip in bytes."""
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the zip in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def code_sha256(self) -> str:
        """The SHA-256 of the zip in base64, as in Lambda's ``CodeSha256``."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


def check_unzipped_size(size: int, name: str) -> None:
    """Raise an error for what Lambda would refuse after the upload.

    Parameters
    ----------
    size : int
        The unzipped size in bytes.
    name : str
        What the error calls it.

    Raises
    ------
    BundleError
        If the size is more than 250 MiB.
    """
    if size > UNZIPPED_LIMIT:
        raise BundleError(
            f"{name} has {size / 1024**2:.0f} MiB unzipped, but Lambda accepts at most 250 MiB:"
            " remove packages from s3sync.extra_packages"
        )
