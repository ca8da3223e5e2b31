"""What a bundle is asked for, what it is once built, and the sizes that Lambda takes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ...config.runtimes import ARCHITECTURES, RUNTIMES
from ...exceptions import BundleError

#: Bytes of a zip that CreateFunction and UpdateFunctionCode take in the request; larger ones go through S3.
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
DIRECT_UPLOAD_LIMIT = 50 * 1024**2

#: Bytes of a function's code once it is unzipped, layers included. Same page.
UNZIPPED_LIMIT = 250 * 1024**2

#: Is told of each step of a build: ``(message, done, total)``.
BuildListener = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Target:
    """What the bundle runs on.

    Parameters
    ----------
    runtime : str
        Lambda's name of it, for example ``python3.12``.
    architecture : str
        ``x86_64`` or ``arm64``.

    Raises
    ------
    BundleError
        Lambda has no such runtime or architecture, or pypicloud does not run on it.
    """

    runtime: str
    architecture: str = "x86_64"

    def __post_init__(self) -> None:
        for what, value, known in (
            ("runtime", self.runtime, RUNTIMES),
            ("architecture", self.architecture, ARCHITECTURES),
        ):
            if value not in known:
                raise BundleError(f"{what} {value} is not one to build for: take one of {', '.join(known)}")

    def __str__(self) -> str:
        return f"{self.runtime} on {self.architecture}"

    @property
    def python(self) -> tuple[int, int]:
        """Python's major and minor version."""
        major, minor = self.runtime.removeprefix("python").split(".")
        return int(major), int(minor)

    @property
    def machine(self) -> str:
        """``x86_64`` or ``aarch64``."""
        return ARCHITECTURES[self.architecture]

    @property
    def glibc(self) -> tuple[int, int]:
        """Major and minor version of the runtime's C library."""
        return RUNTIMES[self.runtime]


@dataclass(frozen=True)
class BundleSpec:
    """What to build.

    Parameters
    ----------
    target : Target
    cache : str
        The value of ``pypi.db``: ``dynamo``, ``redis``, ``sql`` or the dotted path of a class.
    db_url : str, optional
        The value of ``db.url``, of which only the driver is looked at: the rest may hold a password.
    extra_packages : tuple of str
        Names of distributions installed here, to be added with everything that they require.
    """

    target: Target
    cache: str
    db_url: str | None = field(default=None, repr=False)
    extra_packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bundle:
    """A zip for Lambda.

    Parameters
    ----------
    data : bytes
        The zip.
    unzipped_size : int
        Bytes that its files take.
    """

    data: bytes = field(repr=False)
    unzipped_size: int

    @property
    def size(self) -> int:
        """Bytes of the zip."""
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the zip in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def code_sha256(self) -> str:
        """The same in base64, as Lambda says it in ``CodeSha256``."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


def check_unzipped_size(size: int, what: str) -> None:
    """Refuse what Lambda would refuse after the upload.

    Raises
    ------
    BundleError
        It is more than 250 MiB.
    """
    if size > UNZIPPED_LIMIT:
        raise BundleError(
            f"{what} takes {size / 1024**2:.0f} MiB unzipped and Lambda 250 MiB at most: "
            "take packages out of s3sync.extra_packages"
        )
