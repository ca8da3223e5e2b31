"""Look up the outcomes of millions of keys at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from support.state_space import Array, unique


class Index:
    """The numbers of keys: a hash table in arrays, which looks up millions of keys at a time.

    It has linear probing, and is at most a quarter full.
    """

    #: Not a key: a key has a database in its lowest bits, of which there are never so many.
    NOTHING = np.uint64(2**64 - 1)
    #: Spreads keys that lie close together, by the golden ratio.
    FACTOR = np.uint64(0x9E3779B97F4A7C15)

    def __init__(self) -> None:
        self.count = 0
        self._resize(10)

    def _resize(self, bits: int) -> None:
        self.bits = bits
        self.keys = np.full(1 << bits, self.NOTHING)
        self.numbers = np.zeros(1 << bits, np.int64)

    def _slots(self, keys: Array) -> Array:
        return (keys * self.FACTOR) >> np.uint64(64 - self.bits)

    def find(self, keys: Array) -> Any:
        """Return the number of each key, or -1 if it has none."""
        slots = self._slots(keys)
        found, numbers = self.keys[slots], self.numbers[slots]
        numbers[found == self.NOTHING] = -1
        others = np.flatnonzero((found != keys) & (found != self.NOTHING))
        slots = slots[others]
        while len(others):
            slots = (slots + np.uint64(1)) & np.uint64((1 << self.bits) - 1)
            found = self.keys[slots]
            numbers[others] = np.where(found == self.NOTHING, -1, self.numbers[slots])
            remain = (found != keys[others]) & (found != self.NOTHING)
            others, slots = others[remain], slots[remain]
        return numbers

    def add(self, keys: Array) -> None:
        """Number further keys, none of which has a number."""
        numbers = np.arange(self.count, self.count + len(keys))
        self.count += len(keys)
        if self.count * 4 > 1 << self.bits:
            is_used = self.keys != self.NOTHING
            keys = np.append(keys, self.keys[is_used])
            numbers = np.append(numbers, self.numbers[is_used])
            self._resize((self.count * 8).bit_length())
        slots = self._slots(keys).tolist()
        for key, number, slot in zip(keys.tolist(), numbers.tolist(), slots, strict=True):
            while self.keys[slot] != self.NOTHING:
                slot = (slot + 1) % (1 << self.bits)
            self.keys[slot], self.numbers[slot] = key, number


class Table:
    """The outcomes of keys, each of which is looked up once.

    Parameters
    ----------
    outcomes : callable
        Returns the outcomes of a key, as numbers.
    width : int
        The numbers of an outcome.
    """

    def __init__(self, outcomes: Callable[[int], Sequence[tuple[int, ...]]], width: int) -> None:
        self.outcomes, self.width = outcomes, width
        self.index = Index()
        self.starts, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.flat = np.zeros((width, 0), np.uint64)

    def expand(self, keys: Array) -> tuple[Array, Array]:
        """Replace each key by its outcomes.

        Returns
        -------
        array, array
            The index of each outcome's key, and a row for each of the outcomes' numbers.
        """
        numbers = self.index.find(keys)
        unknown = numbers < 0
        if unknown.any():
            self._learn(unique(keys[unknown]))
            numbers[unknown] = self.index.find(keys[unknown])
        starts, repeats = self.starts[numbers], self.counts[numbers]
        if (repeats == 1).all():
            return np.arange(len(keys), dtype=np.uint64), self.flat[:, starts]
        rows = np.repeat(np.arange(len(keys)), repeats)
        offsets = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats - starts, repeats)
        return rows.astype(np.uint64), self.flat[:, offsets]

    def _learn(self, keys: Array) -> None:
        lists = [self.outcomes(key) for key in keys.tolist()]
        self.index.add(keys)
        counts = np.array([len(some) for some in lists], np.int64)
        self.starts = np.append(self.starts, self.flat.shape[1] + np.cumsum(counts) - counts)
        self.counts = np.append(self.counts, counts)
        flat = np.array([outcome for some in lists for outcome in some], np.uint64).reshape(-1, self.width).T
        self.flat = np.hstack([self.flat, flat])
