"""Upload packages as pypicloud does, with filenames as the tools that build packages spell them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pypicloud.cache.base import ICache
from pypicloud.storage.s3 import S3Storage

from pypicloud_s3sync.sync.packages import StoredObject
from support.damage import put_row
from support.small_world import World


def upload(world: World, filename: str, name: str | None, version: str | None) -> str:
    """Upload a file through pypicloud's cache and storage; return its key.

    The object gets the second of the row that the server writes.

    Raises
    ------
    ValueError
        Name or version is None, and pypicloud cannot parse the filename.
    """
    sent: dict[str, str] = {}

    @contextmanager
    def open_object(uri: str, mode: str, transport_params: Any, **_: Any) -> Iterator[BytesIO]:
        sent.update(transport_params["client_kwargs"]["S3.Client.create_multipart_upload"]["Metadata"])
        yield BytesIO()

    cache = world.adapter.cache
    storage = S3Storage(bucket=mock.MagicMock(), bucket_prefix=world.prefix, prepend_hash=True)
    with (
        mock.patch("pypicloud.storage.s3._open", open_object),
        mock.patch.multiple(
            cache, storage=storage, fetch=lambda filename: None, save=partial(put_row, world.backend)
        ),
    ):
        # Without the repairs of pypicloud, which another test may have applied.
        upload = inspect.unwrap(ICache.upload)
        package = upload(cache, filename, BytesIO(b"content"), name, version, "A package")
    # S3 cuts off the spaces around a header.
    metadata = {field: text.strip() for field, text in sent.items() if text.strip()}
    key, modified = str(package.data["path"]), package.last_modified.replace(microsecond=0)
    world.bucket.versions[key] = [StoredObject(key, "e", None, modified, metadata)]
    return key


@st.composite
def versions(draw: st.DrawFn) -> str:
    """Return a version, in any spelling that PEP 440 allows."""
    number, separator = st.sampled_from(("", "0", "1", "01", "12")), st.sampled_from(("", "-", "_", "."))

    def part(*words: str) -> str:
        word = draw(st.sampled_from(words))
        return draw(st.sampled_from(("", draw(separator) + word + draw(separator) + draw(number))))

    release = st.lists(st.sampled_from(("0", "1", "2", "007", "2026")), min_size=1, max_size=4).map(".".join)
    local = st.lists(st.sampled_from(("cu118", "1", "01", "Local")), min_size=1, max_size=3)
    text = (
        draw(st.sampled_from(("", "", "v", "1!", "V0!")))
        + draw(release)
        + part("a", "b", "rc", "c", "alpha", "BETA", "pre", "preview")
        + draw(st.sampled_from(("-1", part("post", "rev", "r"))))
        + part("dev")
        + draw(st.sampled_from(("", "+" + draw(st.sampled_from("-_.")).join(draw(local)))))
    )
    return str(text)


#: Versions from before PEP 440.
LEGACY_VERSIONS = st.text("019abrc.-_ +!()", min_size=1, max_size=8).filter(str.strip)
NAMES = st.from_regex(
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True, alphabet=st.characters(max_codepoint=127)
)
#: Names that setuptools once allowed, or that S3's metadata cannot hold.
LEGACY_NAMES = st.sampled_from(("Twisted Core", "my pkg!", "größer", "x--y", "a+b"))
TAGS = st.sampled_from(("py3-none-any", "1-py2.py3-none-any", "cp312-cp312-manylinux_2_17_x86_64"))
BINARIES = st.sampled_from(
    ("-py2.7.egg", "-py2.7-linux-x86_64.egg", ".win-amd64-py2.7.exe", ".linux-x86_64.tar.gz")
)


@st.composite
def filenames(draw: st.DrawFn, name: str, version: str) -> str:
    """Return the filename that a tool gives to a package."""
    tool = draw(st.sampled_from(("distutils", "setuptools", "binary", "wheel", "old wheel", "flit")))
    safe_name, safe_version = re.sub(r"[^A-Za-z0-9.]+", "-", name), _safe_version(version)
    end = draw(st.sampled_from((".tar.gz", ".zip", ".tar.bz2", ".tgz")))
    match tool:
        case "distutils":
            return f"{name}-{version}{end}"
        case "setuptools":
            return f"{draw(st.sampled_from((safe_name, safe_name.replace('-', '_'))))}-{safe_version}{end}"
        case "binary":
            return f"{safe_name.replace('-', '_')}-{safe_version.replace('-', '_')}{draw(BINARIES)}"
        case "wheel":
            return f"{safe_name.replace('-', '_')}-{safe_version.replace('-', '_')}-{draw(TAGS)}.whl"
        case "old wheel" if "!" not in version:
            parts = (re.sub(r"[^\w.]+", "_", text) for text in (name, safe_version))
            return f"{'-'.join(parts)}-{draw(TAGS)}.whl"
    return f"{canonicalize_name(name).replace('-', '_')}-{safe_version}{end}"


def _safe_version(version: str) -> str:
    """Return a version as setuptools writes it."""
    try:
        return str(Version(version))
    except InvalidVersion:
        return re.sub(r"[^A-Za-z0-9.]+", "-", version.replace(" ", "."))
