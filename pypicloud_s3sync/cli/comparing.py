"""Run ``compare``, and print its result for people or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import click
from rich.console import Console

from ..deploy.cache.regions import compare_regions
from ..regions.compare import Comparison
from ..regions.models import Kind, Region
from .configurations import Configuration
from .console import make_console, print_line
from .steps import StepPrinter
from .text import json_with_items

#: The most files of each kind that are shown.
SAMPLES = 20
#: The most packages in one command.
PACKAGES = 20
#: Characters of a digest that are shown.
DIGEST = 12
#: What each kind of difference means.
MEANINGS = {
    Kind.NOT_REPLICATED: "in another bucket, not in this one",
    Kind.MISSING_ROW: "in the bucket, not in the cache",
    Kind.EXTRA_ROW: "in the cache, not in the bucket",
    Kind.STALE_ROW: "in the cache with other values than in the bucket",
    Kind.DIFFERENT_CONTENT: "with other content than in the other buckets",
}
#: What to do about them.
REMEDIES = {
    Kind.NOT_REPLICATED: "Replication did not copy the file, or its deletion: check it with"
    " `ppc-s3sync doctor`, or set it up with `ppc-s3sync replicate`.",
    Kind.DIFFERENT_CONTENT: "Upload the right file again, in one region, and let replication copy it.",
}


def compare(configurations: Sequence[Configuration], *, as_json: bool) -> int:
    """Compare the regions; the exit status is 1 if they are not equal."""
    console = make_console(quiet=as_json)
    with StepPrinter(console, "reading the regions") as report:
        comparison = compare_regions([(it.uri, it.settings) for it in configurations], report)
    with comparison:
        if as_json:
            for text in json_with_items(comparison.document(), "differences", _items(comparison)):
                click.echo(text, nl=False)
        else:
            show_comparison(console, comparison)
        return 0 if comparison.equal else 1


def _items(comparison: Comparison) -> Iterator[dict[str, str]]:
    for difference, region in comparison.differences():
        yield {
            "kind": difference.kind.value,
            "filename": difference.filename,
            "region": region.region,
            "bucket": region.bucket,
        }


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print the regions, and what differs with what to do about it."""
    _show_regions(console, comparison)
    for kind, count in comparison.counts.items():
        if count:
            print_line(console, "")
            _show_kind(console, comparison, kind, count)
    print_line(console, "")
    if comparison.equal:
        print_line(console, "The regions are equal.")
        return
    counts = [f"{count:,} {kind.value}" for kind, count in comparison.counts.items() if count]
    print_line(console, f"The regions differ: {', '.join(counts)}.")


def _show_regions(console: Console, comparison: Comparison) -> None:
    rows = [("region", "bucket", "objects", "rows", "digest")]
    rows += [
        (
            *(totals.region.region, totals.region.bucket),
            *(f"{totals.objects:,}", f"{totals.rows:,}", totals.digest[:DIGEST]),
        )
        for totals in comparison.totals
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        # Numbers are aligned to the right.
        cells = [
            f"{cell:>{width}}" if number in (2, 3) else f"{cell:<{width}}"
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print_line(console, f"  {'  '.join(cells)}".rstrip())


def _show_kind(console: Console, comparison: Comparison, kind: Kind, count: int) -> None:
    print_line(console, f"{kind.value}: {count:,} {MEANINGS[kind]}", "bold")
    found = comparison.differences(kind)
    shown = list(islice(found, SAMPLES))
    for difference, region in shown:
        print_line(console, f"  {_place(comparison, region)}  {difference.filename}")
    if count > len(shown):
        print_line(console, f"  and {count - len(shown):,} more")
    print_line(console, f"  {_remedy(comparison, kind)}")


def _remedy(comparison: Comparison, kind: Kind) -> str:
    """Return what to do about a kind of difference."""
    if kind in REMEDIES:
        return REMEDIES[kind]
    commands = [
        f"`ppc-s3sync reconcile {config}{options}`"
        for config, packages in comparison.repairs(kind).items()
        for options in _options(packages)
    ]
    return f"Repair the cache with {' and '.join(commands)}."


def _options(packages: Sequence[str]) -> Iterator[str]:
    """Yield the options of each command that is needed: with the packages, and without."""
    if "" in packages:
        yield ""
    named = [package for package in packages if package]
    for start in range(0, len(named), PACKAGES):
        yield "".join(f" --package {package}" for package in named[start : start + PACKAGES])


def _place(comparison: Comparison, region: Region) -> str:
    """Return the name of a region, with its bucket if another bucket is in the same region."""
    names = Counter(totals.region.region for totals in comparison.totals)
    return region.region if names[region.region] == 1 else f"{region.region} {region.bucket}"
