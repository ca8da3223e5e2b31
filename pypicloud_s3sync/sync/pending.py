"""Track one filename while it is converged: what was requested, what was read, and which row follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..caches.base import RowKey, Snapshot
from .filenames import guess_name, possible_names
from .packages import StoredObject, keep_text, to_package

#: The entry of a row's ``data`` that lists the other existing keys of its filename. A key that is about to be
#: dropped is listed twice, and its object is read again before that: see :meth:`PendingFile.choose_row`.
OTHER_KEYS = "other_paths"


def listed_keys(row: Any | None) -> list[str]:
    """Return the keys that a row lists; those from old versions of pypicloud list none."""
    if row is None:
        return []
    others = row.data.get(OTHER_KEYS)
    keys = [row.data.get("path"), *(others if isinstance(others, list) else ())]
    # What someone else wrote may be no key.
    return [key for key in keys if key and isinstance(key, str)]


@dataclass(frozen=True)
class Outcome:
    """What was done for one key.

    Parameters
    ----------
    action : str
        ``saved``, ``cleared`` or ``ignored``.
    name : str
        The filename that was saved or cleared, or the key that was ignored.
    written : bool
        Whether the row was written; otherwise it was right.
    """

    action: str
    name: str
    written: bool = field(default=False, compare=False)


@dataclass
class PendingFile:
    """A filename that is being converged, with its state so far.

    Parameters
    ----------
    filename : str
    requested : list of str
        The keys that events named.
    objects : dict
        The object under each key that was read; None if it does not exist.
    packages : list
        The packages in the objects that exist, the newest first.
    snapshot : Snapshot or None
        The row that was read; None before the first read.
    wanted : pypicloud.models.Package or None
        The row that the cache should have; None for no row.
    announcement : pypicloud.models.Package or None
        The row to write before the wanted one, if keys are dropped: see :meth:`choose_row`.
    expected : RowKey or None
        The key of a snapshot that was read before the objects were known.
    repeats : int
        The number of attempts that read exactly this snapshot before.
    written : bool
        Whether the row was written.
    done : bool
    error : Exception or None
    """

    filename: str
    requested: list[str] = field(default_factory=list)
    objects: dict[str, StoredObject | None] = field(default_factory=dict)
    packages: list[Any] = field(default_factory=list)
    snapshot: Snapshot | None = None
    expected: RowKey | None = None
    repeats: int = 0
    wanted: Any | None = None
    announcement: Any | None = None
    written: bool = False
    done: bool = False
    error: Exception | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file is neither done nor failed."""
        return not self.done and self.error is None

    @property
    def announces(self) -> bool:
        """Whether the row to write only announces that keys will be dropped."""
        return self.announcement is not None

    @property
    def row_key(self) -> RowKey:
        """The row to read."""
        name = self.packages[0].name if self.packages else guess_name(self.filename)
        others = tuple(other for other in possible_names(self.filename) if other != name)
        return RowKey(self.filename, name, others, is_gone=not self.packages)

    @property
    def unread_keys(self) -> list[str]:
        """The keys that the row lists and that have not been read yet, or were missing before it was written.

        If a handler dropped such a key and were then interrupted, nobody would look at it again: only the
        events of the requested keys are retried.
        """
        row = None if self.snapshot is None else self.snapshot.row
        known = {key for key, found in self.objects.items() if found is not None or key in self.requested}
        return [key for key in listed_keys(row) if key not in known]

    def expect_row(self) -> bool:
        """Return whether to read the row before the objects are known, because the filename has one name."""
        key = self.row_key
        self.expected = None if key.name is None or key.other_names else key
        return self.expected is not None

    def take_expected_row(self) -> bool:
        """Return whether the expected row was read under the right key. It counts for one attempt only."""
        expected, self.expected = self.expected, None
        if expected is not None and expected != replace(self.row_key, is_gone=True):
            self.snapshot = None
            return False
        return expected is not None

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Set the row as it was read now, and count the attempts in which it did not change."""
        unchanged = self.snapshot is not None and self.snapshot.raw == snapshot.raw
        self.repeats = self.repeats + 1 if unchanged else 0
        self.snapshot = snapshot

    def build_packages(self, factory: Callable[..., Any]) -> None:
        """Create the packages in the objects that exist."""
        stored = [found for found in self.objects.values() if found is not None]
        stored.sort(key=lambda found: (found.last_modified, found.key), reverse=True)
        packages = [to_package(found, factory) for found in stored]
        self.packages = [package for package in packages if package is not None]

    def choose_row(self) -> None:
        """Set the wanted row: that of the newest object, with the keys of the other objects.

        A listed key that is missing, and that was not requested, is dropped in two steps. First it is listed
        twice, which no other row does; then it is read again. Otherwise, the handler of a new object could
        find the row right before this one drops the key. If this one were interrupted after that, nobody
        would look at the key again: only the events of requested keys are retried.
        """
        self.announcement, self.wanted = self._announcement(), None
        if self.packages:
            self.wanted, *others = self.packages
            keep_text(self.wanted, None if self.snapshot is None else self.snapshot.row)
            if others:
                keys = sorted(package.data["path"] for package in others)
                self.wanted.data = {**self.wanted.data, OTHER_KEYS: keys}

    def _announcement(self) -> Any | None:
        """Return the present row with the keys to be dropped listed twice; None if that is not needed."""
        row = None if self.snapshot is None else self.snapshot.row
        listed = listed_keys(row)
        missing = {key for key, found in self.objects.items() if found is None}
        dropped = missing.intersection(listed).difference(self.requested)
        if row is None or all(listed.count(key) > 1 for key in dropped):
            return None
        keys = sorted([*dropped, *({*listed} - {row.data.get("path")})])
        data = {**row.data, OTHER_KEYS: keys}
        return type(row)(row.name, row.version, row.filename, row.last_modified, row.summary, **data)

    def outcome(self, key: str) -> Outcome:
        """Return what was done for one of the requested keys."""
        wanted, row = self.wanted, None if self.snapshot is None else self.snapshot.row
        if wanted is None:
            if self.objects[key] is not None:
                return Outcome("ignored", key)
            return Outcome("cleared", self.filename, self.written)
        replaced = self.objects[key] is None and row is not None and row.data.get("path") == key
        if wanted.data["path"] == key or replaced:
            return Outcome("saved", self.filename, self.written)
        return Outcome("ignored", key)
