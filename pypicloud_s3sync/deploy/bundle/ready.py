"""Read a ready zip, such as the value of ``s3sync.bundle``, and check that Lambda can use it."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ...exceptions import BundleError
from .models import Bundle, check_unzipped_size

#: The files that Lambda needs to find the handler.
_REQUIRED = ("lambda_script.py", "pypicloud_s3sync/handler.py")

#: The bit of an entry's flags that says that it is encrypted.
_ENCRYPTED = 0x1

#: What zipfile raises for a broken archive, for example NotImplementedError for a newer version of the
#: format, ValueError for a name that is not UTF-8, and the errors of the modules that decompress.
_BROKEN = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError),
    *(struct.error, zlib.error, lzma.LZMAError),
)


def load(path: str | Path, address: str | None = None, required: Iterable[str] = ()) -> Bundle:
    """Read a ready zip.

    Parameters
    ----------
    path : str or Path
    address : str, optional
        The address that errors name, if it is not the path.
    required : iterable of str
        Names of files that the zip must contain, in addition to the handler.

    Raises
    ------
    BundleError
        If the file cannot be read, is not a zip, is damaged or encrypted, has names that Lambda cannot
        unpack, does not contain the handler, or is too large for Lambda.
    """
    address = address or str(path)
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BundleError(f"cannot read {address} ({reason}): set s3sync.bundle to a zip") from error
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise BundleError(
            f"{address} is not a zip ({error}): create one with ppc-s3sync bundle -o FILE"
        ) from error
    with archive:
        size = _check(archive, address, (*_REQUIRED, *required))
    return Bundle(data, size)


def _check(archive: zipfile.ZipFile, address: str, required: Iterable[str]) -> int:
    """Raise an error for what is wrong with an archive; return its unzipped size in bytes."""
    entries = archive.infolist()
    problem = next(_problems(entries), None)
    if problem:
        raise _unusable(address, problem)
    names = {entry.filename for entry in entries}
    for name in required:
        if name not in names:
            raise BundleError(f"{address} does not contain {name}: create it with ppc-s3sync bundle -o FILE")
    size = sum(entry.file_size for entry in entries)
    # Before anything is decompressed: a small file can claim to be large.
    check_unzipped_size(size, address)
    try:
        damaged = archive.testzip()
    except _BROKEN as error:
        raise _unusable(address, f"it is damaged: {error}") from error
    if damaged is not None:
        raise _unusable(address, f"{damaged!r} is damaged")
    return size


def _unusable(address: str, problem: str) -> BundleError:
    reason = " ".join(problem.split())
    return BundleError(f"{address} cannot be used ({reason}): create one with ppc-s3sync bundle -o FILE")


def _problems(entries: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield what is wrong with the entries of an archive, by their headers."""
    files = {entry.filename for entry in entries if not entry.is_dir()}
    counts = Counter(entry.filename for entry in entries)
    for entry in entries:
        # The name before zipfile replaced the host's separator and cut it at a NUL.
        name = entry.orig_filename
        if _is_outside(name):
            yield f"the name {name!r} is not a relative path with slashes"
        elif counts[entry.filename] > 1:
            yield f"{name!r} is in it more than once"
        elif not files.isdisjoint(map(str, PurePosixPath(name).parents)):
            yield f"{name!r} is in a directory that is also a file"
        elif entry.flag_bits & _ENCRYPTED:
            yield f"{name!r} is encrypted"
        elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield f"{name!r} is compressed by another method than deflate"


def _is_outside(name: str) -> bool:
    parts = name.removesuffix("/").split("/")
    return "\\" in name or "\0" in name or not {"", ".", ".."}.isdisjoint(parts)
