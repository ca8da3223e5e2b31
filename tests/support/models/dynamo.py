"""A model of DynamoDB: two tables, and an index that lags behind."""

from __future__ import annotations

import itertools
import json
from collections.abc import Hashable, Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.caches.registry import adapter_for
from pypicloud_s3sync.caches.transactions import REVISION
from support.fake_dynamo import FakeDynamo
from support.histories import SequentialPool
from support.states import State, row_of

from .base import Ask, Model, Request, Work, text

#: The answer to a transaction whose condition does not hold.
REFUSED = text({"cancelled": [{"Code": "ConditionalCheckFailed"}]})


class Dynamo(Model):
    """Two tables, and an index that shows each write of a row later.

    A state is a text of JSON: the rows, the summaries, what the index shows, and what it does not show yet.
    """

    empty = text([{}, {}, {}, []])
    counts_repeats = True

    def adapter(self, ask: Ask) -> CacheAdapter:
        from dynamo3 import DynamoDBConnection
        from flywheel import Engine
        from pypicloud.cache.dynamo import DynamoCache, DynamoPackage, PackageSummary

        engine = Engine(dynamo=DynamoDBConnection(_AskingDynamo(ask)))
        engine.register(DynamoPackage, PackageSummary)
        self.cache = DynamoCache(storage=lambda request: None, engine=engine)
        adapter: Any = adapter_for(self.cache)
        adapter.tables.pool = SequentialPool()
        # See Model.refused.
        adapter.new_revision = lambda: "revision"
        self.loading = adapter.tables
        load, loaded = self.loading.load, {}

        def load_once(model: Any, item: Any) -> Any:
            """Return an item as an instance that others may have been given, too; nobody changes it."""
            key = model, text(item)
            if key not in loaded:
                loaded[key] = load(model, item)
            return loaded[key]

        self.loading.load = load_once
        return adapter  # type: ignore[no-any-return]

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        tables = _Tables(database)
        method, arguments = request
        try:
            answer = getattr(tables, str(method))(**json.loads(str(arguments)))
        except ClientError as error:
            answer = {"cancelled": error.response["CancellationReasons"]}
        return text(answer), tables.frozen()

    def serve(self, work: Work, step: int, database: Any) -> tuple[Hashable, int]:
        """Save a row and its summary, or clear a row and, if the index shows no other one, the summary.

        The first step is that of the row. The summary of a saved row is that of the upload or, after a
        deletion, of the object that takes its place; there is one such object in these scopes.
        """
        from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

        tables, name = _Tables(database), work.stored.metadata["name"]
        if step == 0:
            row = self.loading.load(DynamoPackage, tables.tables["DynamoPackage"].get(work.filename))
            wanted = work.choose(row, self.cache.new_package)
            tables.put("DynamoPackage", work.filename, None if wanted is None else self.loading.dump(wanted))
            return tables.frozen(), 1 if wanted is None else 3
        if step == 1:
            shown = sum(item["name"] == {"S": name} for item in tables.indexed.values())
            return database, 0 if shown else 2
        if step == 2:
            tables.put("PackageSummary", name, None)
            return tables.frozen(), 0
        saved = work.saved(self.cache.new_package)
        tables.put("PackageSummary", name, self.loading.dump(PackageSummary(saved)))
        return tables.frozen(), 0

    def refused(self, request: Request) -> Hashable | None:
        compares = request[0] == "transact_write_items" and f'":{REVISION}"' in str(request[1])
        return REFUSED if compares else None

    def has_revision(self, answer: Hashable) -> bool:
        return f'"{REVISION}"' in str(answer)

    def revised(self, database: Any) -> Hashable:
        summaries = json.loads(database)[1]
        # Otherwise the change of one would make a handler outdated that writes another one.
        assert len(summaries) < 2, "a revision is known of one summary only"
        return text(summaries)

    def drift(self, database: Any) -> Iterator[Hashable]:
        hidden = [filename for filename, _ in _Tables(database).hidden]
        for count in range(1, len(hidden) + 1):
            for filenames in itertools.combinations(hidden, count):
                shown = _Tables(database)
                for filename in filenames:
                    shown.show(filename)
                yield shown.frozen()

    def settled(self, database: Any) -> Hashable:
        tables = _Tables(database)
        while tables.hidden:
            tables.show(tables.hidden[0][0])
        return tables.frozen()

    def state(self, database: Any) -> State:
        from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

        rows, summaries, _, _ = json.loads(database)
        loaded = [self.loading.load(DynamoPackage, item) for item in rows.values()]
        found = [self.loading.load(PackageSummary, item) for item in summaries.values()]
        return State(
            {row.filename: row_of(row) for row in loaded},
            sorted(summary.name for summary in found),
            {summary.name: (summary.last_modified, summary.summary) for summary in found},
        )


class _Tables(FakeDynamo):
    """The fake DynamoDB with a state that can be taken out."""

    def __init__(self, state: str) -> None:
        super().__init__(Random(0), 0)
        rows, summaries, self.indexed, self.hidden = json.loads(state)
        self.tables = {"DynamoPackage": rows, "PackageSummary": summaries}

    def frozen(self) -> str:
        return text([self.tables["DynamoPackage"], self.tables["PackageSummary"], self.indexed, self.hidden])

    def put(self, table: str, key: str, item: Any) -> None:
        self._write(table, key, item)

    def _write(self, table: str, key: str, item: Any) -> None:
        self.tables[table].pop(key, None)
        if item is not None:
            self.tables[table][key] = item
        if table == "DynamoPackage":
            # Of several writes that the index does not show yet, only the last one counts.
            self.hidden = [entry for entry in self.hidden if entry[0] != key]
            if self.indexed.get(key) != item:
                self.hidden = sorted([*self.hidden, [key, item]], key=lambda entry: str(entry[0]))

    def show(self, filename: str) -> None:
        """Let the index show the newest write of a row."""
        ((_, item),) = [entry for entry in self.hidden if entry[0] == filename]
        self.hidden = [entry for entry in self.hidden if entry[0] != filename]
        self._show(filename, item)


class _AskingDynamo:
    """A boto3 client that asks the model."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *a, **k: None))

    def batch_get_item(self, RequestItems: Any) -> Any:
        return json.loads(self.ask("batch_get_item", text({"RequestItems": RequestItems})))

    def query(self, **request: Any) -> Any:
        return json.loads(self.ask("query", text(request)))

    def transact_write_items(self, TransactItems: Any) -> Any:
        answer = json.loads(self.ask("transact_write_items", text({"TransactItems": TransactItems})))
        if "cancelled" in answer:
            response: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": answer["cancelled"],
            }
            raise ClientError(response, "TransactWriteItems")
        return answer
