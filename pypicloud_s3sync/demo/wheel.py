"""Build the wheel of the demo, a package with one function, without a build tool."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

MODULE = '''"""A package that came from another region."""


def greet():
    return "Hello from {name} {version}"
'''

METADATA = """Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: A package that travels between regions
Requires-Python: >=3.8
"""

WHEEL = """Wheel-Version: 1.0
Generator: pypicloud-s3sync demo
Root-Is-Purelib: true
Tag: py3-none-any
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel to upload.

    Parameters
    ----------
    name : str
        The normalized name, as in ``/simple/``.
    version : str
    path : Path
    """

    name: str
    version: str
    path: Path

    @property
    def filename(self) -> str:
        """The name of the file, as on the page of the package."""
        return self.path.name

    @property
    def module(self) -> str:
        """The name of the module to import."""
        return self.name.replace("-", "_")

    @property
    def greeting(self) -> str:
        """The text that ``greet()`` returns."""
        return f"Hello from {self.name} {self.version}"


def build(directory: Path, name: str, version: str) -> Wheel:
    """Write the wheel of a package whose ``greet()`` returns its name and version."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": MODULE.format(name=name, version=version),
        f"{info}/METADATA": METADATA.format(name=name, version=version),
        f"{info}/WHEEL": WHEEL,
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    path = directory / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return Wheel(name, version, path)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
