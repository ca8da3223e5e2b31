"""List a Redis cache by SCAN, a server or all servers of a cluster.

SCAN may return a key twice, and misses none that exists all the time: https://redis.io/docs/latest/commands/scan/
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from posixpath import commonprefix
from typing import Any, TypeVar

from ...sync.pending import OTHER_KEYS
from ..differences import hash_of, summary_of
from ..models import Count, ListedName, ListedRow
from .base import SHA256, IsListed, Scan, listed_row, microseconds_of_text, never_listed

#: The keys in one page.
PAGE = 1000
#: The fields of a row that are compared.
FIELDS = ("filename", "name", "version", "last_modified", "summary", "path", SHA256, OTHER_KEYS)

T = TypeVar("T")


class RedisScan(Scan):
    """Lists the rows, the lists and the summaries of ``pypicloud.cache.redis_cache.RedisCache``."""

    has_names = True

    @property
    def db(self) -> Any:
        """The Redis client, of a single server or a cluster."""
        return self.cache.db

    def count(self) -> Count:
        """Return how many files the lists of all names have."""
        keys = _pages(map(self.cache.redis_filename_set, self.list_names()))
        return Count(sum(sum(self._pipeline(("scard", key) for key in page)) for page in keys))

    def list_names(self) -> Collection[str]:
        """Return the names of all projects."""
        # SSCAN may return a name twice.
        return set(self.db.sscan_iter(self.cache.redis_set, count=PAGE))

    def rows(self, names: Collection[str] = ()) -> Iterator[Sequence[ListedRow]]:
        """Yield pages of rows, in any order: those of some names, or all."""
        for keys in _pages(self._row_keys(names)):
            found = self._pipeline(("hmget", key, FIELDS) for key in keys)
            rows = (
                _row(key.removeprefix(self.cache.redis_key("")), dict(zip(FIELDS, values, strict=True)))
                for key, values in zip(keys, found, strict=True)
            )
            yield [row for row in rows if row is not None]

    def _row_keys(self, names: Collection[str]) -> Iterator[str]:
        if not names:
            yield from self.db.scan_iter(match=_literal(self.cache.redis_key("")) + "*", count=PAGE)
        for page in _pages(names):
            for filenames in self._pipeline(
                ("smembers", self.cache.redis_filename_set(name)) for name in page
            ):
                yield from map(self.cache.redis_key, filenames)

    def names(
        self, names: Collection[str] = (), is_listed: IsListed = never_listed
    ) -> Iterator[Sequence[ListedName]]:
        """Yield pages of names with their summaries, in any order: some names, or all."""
        if names:
            yield from self._read_names(sorted(names))
            return
        yield from self._read_names(self.db.sscan_iter(self.cache.redis_set, count=PAGE))
        yield from self._read_names(name for name in self._with_keys() if not is_listed(name))

    def _with_keys(self) -> Iterator[str]:
        """Yield the names that have a list of files or a summary, some of them twice.

        The set of names lacks some of these. It must not be asked which: a name may have been added to it
        since it was read.
        """
        starts = (self.cache.redis_filename_set(""), self.cache.redis_summary_key(""))
        # One scan for both: each looks at every key of the database.
        match = _literal(commonprefix(starts)) + "*"
        for key in self.db.scan_iter(match=match, count=PAGE):
            yield from (key.removeprefix(start) for start in starts if key.startswith(start))

    def _read_names(self, names: Iterable[str]) -> Iterator[list[ListedName]]:
        for page in _pages(names):
            found = iter(
                self._pipeline(
                    command
                    for name in page
                    for command in (
                        ("sismember", self.cache.redis_set, name),
                        ("hmget", self.cache.redis_summary_key(name), ["last_modified", "summary"]),
                        ("smembers", self.cache.redis_filename_set(name)),
                        ("hlen", self.cache.redis_summary_key(name)),
                    )
                )
            )
            answers = [(name, next(found), next(found), next(found), next(found)) for name in page]
            # Redis also answers for a name of which nothing exists.
            yield [_name(*answer[:4]) for answer in answers if answer[1] or answer[3] or answer[4]]

    def _pipeline(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        pipe = self.db.pipeline(transaction=False)
        for method, *arguments in commands:
            getattr(pipe, method)(*arguments)
        return list(pipe.execute())


def _row(filename: str, fields: Mapping[str, str | None]) -> ListedRow | None:
    if fields["filename"] is None:
        # Deleted since it was listed.
        return None
    data = {name: _loaded(fields[name]) for name in ("path", SHA256, OTHER_KEYS)}
    name, version = fields["name"] or "", fields["version"] or ""
    modified = microseconds_of_text(fields["last_modified"] or "0")
    return listed_row(filename, name, version, modified, fields["summary"], data)


def _loaded(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


def _name(name: str, named: bool, summary: Sequence[str | None], files: Collection[str]) -> ListedName:
    modified, text = summary
    moment = None if modified is None else microseconds_of_text(modified)
    return ListedName(name, moment, summary_of(text), hash_of(files), bool(named))


def _literal(text: str) -> str:
    """Escape the characters that have a meaning in a pattern of Redis."""
    return "".join(f"\\{character}" if character in "*?[]^\\" else character for character in text)


def _pages(values: Iterable[T]) -> Iterator[list[T]]:
    values = iter(values)
    while page := list(islice(values, PAGE)):
        yield page
