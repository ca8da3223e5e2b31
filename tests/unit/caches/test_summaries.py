from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_s3sync.caches.summaries import (
    MAX_OLDER,
    MODULUS,
    PATIENCE,
    KnownRow,
    RowChanges,
    Summary,
    SummaryUpdate,
    checksum,
    update_summary,
)

pytestmark = pytest.mark.untraced

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Row:
    filename: str
    last_modified: datetime.datetime
    summary: str | None


def row(version: str, second: int, summary: str | None = None) -> Row:
    """Return a row of the package ``pkg``; its summary is the version by default."""
    modified = START + datetime.timedelta(seconds=second)
    return Row(f"pkg-{version}.tar.gz", modified, version if summary is None else summary)


def known(row: Row) -> KnownRow:
    """Return what a summary knows of a row."""
    return KnownRow(row.last_modified, row.filename, checksum([row]))


def summary_of(newest: Row, *others: Row) -> Summary:
    """Return the summary of a newest row, with the checksum of all rows; it knows those that come next."""
    older = sorted(map(known, others), reverse=True)[:MAX_OLDER]
    return Summary(
        newest.last_modified, newest.summary, checksum([newest, *others]), newest.filename, tuple(older)
    )


def forgetful(summary: Summary) -> Summary:
    """Return a summary that knows its newest row only, as before the index agrees."""
    return replace(summary, older=None)


def assert_follows(summary: Summary | None, expected: Summary | None) -> None:
    """Check a summary, which may know fewer rows than expected, but without a gap."""
    assert (summary and forgetful(summary)) == (expected and forgetful(expected))
    if summary is not None and summary.older is not None:
        assert expected is not None
        assert expected.older is not None
        assert summary.older == expected.older[: len(summary.older)], "there is a gap"


def from_server(newest: Row) -> Summary:
    """Return the summary that pypicloud itself writes for a row."""
    return Summary(newest.last_modified, newest.summary, None, None)


def not_queried() -> Sequence[Row]:
    raise AssertionError("the index was queried")


def not_fetched(filename: str) -> Row:
    raise AssertionError(f"{filename} was fetched")


def fetching(*rows: Row) -> Callable[[str], Row | None]:
    """Return a table that holds some rows."""
    return by_filename(rows).get


def showing(*rows: Row) -> Callable[[], Sequence[Row]]:
    """Return an index that shows some rows."""
    return lambda: rows


OLD, NEW = row("1.0", second=1), row("2.0", second=2)
#: Two rows of one second: the filename of the second one is greater.
FIRST, SECOND = row("3.0", second=3), row("3.1", second=3)
CHANGED_TEXT = row("2.0", second=2, summary="another text")


@pytest.mark.parametrize(
    ("before", "changes", "expected"),
    [
        pytest.param(
            None, RowChanges(added=[NEW]), SummaryUpdate(forgetful(summary_of(NEW))), id="the first row"
        ),
        pytest.param(
            None,
            RowChanges(added=[OLD, NEW]),
            SummaryUpdate(forgetful(summary_of(NEW, OLD))),
            id="the first two rows",
        ),
        pytest.param(
            summary_of(OLD), RowChanges(added=[NEW]), SummaryUpdate(summary_of(NEW, OLD)), id="a newer row"
        ),
        pytest.param(
            summary_of(NEW), RowChanges(added=[OLD]), SummaryUpdate(summary_of(NEW, OLD)), id="an older row"
        ),
        pytest.param(
            summary_of(NEW, OLD),
            RowChanges(removed=[OLD]),
            SummaryUpdate(summary_of(NEW)),
            id="an older row is removed",
        ),
        pytest.param(
            summary_of(NEW, OLD),
            RowChanges(removed=[NEW], added=[CHANGED_TEXT]),
            SummaryUpdate(summary_of(CHANGED_TEXT, OLD)),
            id="the text of the newest row changes",
        ),
        pytest.param(
            summary_of(FIRST),
            RowChanges(added=[SECOND]),
            SummaryUpdate(summary_of(SECOND, FIRST)),
            id="the same second and a greater filename",
        ),
        pytest.param(
            summary_of(SECOND),
            RowChanges(added=[FIRST]),
            SummaryUpdate(summary_of(SECOND, FIRST)),
            id="the same second and a smaller filename",
        ),
        pytest.param(
            summary_of(NEW, OLD),
            RowChanges(kept=[NEW]),
            SummaryUpdate(summary_of(NEW, OLD), source=NEW),
            id="the newest row is kept",
        ),
    ],
)
def test_the_index_is_not_queried_if_the_checksum_is_enough(
    before: Summary | None, changes: RowChanges, expected: SummaryUpdate
) -> None:
    assert update_summary(before, changes, not_queried, not_fetched, repeats=0) == expected


@pytest.mark.parametrize(
    ("before", "changes", "indexed", "expected"),
    [
        pytest.param(
            forgetful(summary_of(NEW, OLD)),
            RowChanges(removed=[NEW]),
            [OLD, NEW],
            SummaryUpdate(summary_of(OLD), source=OLD),
            id="the newest row is removed, and the summary knows no other",
        ),
        pytest.param(
            replace(summary_of(SECOND), filename=None),
            RowChanges(added=[FIRST]),
            [SECOND],
            SummaryUpdate(summary_of(SECOND, FIRST), source=SECOND),
            id="the same second and a summary without a filename",
        ),
        pytest.param(
            from_server(NEW),
            RowChanges(added=[OLD]),
            [NEW],
            SummaryUpdate(forgetful(summary_of(NEW, OLD)), source=NEW),
            id="the server's summary is that of a row in the index",
        ),
        pytest.param(
            from_server(OLD),
            RowChanges(added=[NEW]),
            [],
            SummaryUpdate(forgetful(summary_of(NEW))),
            id="the server's summary is older than the added row",
        ),
        pytest.param(
            from_server(NEW),
            RowChanges(removed=[NEW]),
            [OLD],
            SummaryUpdate(forgetful(summary_of(OLD)), source=OLD),
            id="the server's summary is that of the removed row",
        ),
        pytest.param(
            summary_of(OLD),
            RowChanges(removed=[OLD]),
            [OLD],
            SummaryUpdate(None),
            id="the last row is removed",
        ),
        pytest.param(
            summary_of(NEW, OLD),
            RowChanges(removed=[OLD, NEW]),
            [NEW],
            SummaryUpdate(None),
            id="all rows are removed, and the index lags behind with one of them",
        ),
    ],
)
def test_the_index_is_queried_if_the_checksum_is_not_enough(
    before: Summary | None, changes: RowChanges, indexed: list[Row], expected: SummaryUpdate
) -> None:
    assert update_summary(before, changes, showing(*indexed), fetching(), repeats=0) == expected


@pytest.mark.parametrize(
    ("before", "changes", "indexed", "trusted"),
    [
        pytest.param(
            forgetful(summary_of(FIRST, NEW, OLD)),
            RowChanges(removed=[FIRST]),
            [FIRST, OLD],
            SummaryUpdate(forgetful(summary_of(OLD)), source=OLD),
            id="a row is not in the index yet",
        ),
        pytest.param(
            forgetful(summary_of(FIRST, OLD)),
            RowChanges(removed=[FIRST]),
            [FIRST, OLD, NEW],
            SummaryUpdate(forgetful(summary_of(NEW, OLD)), source=NEW),
            id="a deleted row is still in the index",
        ),
        pytest.param(
            from_server(NEW),
            RowChanges(added=[OLD]),
            [],
            SummaryUpdate(forgetful(summary_of(OLD))),
            id="the row of the server's summary is not in the index yet",
        ),
        pytest.param(
            summary_of(NEW),
            RowChanges(),
            [],
            SummaryUpdate(None),
            id="the server has deleted the only row",
        ),
        pytest.param(
            summary_of(NEW),
            RowChanges(removed=[NEW]),
            [NEW, OLD],
            SummaryUpdate(forgetful(summary_of(OLD)), source=OLD),
            id="the last row is removed, but the index has one that the server wrote and no checksum covers",
        ),
        pytest.param(
            None,
            RowChanges(absent=[OLD.filename]),
            [],
            SummaryUpdate(None),
            id="the server has deleted a row and the summary",
        ),
        pytest.param(
            None,
            RowChanges(absent=[OLD.filename]),
            [NEW],
            SummaryUpdate(forgetful(summary_of(NEW)), source=NEW),
            id="the server has deleted a row, and the summary that other rows need",
        ),
        pytest.param(
            None,
            RowChanges(kept=[OLD]),
            [NEW],
            SummaryUpdate(forgetful(summary_of(NEW, OLD)), source=NEW),
            id="a kept row without a summary",
        ),
        pytest.param(
            None,
            RowChanges(removed=[OLD]),
            [],
            SummaryUpdate(None),
            id="the only row, without a summary, is removed",
        ),
    ],
)
def test_an_index_that_does_not_match_is_trusted_only_after_several_attempts(
    before: Summary | None, changes: RowChanges, indexed: list[Row], trusted: SummaryUpdate
) -> None:
    for attempt in range(PATIENCE):
        assert update_summary(before, changes, showing(*indexed), fetching(), attempt) is None
    assert update_summary(before, changes, showing(*indexed), fetching(), PATIENCE) == trusted


rows = st.builds(row, st.sampled_from(["1.0", "1.1", "2.0", "3.0"]), st.integers(0, 3), st.sampled_from("ab"))


def by_filename(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.filename: row for row in rows}


tables = st.lists(rows, max_size=4).map(by_filename)


def whole(table: Mapping[str, Row]) -> Summary | None:
    """Return the summary of all the rows of a table."""
    ordered = sorted(table.values(), key=lambda row: (row.last_modified, row.filename), reverse=True)
    return summary_of(*ordered) if ordered else None


def limited(summary: Summary | None, size: int | None) -> Summary | None:
    """Return a summary that knows at most some rows, or only the newest one."""
    if summary is None or summary.older is None or size is None:
        return summary and forgetful(summary)
    return replace(summary, older=summary.older[:size])


#: How many rows a summary knows beside the newest.
sizes = st.none() | st.integers(0, MAX_OLDER)
VERSIONS = ["1.0", "1.1", "2.0", "3.0"]


@given(tables, tables, st.sets(st.sampled_from(VERSIONS)), sizes)
def test_an_index_without_lag_always_gives_the_summary_of_all_rows(
    table: dict[str, Row], wanted: dict[str, Row], versions: set[str], size: int | None
) -> None:
    """The files of some versions change from one table to the other; the index shows the old table."""
    filenames = {f"pkg-{version}.tar.gz" for version in versions}
    before = {name: row for name, row in table.items() if name in filenames}
    after = {name: row for name, row in wanted.items() if name in filenames}
    changes = RowChanges(
        removed=[row for name, row in before.items() if after.get(name) != row],
        added=[row for name, row in after.items() if before.get(name) != row],
        kept=[row for name, row in after.items() if before.get(name) == row],
    )
    summary = limited(whole(table), size)
    index, repeats = showing(*table.values()), 0 if summary else PATIENCE
    update = update_summary(summary, changes, index, fetching(*table.values()), repeats)
    remaining = {name: row for name, row in table.items() if name not in filenames} | after
    assert update is not None
    assert update.source is None or update.source in remaining.values()
    assert_follows(update.summary, whole(remaining))


@given(st.lists(st.tuples(tables, st.booleans()), min_size=1, max_size=8), sizes)
def test_what_a_summary_knows_has_no_gap_after_any_changes(
    steps: list[tuple[dict[str, Row], bool]], size: int | None
) -> None:
    """A summary follows a table through several changes, of one file or of all of them."""
    table: dict[str, Row] = {}
    summary: Summary | None = None
    for wanted, is_whole in steps:
        filenames = sorted(table.keys() | wanted.keys())[: None if is_whole else 1]
        pairs = [(table.get(filename), wanted.get(filename)) for filename in filenames]
        changes = RowChanges(
            removed=[old for old, new in pairs if old is not None and old != new],
            added=[new for old, new in pairs if new is not None and old != new],
            kept=[new for old, new in pairs if new is not None and old == new],
        )
        index, repeats = showing(*table.values()), 0 if summary else PATIENCE
        update = update_summary(summary, changes, index, fetching(*table.values()), repeats)
        assert update is not None
        for filename, (_, new) in zip(filenames, pairs, strict=True):
            table.pop(filename, None)
            table |= {} if new is None else {filename: new}
        assert_follows(update.summary, whole(table))
        summary = limited(update.summary, size)


@pytest.mark.parametrize(
    ("before", "changes", "fetched", "expected"),
    [
        pytest.param(
            summary_of(NEW, OLD),
            RowChanges(removed=[NEW]),
            [OLD],
            SummaryUpdate(summary_of(OLD), source=OLD),
            id="the newest row is removed",
        ),
        pytest.param(
            summary_of(SECOND, FIRST, NEW, OLD),
            RowChanges(removed=[SECOND, FIRST]),
            [NEW],
            SummaryUpdate(summary_of(NEW, OLD), source=NEW),
            id="the two newest rows are removed",
        ),
    ],
)
def test_one_row_is_fetched_if_the_newest_is_removed(
    before: Summary, changes: RowChanges, fetched: list[Row], expected: SummaryUpdate
) -> None:
    assert update_summary(before, changes, not_queried, fetching(*fetched), repeats=0) == expected


@pytest.mark.parametrize(
    ("changes", "fetched"),
    [
        pytest.param(RowChanges(removed=[FIRST]), [], id="the next row does not exist"),
        pytest.param(RowChanges(removed=[FIRST]), [CHANGED_TEXT], id="the next row has another text"),
        pytest.param(RowChanges(removed=[CHANGED_TEXT]), [NEW], id="the removed row has another text"),
        pytest.param(RowChanges(added=[NEW]), [NEW], id="the added row is known"),
        pytest.param(RowChanges(added=[CHANGED_TEXT]), [NEW], id="the added row is known with another text"),
        pytest.param(RowChanges(kept=[row("2.5", second=2)]), [NEW], id="an existing row is not known"),
        pytest.param(RowChanges(removed=[row("2.5", second=2)]), [NEW], id="a removed row is not known"),
        pytest.param(
            RowChanges(added=[row("4.0", second=4)], absent=[OLD.filename]), [NEW], id="a known row is absent"
        ),
    ],
)
def test_a_summary_that_does_not_agree_with_the_rows_is_not_trusted(
    changes: RowChanges, fetched: list[Row]
) -> None:
    """Another program has changed a row, and the index does not show it yet."""
    before, index = summary_of(FIRST, NEW, OLD), showing(FIRST)
    assert update_summary(before, changes, index, fetching(*fetched), repeats=0) is None
    assert update_summary(before, changes, index, fetching(*fetched), PATIENCE) is not None


@given(st.lists(rows, max_size=5), st.lists(rows, max_size=5))
def test_a_checksum_is_the_sum_of_its_parts_in_any_order(first: list[Row], second: list[Row]) -> None:
    assert checksum([*first, *second]) == checksum([*second, *first])
    assert checksum([*first, *second]) == (checksum(first) + checksum(second)) % MODULUS


def test_the_checksum_of_no_rows_is_zero() -> None:
    assert checksum([]) == 0


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(row("1.1", second=1, summary="1.0"), id="filename"),
        pytest.param(row("1.0", second=2), id="time"),
        pytest.param(row("1.0", second=1, summary="another text"), id="text"),
    ],
)
def test_a_checksum_changes_with_everything_that_a_summary_depends_on(other: Row) -> None:
    assert checksum([other]) != checksum([OLD])


def test_a_checksum_does_not_depend_on_the_time_zone_or_on_an_empty_text() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    elsewhere = replace(OLD, last_modified=OLD.last_modified.astimezone(zone))
    assert checksum([elsewhere]) == checksum([OLD])
    assert checksum([replace(OLD, summary=None)]) == checksum([replace(OLD, summary="")])
