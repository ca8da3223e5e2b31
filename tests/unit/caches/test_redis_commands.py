from __future__ import annotations

from typing import Any

import fakeredis
import pytest
from redis import exceptions

from pypicloud_s3sync.caches.redis_commands import CHUNK, RedisCommands


@pytest.fixture
def db() -> Any:
    return fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)


@pytest.fixture
def commands(db: Any) -> RedisCommands:
    return RedisCommands(db, check_running=lambda: None)


def test_a_lost_connection_is_replaced_once_and_a_slow_server_is_not_asked_again(
    commands: RedisCommands,
) -> None:
    calls: list[int] = []

    def fail_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise exceptions.ConnectionError("closed while Lambda was frozen")
        return "done"

    def never_answer() -> None:
        calls.append(1)
        raise exceptions.TimeoutError("slow")

    assert (commands.call(fail_once), len(calls)) == ("done", 2)
    with pytest.raises(exceptions.TimeoutError):
        commands.call(never_answer)
    assert len(calls) == 3


def test_more_commands_than_a_pipeline_takes_are_answered_in_order(db: Any, commands: RedisCommands) -> None:
    numbers = [str(number) for number in range(CHUNK + 2)]
    commands.pipeline([("sadd", number, number) for number in numbers])
    answers = commands.pipeline([("smembers", number) for number in numbers])
    assert answers == [{number} for number in numbers]


@pytest.mark.parametrize(
    ("before", "after", "swapped"),
    [
        ({}, {"a": "1"}, False),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1", "b": "2", "c": "3"}, {}, False),
        ({"a": "1", "b": "2"}, {"a": "2"}, True),
        ({"a": "1", "b": "2"}, {}, True),
    ],
)
def test_a_hash_is_swapped_only_if_it_is_as_expected(
    db: Any, commands: RedisCommands, before: dict[str, str], after: dict[str, str], swapped: bool
) -> None:
    db.hset("key", mapping={"a": "1", "b": "2"})
    assert commands.swap([("key", before, after), ("missing", {}, {"a": "1"})]) == [swapped, True]
    assert db.hgetall("key") == (after if swapped else {"a": "1", "b": "2"})
