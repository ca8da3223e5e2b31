"""Tell what differs for a filename, and of which kind: within a region, and between regions.

Content is compared by its SHA-256, which pypicloud stores in the metadata of an object and in its row, and by
the size. An ETag is not a hash of the content: it depends on the parts of an upload, and on the encryption.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..reconcile.models import Kind as CacheKind
from .models import Described, Held, Kind

#: The kinds of differences between a bucket and its cache, as a reconciliation of the region finds them.
WITHIN_REGION = {
    CacheKind.MISSING: Kind.MISSING_ROW,
    CacheKind.GONE: Kind.EXTRA_ROW,
    CacheKind.STALE: Kind.STALE_ROW,
    CacheKind.SUMMARIES: Kind.STALE_ROW,
}


def agree(held: Sequence[Held]) -> bool:
    """Return whether the regions hold the same, as far as their listings tell."""
    packages = [it.package for it in held if it.package is not None]
    if not packages:
        return True
    return len(packages) == len(held) and not any(True for _ in differences(held))


def differences(held: Sequence[Held]) -> Iterator[tuple[Kind, int]]:
    """Yield what the regions do not agree about, with the index of the region.

    A missing or extra row is not among them: the region's own survey finds it.

    If the content differs, that of most regions is taken for the right one; if as many have another one, that
    of the first region among them.
    """
    having = [index for index, it in enumerate(held) if it.package is not None]
    if not having:
        return
    reference = _reference([held[index] for index in having])
    for index, it in enumerate(held):
        if it.package is None:
            yield Kind.NOT_REPLICATED, index
        else:
            if it.row is not None and not it.is_stale and not says(it.row, it.package):
                yield Kind.STALE_ROW, index
            if not _same_content(it, reference):
                yield Kind.DIFFERENT_CONTENT, index


def _reference(held: Sequence[Held]) -> Held:
    """Return what most regions hold; the first of them if there is no majority."""
    counts = Counter(next(i for i, one in enumerate(held) if _same_content(it, one)) for it in held)
    return held[max(counts, key=lambda index: (counts[index], -index))]


def _same_content(one: Held, other: Held) -> bool:
    """Return whether two regions hold the same file under a filename, as far as it is known."""
    if one.package is None or other.package is None:
        return one.package is other.package
    if one.size is not None and other.size is not None and one.size != other.size:
        return False
    return says(one.package, other.package)


def says(row: Described, package: Described) -> bool:
    """Return whether two descriptions agree; a hash that one of them lacks does not count."""
    if (row.name, row.version) != (package.name, package.version):
        return False
    return not (row.sha256 and package.sha256) or row.sha256 == package.sha256
