"""In a small scope, every interleaving ends with a cache that equals the bucket; nothing is sampled."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pypicloud_s3sync.caches import dynamo, summaries
from pypicloud_s3sync.caches.transactions import unchanged
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.pending import PendingFile
from support.exploration import SCOPES, Exploration
from support.histories import RowsFirst
from support.models import Dynamo, Model, Redis, RedisServer, Sql, Work
from support.outcome_tables import Table
from support.state_space import Numbers

pytestmark = pytest.mark.untraced

FILES, KEYS, SPLIT = SCOPES
#: The model, the scope, and its size. `tests/soak.py` explores larger ones with every model.
EXPLORATIONS = [
    *((Sql, scope, {"operations": 3, "server": False}) for scope in (FILES, SPLIT)),
    *((Sql, scope, {"operations": 2}) for scope in SCOPES),
    *((Dynamo, scope, {"operations": 2, "server": False}) for scope in (FILES, KEYS)),
    *((Dynamo, scope, {"operations": 1}) for scope in SCOPES),
    *((Redis, scope, {"operations": 1}) for scope in (FILES, KEYS)),
    *((model, KEYS, {"operations": 1, "replicated": 1, "handlers": 1}) for model in (Dynamo, Redis)),
    (RedisServer, FILES, {"operations": 1}),
    (Sql, FILES, {"syncer": RowsFirst, "operations": 2}),
    *((Dynamo, scope, {"syncer": RowsFirst, "operations": 1}) for scope in (FILES, KEYS)),
    (Redis, FILES, {"syncer": RowsFirst, "operations": 1}),
    *(
        pytest.param(
            model,
            scope,
            {"syncer": RowsFirst, "operations": operations, "server": False},
            marks=pytest.mark.soak,
        )
        for model, scope, operations in [(Sql, FILES, 3), (Sql, KEYS, 3), (Dynamo, FILES, 2)]
    ),
]
#: Two files exist already, and the index shows only the first one.
LATE: dict[str, Any] = {"existing": 2, "operations": 1, "late": True}


class OneRead(Syncer):
    """A syncer without the second read."""

    def _read_again(self, bucket: str, written: Iterable[PendingFile]) -> None:
        for file in written:
            file.done = True


class Unconditional(Model):
    """The server reads a row in one step, and writes it in the next one although it may have changed."""

    #: The steps up to this one write what was read, which their numbers tell.
    last_write = 100

    def __init__(self) -> None:
        self.reads = Numbers()

    def serve(self, work: Work, step: int, database: Any) -> tuple[Hashable, int]:
        if step == 0:
            row = self.state(database).rows.get(work.filename)
            return database, 1 + self.reads.of(None if row is None else json.dumps(row[-1]))
        if step > self.last_write:
            after, following = super().serve(work, step - self.last_write, database)
        else:
            data = self.reads.values[step - 1]
            read = None if data is None else SimpleNamespace(data=json.loads(data))
            outdated: Any = SimpleNamespace(
                filename=work.filename,
                stored=work.stored,
                choose=lambda row, factory: work.choose(read, factory),
            )
            after, following = super().serve(outdated, 0, database)
        return after, following and following + self.last_write


def explore(model: type[Model], scope: str, syncer: type[Syncer] = Syncer, **size: Any) -> Exploration:
    keys, names = SCOPES[scope]
    return Exploration(model(), keys, names, syncer, **size)


@pytest.mark.parametrize(
    ("model", "scope", "size"),
    EXPLORATIONS,
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_no_interleaving_diverges(
    model: type[Model], scope: str, size: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    result = explore(model, scope, **size).run()
    record_property("states", result.states)
    assert not result.counterexample, "\n".join(result.counterexample)
    assert len(result.at_rest) > 1


@pytest.mark.parametrize(
    ("model", "scope", "size"),
    [
        (Sql, KEYS, {"operations": 2, "server": False}),
        (Sql, FILES, {"operations": 2, "server": False, "pairs": True}),
        *((model, FILES, {"operations": 1, "handlers": 1}) for model in (Dynamo, Redis)),
        *(
            pytest.param(*explored, marks=pytest.mark.soak)
            for explored in [
                (RedisServer, FILES, {"operations": 1, "handlers": 1}),
                (Dynamo, FILES, {"operations": 1}),
                (Redis, SPLIT, {"operations": 1}),
            ]
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_what_is_left_out_makes_no_difference(model: type[Model], scope: str, size: dict[str, Any]) -> None:
    """Nor do the parts of the code that are not run again for a longer list of answers."""
    result, whole = explore(model, scope, **size).run(), explore(model, scope, reduced=False, **size).run()
    assert result.at_rest == whole.at_rest
    assert result.states < whole.states


@pytest.mark.parametrize("model", [Dynamo, Redis, Sql], ids=lambda model: model.__name__)
def test_without_the_second_read_a_counterexample_is_found_at_once(model: type[Model]) -> None:
    result = explore(model, FILES, OneRead, operations=2, server=False, crashes=0).run(10_000)
    first, *_ = result.counterexample
    assert first == "put a/pkg-1.0.tar.gz"


@pytest.mark.parametrize("model", [Dynamo, Redis, Sql], ids=lambda model: model.__name__)
def test_a_server_that_writes_a_row_unconditionally_loses_a_key_at_once(model: type[Model]) -> None:
    keys, names = SCOPES[KEYS]
    unconditional = type("Unconditional", (Unconditional, model), {})
    result = Exploration(unconditional(), keys, names, operations=1, handlers=1, replicated=1).run()
    assert [move for move in result.counterexample if "server" in move]


class TestLateIndex:
    """The index shows a file too late, to the server and to the event of the file that the server deletes."""

    def test_a_summary_that_the_server_deleted_comes_back_with_the_next_event(self) -> None:
        result = explore(Dynamo, FILES, **LATE).run()
        assert not result.counterexample, "\n".join(result.counterexample)

    def test_without_patience_a_counterexample_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        explains = summaries._explains
        monkeypatch.setattr(
            summaries, "_explains", lambda before, *others: before is None or explains(before, *others)
        )
        result = explore(Dynamo, FILES, **LATE).run()
        assert [move for move in result.counterexample if "server" in move]


class TestRevision:
    """A handler is about to write a summary that was replaced and restored since it was read."""

    @staticmethod
    def is_written() -> bool:
        exploration = explore(Dynamo, FILES, existing=1)
        answers, (before, database, _) = exploration.answers, exploration.beginning()
        bucket = *before[:1], 1
        step = exploration.code.start(exploration.keys[1:])
        while "transact_write_items" not in (exploration.code.steps[step].request or ()):
            ((step, _, _),) = answers.outcomes(bucket, step, database)
        ((_, written, _),) = answers.outcomes(bucket, step, database)
        for since, then in [(database, written), (written, database)]:
            (step,) = answers.after_writing(*np.array([[step], [since], [then]], np.uint64))
        return written in [after for _, after, _ in answers.outcomes(bucket, int(step), database)]

    def test_it_is_not_written(self) -> None:
        assert not self.is_written()

    def test_it_would_be_written_if_the_revision_were_not_compared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            dynamo,
            "unchanged",
            lambda item, *names: unchanged(item, *(name for name in names if name != "#revision")),
        )
        assert self.is_written()


def test_each_key_is_looked_up_once_however_many_have_the_same_place_in_the_table() -> None:
    asked: list[int] = []

    def outcomes(key: int) -> list[tuple[int]]:
        asked.append(key)
        return [(key,)] * (key % 3)

    table = Table(outcomes, 1)
    for keys in np.random.default_rng(1).integers(0, 2_000, (20, 1_000)).astype(np.uint64):
        rows, (found,) = table.expand(keys)
        assert found.tolist() == [key for key in keys.tolist() for _ in range(key % 3)]
        assert keys[rows].tolist() == found.tolist()
    assert len(asked) == len(set(asked))
