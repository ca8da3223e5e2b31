"""List a DynamoDB cache by Scan, or by Query for some names.

The reads are eventually consistent, which costs half: nothing is decided on them. Of a page, DynamoDB reads
as much as its ``Limit`` allows, and a table with provisioned capacity is not asked for more than it has:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from ...caches.base import CacheAdapter
from ...caches.dynamo_tables import MAX_KEYS
from ...sync.pending import OTHER_KEYS
from ..capacity import DynamoCapacity
from ..differences import summary_of
from ..models import Count, ListedName, ListedRow
from .base import SHA256, IsListed, Scan, data_of_text, listed_row, microseconds_of_text, never_listed

#: The attributes that are compared; ``name`` and ``data`` are reserved words.
ROW = {
    "ProjectionExpression": "filename, #name, version, last_modified, summary, #data",
    "ExpressionAttributeNames": {"#name": "name", "#data": "data"},
}
NAME = {
    "ProjectionExpression": "#name, last_modified, summary",
    "ExpressionAttributeNames": {"#name": "name"},
}

Item = Mapping[str, Any]


class DynamoScan(Scan):
    """Lists the rows and the summaries of ``pypicloud.cache.dynamo.DynamoCache``."""

    has_names = True

    def __init__(self, adapter: CacheAdapter) -> None:
        super().__init__(adapter)
        self.client = self.adapter.client
        self.tables = [self.adapter.tables.name(model) for model in (DynamoPackage, PackageSummary)]
        self.capacity: DynamoCapacity = DynamoCapacity(self.client, self.tables)

    def total(self) -> int | None:
        """Return the number of rows that DynamoDB counted in the last six hours."""
        return self.capacity.items.get(self.tables[0])

    def count(self) -> Count | None:
        """Return the number of rows that DynamoDB counted in the last six hours."""
        found = self.capacity.count(self.tables[0])
        return None if found is None else Count(found, exact=False)

    def count_from(self, cursor: str) -> tuple[int, str] | None:
        """Count a page of the rows; see :meth:`.Scan.count_from`. DynamoDB reads as much as for a list.

        The function may do so only if it reconciles on a schedule; otherwise the number is not known.
        """
        table = self.tables[0]
        more = {"ExclusiveStartKey": {"filename": {"S": cursor}}} if cursor else {}
        limit = self.capacity.page(table)
        try:
            answer = self.capacity.patiently(
                self.client.scan, TableName=table, Select="COUNT", **limit, **more
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return None
        last = answer.get("LastEvaluatedKey", {})
        return answer["Count"], last["filename"]["S"] if last else ""

    def list_names(self) -> Collection[str]:
        """Return the names of all projects that have a summary."""
        return [listed.name for page in self.names() for listed in page]

    def rows(self, names: Collection[str] = ()) -> Iterator[Sequence[ListedRow]]:
        """Yield pages of rows, in any order: those of some names, or all."""
        if not names:
            yield from (list(map(_row, page)) for page in self._pages("scan", self.tables[0], ROW))
            return
        for name in sorted(names):
            key = {
                "IndexName": "name-index",
                "KeyConditionExpression": "#name = :name",
                "ExpressionAttributeValues": {":name": {"S": name}},
            }
            yield from (
                list(map(_row, page)) for page in self._pages("query", self.tables[0], {**ROW, **key})
            )

    def names(
        self, names: Collection[str] = (), is_listed: IsListed = never_listed
    ) -> Iterator[Sequence[ListedName]]:
        """Yield pages of summaries, in any order: those of some names, or all."""
        table = self.tables[1]
        if not names:
            yield from (list(map(_name, page)) for page in self._pages("scan", table, NAME))
            return
        left = sorted(names)
        while left:
            asked = left[:MAX_KEYS]
            get = self.adapter.tables.get
            _, found = self.capacity.patiently(get, filenames=(), names=set(asked))
            yield [_name(item) for item in found.values() if item is not None]
            # What DynamoDB did not return must not look like a summary that does not exist.
            left = [*(name for name in asked if name not in found), *left[MAX_KEYS:]]
            if found.keys() != set(asked):
                self.capacity.back_off()

    def _pages(self, method: str, table: str, request: Mapping[str, Any]) -> Iterator[list[Item]]:
        more: dict[str, Any] = {}
        while True:
            limit = self.capacity.page(table)
            answer = self.capacity.patiently(
                getattr(self.client, method), TableName=table, **request, **limit, **more
            )
            yield answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _row(item: Item) -> ListedRow:
    fields = [_text(item, name) or "" for name in ("filename", "name", "version")]
    modified = microseconds_of_text(item.get("last_modified", {}).get("N", "0"))
    return listed_row(
        fields[0], fields[1], fields[2], modified, _text(item, "summary"), _data(item.get("data", {}))
    )


def _data(attribute: Item) -> dict[str, Any]:
    """Return what is compared of a row's data, which old versions of flywheel stored as JSON."""
    if "S" in attribute:
        return data_of_text(attribute["S"])
    values = attribute.get("M", {})
    others = [entry.get("S") for entry in values.get(OTHER_KEYS, {}).get("L", [])]
    return {"path": _text(values, "path"), SHA256: _text(values, SHA256), OTHER_KEYS: others}


def _name(item: Item) -> ListedName:
    modified = microseconds_of_text(item.get("last_modified", {}).get("N", "0"))
    return ListedName(_text(item, "name") or "", modified, summary_of(_text(item, "summary")))


def _text(item: Item, name: str) -> str | None:
    text: str | None = item.get(name, {}).get("S")
    return text
