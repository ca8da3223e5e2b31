"""Keep the lists and the summaries of a Redis cache equal to its rows.

A name has a list of files, an entry in the list of names, and a summary. They are under keys of their own,
which a cluster cannot change together with a row. Three rules keep them right:

- A summary is swapped, as a row is: it is replaced only if it has not changed since it was read.
- A handler that has added a file, and finds a summary that is older, makes the file's own the summary. It
  reads the summary after it has listed the file, and needs no other row. In the end, it reads its own row: if
  another handler has changed it, that handler may have read the lists before they were written.
- A handler in any other case, or after an interruption, asks for the newest of the listed rows. If anything
  was wrong, it asks again after it has corrected it, until nothing is wrong. The last handler to write has
  then read the rows after its write, and a handler that changes a row later corrects the lists again.

The first case makes up nearly all events, and takes the same few commands whatever the size of the project.
In the other cases, the server sorts the rows and returns the newest. A cluster cannot sort rows of several
servers, and a user who may not read every key must not: then the three fields that count are read of every
listed row. A script would take the server as long as reading them, and let all others wait.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from redis.exceptions import ResponseError

from ..exceptions import S3SyncError
from .canary import is_canary
from .redis_commands import CHUNK, Command, RedisCommands, Swap
from .redis_states import FIELDS, NameState, is_older, is_right, newest_of, shown_row, state_of

#: How often a name's rows may change while its lists are corrected, before the event is left to a retry.
ROUNDS = 20
#: What Redis says if a row's time is not a number.
DAMAGED = "converted into double"
#: The number of files up to which each of them is looked up in a list. Above it, the whole list is read.
FEW = 10


class NameLists:
    """Corrects the lists and the summaries of ``pypicloud.cache.redis_cache.RedisCache``.

    Parameters
    ----------
    cache : pypicloud.cache.redis_cache.RedisCache
    commands : RedisCommands
    """

    def __init__(self, cache: Any, commands: RedisCommands) -> None:
        self.cache = cache
        self.commands = commands
        self.can_sort = not commands.is_cluster

    def listing(self, filenames_and_names: Sequence[tuple[str, str]]) -> list[bool]:
        """Return for each pair of a filename and a name whether the name lists the file."""
        keys = ((self.cache.redis_filename_set(name), filename) for filename, name in filenames_and_names)
        answers = self.commands.pipeline([("sismember", *key) for key in keys])
        return [bool(answer) for answer in answers]

    def leftovers(self, filenames: Collection[str]) -> list[str]:
        """Return the names that list one of the files, which have no rows, or that list no file at all.

        A handler or a server that was interrupted while it deleted a row has left one of these: see
        :meth:`_write`. The name of the row is not always known: it may be any that its object had.
        """
        if not filenames:
            return []
        (names,) = self.commands.pipeline([("smembers", self.cache.redis_set)])
        found: list[str] = []
        ordered = sorted(names)
        for start in range(0, len(ordered), CHUNK):
            chunk = ordered[start : start + CHUNK]
            found += [
                name for name, is_left in zip(chunk, self._are_left(chunk, filenames), strict=True) if is_left
            ]
        return found

    def _are_left(self, names: Sequence[str], filenames: Collection[str]) -> list[bool]:
        keys = [self.cache.redis_filename_set(name) for name in names]
        if len(filenames) > FEW:
            lists = self.commands.pipeline([("smembers", key) for key in keys])
            return [not listed or not listed.isdisjoint(filenames) for listed in lists]
        commands: list[Command] = []
        for key in keys:
            commands += [("scard", key), *(("sismember", key, filename) for filename in filenames)]
        answers, width = self.commands.pipeline(commands), len(filenames) + 1
        found = [answers[start : start + width] for start in range(0, len(answers), width)]
        return [not count or any(members) for count, *members in found]

    def add(self, rows: Mapping[str, Mapping[str, Mapping[str, str]]]) -> set[str]:
        """List files that were just added, and make the newest of a name its summary if it is newer.

        Parameters
        ----------
        rows : dict
            The hash of each row, by its name and its filename. None of the rows existed before.

        Returns
        -------
        set of str
            The names whose lists have to be corrected: the summary is not older than the rows or has changed,
            files without a summary are listed, or another handler has changed one of the rows.
        """
        shown = [name for name in rows if not is_canary(name)]
        lists = {name: self.cache.redis_filename_set(name) for name in rows}
        summaries = {name: self.cache.redis_summary_key(name) for name in shown}
        answers = self.commands.in_order(
            [("sadd", lists[name], *sorted(rows[name])) for name in rows],
            [("sadd", self.cache.redis_set, *shown)] if shown else [],
            [
                *(("scard", lists[name]) for name in shown),
                *(("hgetall", summaries[name]) for name in shown),
            ],
        )
        found = answers[len(answers) - 2 * len(shown) :]
        swaps: dict[str, Swap] = {}
        unclear: set[str] = set()
        for name, count, before in zip(shown, found, found[len(shown) :], strict=False):
            newest = max(newest_of(filename, fields) for filename, fields in rows[name].items())
            if before == newest.summary:
                continue
            if is_older(before, newest) if before else count == len(rows[name]):
                swaps[name] = summaries[name], before, newest.summary
            else:
                unclear.add(name)
        # Whoever changes a row after this reads its lists after these writes, and corrects them.
        files = [(name, filename) for name in rows for filename in rows[name]]
        swapped, values = self.commands.swap_and_read(
            list(swaps.values()),
            [("hmget", self.cache.redis_key(filename), FIELDS) for _, filename in files],
        )
        unclear |= {name for name, is_done in zip(swaps, swapped, strict=True) if not is_done}
        for (name, filename), now in zip(files, values, strict=True):
            if now != [rows[name][filename].get(field) for field in FIELDS]:
                unclear.add(name)
        return unclear

    def correct_all(self, files: Mapping[str, Collection[str]], whole: Collection[str]) -> None:
        """Correct the lists of several names; those that are right cost one round trip for all of them.

        Parameters
        ----------
        files : dict
            The files whose rows may have changed, by name.
        whole : collection of str
            The names of which every other file is to be looked at, too.

        Raises
        ------
        S3SyncError
            As :meth:`correct`.
        """
        right = self._right({name: sorted(files[name]) for name in files if name not in whole})
        for name, filenames in files.items():
            if name not in right:
                self.correct(name, filenames, every_file=name in whole)

    def _right(self, files: Mapping[str, Sequence[str]]) -> set[str]:
        """Return the names of which nothing is wrong, as far as that can be read for all of them together."""
        if len(files) < 2 or not self.can_sort:
            return set()
        commands = {name: self._sorting(name, filenames) for name, filenames in files.items()}
        try:
            answers = iter(self.commands.pipeline([command for name in files for command in commands[name]]))
        except ResponseError:
            # Of one name, or of all: each finds out alone.
            return set()
        states = {
            name: self._sorted(name, filenames, list(islice(answers, len(commands[name]))))
            for name, filenames in files.items()
        }
        return {name for name, state in states.items() if state is not None and is_right(name, state)}

    def correct(self, name: str, filenames: Collection[str], every_file: bool = False) -> None:
        """Derive a name's list of files, its entry in the list of names and its summary from its rows.

        Parameters
        ----------
        name : str
        filenames : collection of str
            The files whose rows may have changed.
        every_file : bool
            Whether to look at every other file that the name lists, too.

        Raises
        ------
        S3SyncError
            The rows changed at every attempt.
        """
        candidates = set(filenames)
        for _ in range(ROUNDS):
            state = self._read(name, sorted(candidates), every_file)
            if not self._write(name, state):
                return
            # A file that was taken from the list may have been added again at the same time.
            candidates |= state.listed
        raise S3SyncError(f"the rows of {name} kept changing: the next retry corrects its lists")

    def _read(self, name: str, filenames: Sequence[str], every_file: bool) -> NameState:
        """Read the rows first and the summary last: the other way round, a new row could be missed."""
        if self.can_sort and not every_file:
            try:
                return self._read_sorted(name, filenames) or self._read_all(name, filenames)
            except ResponseError as error:
                # A service without SORT, or a user who may not use it; or the time of one row is damaged.
                self.can_sort = DAMAGED in str(error)
        return self._read_all(name, filenames, every_file)

    def _read_sorted(self, name: str, filenames: Sequence[str]) -> NameState | None:
        """Let the server find the newest row; return None if too many listed files have no row of the name.

        SORT orders rows of the same time by their filename, in bytes, which is the order of :class:`Newest`.
        Listed files without a row come last: https://redis.io/docs/latest/commands/sort/
        """
        return self._sorted(name, filenames, self.commands.pipeline(self._sorting(name, filenames)))

    def _sorting(self, name: str, filenames: Sequence[str]) -> list[Command]:
        """Return the commands that read the state of a name."""
        files, row = self.cache.redis_filename_set(name), self.cache.redis_key("*")
        fields = ("#", *(f"{row}->{field}" for field in FIELDS))
        return [
            *(("hmget", self.cache.redis_key(filename), FIELDS) for filename in filenames),
            *(("sismember", files, filename) for filename in filenames),
            ("sort", files, 0, _most(filenames), f"{row}->last_modified", fields, True),
            ("sismember", self.cache.redis_set, name),
            ("hgetall", self.cache.redis_summary_key(name)),
        ]

    def _sorted(self, name: str, filenames: Sequence[str], answers: Sequence[Any]) -> NameState | None:
        """Return the state of a name from the answers to :meth:`_sorting`."""
        *rest, found, is_named, summary = answers
        width = 1 + len(FIELDS)
        rows = {found[start]: found[start + 1 : start + width] for start in range(0, len(found), width)}
        if len(rows) == _most(filenames) and all(values[0] != name for values in rows.values()):
            return None
        own = dict(zip(filenames, rest[: len(filenames)], strict=True))
        members = rest[len(filenames) :]
        return state_of(name, own, members, rows | own, is_named, summary)

    def _read_all(self, name: str, filenames: Sequence[str], every_file: bool = False) -> NameState:
        """Read all rows of a name."""
        (listed,) = self.commands.pipeline([("smembers", self.cache.redis_filename_set(name))])
        ordered = sorted({*listed, *filenames})
        found = self.commands.pipeline(
            [("hmget", self.cache.redis_key(filename), FIELDS) for filename in ordered]
        )
        rows = dict(zip(ordered, found, strict=True))
        is_named, summary = self.commands.pipeline(
            [
                ("sismember", self.cache.redis_set, name),
                ("hgetall", self.cache.redis_summary_key(name)),
            ]
        )
        own = {filename: rows[filename] for filename in (ordered if every_file else filenames)}
        members = [filename in listed for filename in own]
        return state_of(name, own, members, rows, is_named, summary)

    def _write(self, name: str, state: NameState) -> bool:
        """Correct what does not follow from the rows; return whether anything was wrong.

        While something is wrong, :meth:`leftovers` finds the name: it is on the list of names until the end,
        and lists the file until its summary is right.
        """
        files = self.cache.redis_filename_set(name)
        newest = shown_row(name, state)
        summary = {} if newest is None else newest.summary
        additions: list[Command] = []
        if state.existing - state.listed:
            additions.append(("sadd", files, *sorted(state.existing - state.listed)))
        if newest is not None and not state.is_named:
            additions.append(("sadd", self.cache.redis_set, name))
        removals: list[Command] = []
        if state.listed - state.existing:
            removals.append(("srem", files, *sorted(state.listed - state.existing)))
        if newest is None and state.is_named:
            removals.append(("srem", self.cache.redis_set, name))
        self.commands.in_order(*([command] for command in additions))
        is_outdated = state.summary != summary
        if is_outdated:
            swapped = self.commands.swap([(self.cache.redis_summary_key(name), state.summary, summary)])
            if swapped != [True]:
                # Another handler has changed the summary: read again.
                return True
        self.commands.in_order(*([command] for command in removals))
        return bool(additions or removals or is_outdated)


def _most(filenames: Sequence[str]) -> int:
    """Return how many of a name's files to sort: those in question may be without a row."""
    return len(filenames) + 1
