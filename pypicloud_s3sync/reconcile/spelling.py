"""Tell whether the key of an object spells the name and the version that its row has.

Only the object's metadata has both for sure, and a listing does not show it. But the tools that build
packages write both into the filename, each in its own spelling, and pypicloud puts a file into a folder of
its name. Whatever a row says that its key cannot explain is compared with the object: it may be damaged.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import islice

from distlib import DistlibException
from pypicloud.util import PackageParseError, normalize_name, parse_filename

from ..sync.packages import in_metadata

#: The splits of one filename that are tried; a long one has hundreds of thousands.
MOST_SPLITS = 1000
_SEPARATORS = re.compile(r"[\W_]+")
#: What follows name and version in a filename: an extension, or the tags of a built distribution.
_REST = re.compile(
    r"|-(tar(-\w+)?|tbz2?|(?!(a|b|c|rc|alpha|beta|pre|preview|post|rev|r|dev)\d*$)[a-z]\w{0,9})"
    r"|-\d+-[a-z]\w*(-\d+)?-(rpm|deb)"
    r"|-(\d\w*-)?(py|cp|pp|ip|jy|graalpy|win|linux|macosx)\d?.*"
)
#: https://packaging.python.org/en/latest/specifications/version-specifiers/#version-specifiers-regex
_VERSION = re.compile(
    r"""v?
    ((?P<epoch>[0-9]+)!)?
    (?P<release>[0-9]+(\.[0-9]+)*)
    ([-_.]?(?P<stage>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre>[0-9]*))?
    (-(?P<revision>[0-9]+)|[-_.]?(post|rev|r)[-_.]?(?P<post>[0-9]*))?
    ([-_.]?dev[-_.]?(?P<dev>[0-9]*))?
    (\+(?P<local>[a-z0-9]+([-_.][a-z0-9]+)*))?""",
    re.VERBOSE,
)
_STAGES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


def is_spelled(filename: str, key: str | None, name: str, version: str) -> bool:
    """Return whether a file has a name and a version, as far as its filename and its folder tell.

    Parameters
    ----------
    filename : str
    key : str or None
        The key of its object.
    name, version : str
        As in the row.
    """
    if not name or not version:
        return False
    start, flat = _flat(f"{name}-{version}").rstrip("-"), _flat(filename)
    if start.startswith(f"{name}-") and flat.startswith(start) and _REST.fullmatch(flat[len(start) :]):
        # Most rows are like this, so the rest may be slow.
        return True
    if name != normalize_name(name):
        return False
    return _is_spelled_otherwise(filename, key or "", name, version) or parsed(filename) == (name, version)


def _is_spelled_otherwise(filename: str, key: str, name: str, version: str) -> bool:
    splits = list(islice(_splits(in_metadata(filename)), MOST_SPLITS))
    versions = [text for start, text in splits if start == _flat(name).strip("-")]
    if not versions and normalize_name(in_metadata(posixpath.basename(posixpath.dirname(key)))) == name:
        # The filename of an upload need not have the name of its package.
        versions = [text for _, text in splits]
    wanted = _forms(version)
    # Old wheels have no plus sign.
    return any(wanted & (_forms(text) | _forms(text.replace("_", "+", 1))) for text in versions)


def _splits(filename: str) -> Iterator[tuple[str, str]]:
    """Yield each name and version into which a filename can be split; the name may be empty."""
    cuts = [match.start() for match in re.finditer(r"[-_.]", filename)]
    ends = [end for end in (*cuts, len(filename)) if _REST.fullmatch(_flat(filename[end:]))]
    for start in (0, *(cut + 1 for cut in cuts if filename[cut] == "-")):
        name = _flat(filename[:start]).strip("-")
        yield from ((name, filename[start:end]) for end in ends if end > start)


def parsed(filename: str) -> tuple[str, str] | None:
    """Return the name and the version that pypicloud reads from a filename if nothing else has them."""
    try:
        name, version = parse_filename(filename)
    except (PackageParseError, DistlibException):
        return None
    return normalize_name(name), version


def _forms(version: str) -> set[str]:
    """Return a version as it is written, but for its separators, and as it is normalized."""
    return {_flat(version).strip("-"), normal_version(version)}


def normal_version(version: str) -> str:
    """Return a text that is the same for equal versions of PEP 440; others are returned as they are.

    The bundle of the function does not have ``packaging``, and distlib does not know every spelling.
    """
    found = _VERSION.fullmatch(version.strip().lower())
    if found is None:
        return version
    release = [_number(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == "0":
        release.pop()
    normal = f"{_number(found['epoch'])}!{'.'.join(release)}"
    if found["stage"]:
        normal += f"{_STAGES.get(found['stage'], found['stage'])}{_number(found['pre'])}"
    for part, number in (("post", found["revision"] or found["post"]), ("dev", found["dev"])):
        if number is not None:
            normal += f".{part}{_number(number)}"
    if found["local"]:
        normal += "+" + ".".join(
            _number(part) if part.isdigit() else part for part in re.split(r"[-_.]", found["local"])
        )
    return normal


def _number(digits: str | None) -> str:
    """Return a number without leading zeros; one that is not written is zero."""
    return (digits or "").lstrip("0") or "0"


def _flat(text: str) -> str:
    return str(_SEPARATORS.sub("-", text.lower()))
