"""After a reconciliation the cache equals the bucket, whatever it was before, and whatever else happens."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_s3sync.reconcile import repair
from pypicloud_s3sync.reconcile.models import Options
from support.backends import Backend, Dynamo, Redis, Sql
from support.examples import long_examples
from support.reconciling import Past

pytestmark = pytest.mark.untraced

BACKENDS: tuple[type[Backend], ...] = (Dynamo, Redis, Sql)
each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__)
random = given(rng=st.randoms(use_true_random=False))


@pytest.fixture(autouse=True)
def look_again_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some reconciliations look again by a listing, which is for many files, and some by HeadObject."""
    monkeypatch.setattr(repair, "is_worthwhile", lambda files, objects: (files + objects) % 2 == 0)


@each_backend
@long_examples(8)
@random
def test_any_damage_is_repaired_and_then_there_is_nothing_left_to_look_at(
    backend: type[Backend], rng: Random
) -> None:
    past = Past(rng, backend(rng))
    report = past.reconcile()
    assert report.in_sync, report.failed
    past.check()
    again = past.reconcile()
    assert (again.looked_at, sum(again.differences.values())) == (0, 0), "\n".join(past.log)


@each_backend
@long_examples(6)
@random
def test_a_dry_run_counts_exactly_what_is_repaired_and_changes_nothing(
    backend: type[Backend], rng: Random
) -> None:
    past = Past(rng, backend(rng))
    before = {filename: vars(row) for filename, row in past.backend.rows().items()}.keys()
    planned = past.reconcile(Options(dry_run=True, max_deletions=lambda rows: rows))
    assert past.backend.filenames() == before
    report = past.reconcile()
    assert planned.differences == report.differences, "\n".join(past.log)
    assert planned.samples == report.samples
    assert report.repaired == sum(report.differences.values())
    assert planned.in_sync == (not report.repaired)


@each_backend
@long_examples(10)
@random
def test_beside_events_and_uploads_the_cache_ends_equal_and_nothing_live_is_ever_missing(
    backend: type[Backend], rng: Random
) -> None:
    past = Past(rng, backend(rng))
    past.play()
    past.check()
