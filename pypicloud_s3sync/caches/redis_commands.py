"""Send commands to Redis, a server or a cluster, and swap hashes that have not changed since a read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

#: Replaces a hash by another one, or deletes it, if it equals the expected one. The arguments are the number
#: of expected fields, these fields with their values, and then the new fields with theirs. The script
#: compares what Redis holds, so that it covers every field of a row.
SWAP = """
local count = tonumber(ARGV[1])
if redis.call('HLEN', KEYS[1]) ~= count then return 0 end
for i = 2, 2 * count, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
redis.call('DEL', KEYS[1])
for i = 2 * count + 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
"""
#: The commands in one pipeline.
CHUNK = 1000

Command = tuple[Any, ...]
#: A key, the hash that is expected there, and the one that replaces it. No fields mean no hash.
Swap = tuple[str, Mapping[str, str], Mapping[str, str]]
T = TypeVar("T")


class RedisCommands:
    """Sends commands, and repeats them once if the connection is lost.

    Parameters
    ----------
    db : redis.Redis or redis.RedisCluster
    check_running : callable
        Raises an error if nothing may be sent any more.
    """

    def __init__(self, db: Any, check_running: Callable[[], None]) -> None:
        self.db = db
        self.check_running = check_running
        # By default, redis-py sends a command up to four times, for up to a minute. See call.
        if hasattr(db, "set_retry"):
            db.set_retry(Retry(NoBackoff(), 0))

    @property
    def is_cluster(self) -> bool:
        """Whether the keys are spread over several servers."""
        return hasattr(self.db, "nodes_manager")

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together, and return their answers. A cluster does not keep their order."""
        return [answer for chunk in _chunks(commands) for answer in self._send(chunk)]

    def in_order(self, *stages: Sequence[Command]) -> list[Any]:
        """Send the commands of each stage after those of the stage before, and return the answers of all.

        A server keeps the order of a pipeline, so it gets all stages at once.
        """
        if not self.is_cluster:
            return self.pipeline([command for stage in stages for command in stage])
        return [answer for stage in stages for answer in self.pipeline(stage)]

    def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """Replace each hash that is as expected; return which have been replaced."""
        return self.swap_and_read(swaps, ())[0]

    def swap_and_read(self, swaps: Sequence[Swap], reads: Sequence[Command]) -> tuple[list[bool], list[Any]]:
        """Replace each hash that is as expected, then send commands that read.

        Returns
        -------
        tuple
            Which hashes have been replaced, and the answers of the commands.
        """
        scripts = [swap_script(*swap) for swap in swaps]
        if self.is_cluster:
            # A cluster's pipeline does not take scripts in every version of redis-py.
            done = [self.call(functools.partial(self.db.eval, *script)) for script in scripts]
            return [bool(answer) for answer in done], self.pipeline(reads)
        answers = self.pipeline([*(("eval", *script) for script in scripts), *reads])
        return [bool(answer) for answer in answers[: len(scripts)]], answers[len(scripts) :]

    def _send(self, commands: Sequence[Command]) -> list[Any]:
        def execute() -> list[Any]:
            # Not a transaction: a cluster has none over several keys, and nothing here relies on one.
            pipe = self.db.pipeline(transaction=False)
            for method, *arguments in commands:
                getattr(pipe, method)(*arguments)
            return list(pipe.execute())

        return self.call(execute)

    def call(self, send: Callable[[], T]) -> T:
        """Send commands; once again if the connection is lost, as it may be after Lambda has frozen it.

        Every command can be repeated: a swap that has been made already is reported as a conflict.
        """
        self.check_running()
        try:
            return send()
        except RedisConnectionError:
            self.check_running()
            return send()


def swap_script(key: str, before: Mapping[str, str], after: Mapping[str, str]) -> Command:
    """Return the arguments of EVAL that replace a hash if it is as expected."""
    return SWAP, 1, key, len(before), *_flat(before), *_flat(after)


def _chunks(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    for start in range(0, len(commands), CHUNK):
        yield commands[start : start + CHUNK]


def _flat(values: Mapping[str, str]) -> list[str]:
    return [part for pair in values.items() for part in pair]
