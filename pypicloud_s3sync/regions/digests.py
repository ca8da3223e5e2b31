"""Compute the digest of what each region holds: regions that hold the same have the same digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from .models import Held

#: The digests of files are added up modulo this, so that their order does not matter.
MODULUS = 2**256


def entries(filename: str, held: Sequence[Held]) -> Iterator[int]:
    """Yield what a filename adds to the digest of each region: nothing if it has neither object nor row.

    A hash counts only if all regions know it: a region that does not know it may hold the same file.
    """
    packages, rows = [it.package for it in held if it.package], [it.row for it in held if it.row]
    object_hashes = all(package.sha256 for package in packages)
    row_hashes = all(row.sha256 for row in rows)
    for it in held:
        if it.row is None and it.package is None:
            yield 0
            continue
        row, stored = it.row, it.package
        values = (
            filename,
            None if row is None else (row.name, row.version, row.sha256 if row_hashes else None),
            None if stored is None else (stored.sha256 if object_hashes else it.size),
        )
        yield int.from_bytes(hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).digest())


def add(digests: list[int], added: Sequence[int]) -> None:
    """Add what a filename adds to the digest of each region."""
    digests[:] = [(digest + more) % MODULUS for digest, more in zip(digests, added, strict=True)]
