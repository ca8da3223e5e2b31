"""After the last event has been handled, the cache equals the bucket: its rows, names and summaries."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_s3sync.caches import summaries
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.pending import PendingFile
from support.backends import Backend, Dynamo, Redis, RedisCluster, Sql, UnadaptedRedis
from support.examples import long_examples
from support.histories import RowsFirst, check, check_with, diverging

pytestmark = pytest.mark.untraced

BACKENDS: tuple[type[Backend], ...] = (Dynamo, Redis, Sql)
each_number_of_seeds = pytest.mark.parametrize("seeds", [10, pytest.param(1000, marks=pytest.mark.soak)])
#: Seeds that failed once: (backend, seed).
REGRESSIONS = ((Dynamo, 657), (Redis, 5929), (Dynamo, 7032), (Redis, 7753))
#: The first seed that needs the second read, by backend. If the histories change, the search finds another.
NEEDS_SECOND_READ: dict[type[Backend], int] = {Dynamo: 1012, Sql: 1891}


class OneRead(Syncer):
    """A syncer without the second read."""

    def _read_again(self, bucket: str, written: Iterable[PendingFile]) -> None:
        for file in written:
            file.done = True


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
@long_examples(6)
@given(rng=st.randoms(use_true_random=False))
def test_the_cache_equals_the_bucket_after_any_history(backend: type[Backend], rng: Random) -> None:
    check_with(rng, backend)


@pytest.mark.parametrize("backend", [*BACKENDS, RedisCluster], ids=lambda backend: backend.__name__)
def test_the_cache_equals_the_bucket_after_the_histories_of_plain_seeds(backend: type[Backend]) -> None:
    # `make soak` has 100,000 of them.
    for seed in range(8):
        check(seed, backend)


@each_number_of_seeds
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
def test_the_cache_equals_the_bucket_if_each_row_is_read_before_its_object(
    backend: type[Backend], seeds: int
) -> None:
    for seed in range(200, 200 + seeds):
        check(seed, backend, RowsFirst)


@each_number_of_seeds
@pytest.mark.parametrize("count", [0, 1])
def test_the_cache_equals_the_bucket_if_a_summary_knows_fewer_rows(
    count: int, monkeypatch: pytest.MonkeyPatch, seeds: int
) -> None:
    """A project of a history has fewer files than a summary knows, unless it knows fewer than usual."""
    monkeypatch.setattr(summaries, "MAX_OLDER", count)
    for seed in range(100, 100 + seeds):
        check(seed, Dynamo)


@pytest.mark.parametrize(("backend", "seed"), REGRESSIONS)
def test_a_history_that_failed_once_does_not_fail_again(backend: type[Backend], seed: int) -> None:
    check(seed, backend)


@pytest.mark.parametrize("backend", NEEDS_SECOND_READ, ids=lambda backend: backend.__name__)
def test_without_the_second_read_some_history_ends_wrong(backend: type[Backend]) -> None:
    seeds = chain([NEEDS_SECOND_READ[backend]], range(3000))
    assert next(diverging(backend, OneRead, seeds), None) is not None


def test_pypiclouds_own_methods_for_redis_end_wrong_in_some_history() -> None:
    """This is why Redis has an adapter. If this test fails, ask whether the adapter can go."""
    assert next(diverging(UnadaptedRedis, Syncer, range(500)), None) is not None
