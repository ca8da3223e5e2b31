"""After the last event is handled, the cache equals the bucket: rows, names and summaries."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypicloud_s3sync.sync.converge import Syncer
from support.histories import Dynamo, Redis, RedisByItself, Sql, check, check_with, diverging

BACKENDS = (Dynamo, Redis, Sql)
#: Seeds that failed once, kept: (backend, seed).
KEPT = ((Dynamo, 657), (Redis, 5929), (Dynamo, 7032), (Redis, 7753))


class OneRead(Syncer):
    """Without the second look."""

    def _read_again(self, bucket, written):
        for case in written:
            case.done = True


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
@settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, database=None
)
@given(rng=st.randoms(use_true_random=False))
def test_the_cache_equals_the_bucket_after_any_history(backend, rng):
    check_with(rng, backend)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
def test_histories_of_plain_seeds_hold_too(backend):
    for seed in range(200):
        check(seed, backend)


@pytest.mark.parametrize(("backend", "seed"), KEPT)
def test_a_history_that_failed_once_does_not_again(backend, seed):
    check(seed, backend)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
def test_without_the_second_look_some_history_ends_wrong(backend):
    assert next(diverging(backend, OneRead, range(3000)), None) is not None


def test_pypiclouds_own_methods_for_redis_end_wrong_in_some_history():
    """Why there is an index of our own; when this fails, look whether it can go."""
    assert next(diverging(RedisByItself, Syncer, range(500)), None) is not None
