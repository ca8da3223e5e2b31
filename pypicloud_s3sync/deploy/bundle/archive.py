"""Write a zip whose bytes depend only on the names and contents of its files."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from stat import S_IFREG

from ...exceptions import BundleError

#: Level 9 takes four times as long for 1 % less.
_LEVEL = 5
#: The oldest date that the format can hold.
_DATE = (1980, 1, 1, 0, 0, 0)
#: More files need ZIP64. A bundle reaches Lambda's limit on bytes long before.
_MAX_FILES = 0xFFFF
#: The code for Unix in a zip's "version made by"; zipfile writes the host's.
_UNIX = 3

_SHARED_OBJECT = re.compile(r"\.so(\.\d+)*$")


def is_binary(name: str) -> bool:
    """Return whether a file is a shared object, by its name."""
    return _SHARED_OBJECT.search(name) is not None


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files: sorted, dated 1980-01-01, with mode 0644, or 0755 for shared objects.

    Parameters
    ----------
    files : mapping
        Contents by name.

    Raises
    ------
    BundleError
        If there are more than 65,535 files.
    """
    if len(files) > _MAX_FILES:
        raise BundleError(
            f"a zip holds at most {_MAX_FILES} files, but the bundle has {len(files)}: leave packages out"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = _UNIX
            info.external_attr = (S_IFREG | (0o755 if is_binary(name) else 0o644)) << 16
            archive.writestr(info, files[name], zipfile.ZIP_DEFLATED, _LEVEL)
    return buffer.getvalue()
