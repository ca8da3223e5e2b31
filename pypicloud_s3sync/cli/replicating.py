"""Run ``replicate``, and print its plan for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from ..deploy.replication.documents import replication_document
from ..deploy.replication.run import Replication
from ..sync.counts import count_of
from .configurations import Configuration
from .console import counts, make_console, print_line, show_actions, show_warnings
from .steps import StepPrinter
from .text import json_text


def replicate(
    configurations: Sequence[Configuration], *, only_plan: bool, remove: bool, as_json: bool
) -> int:
    """Set up or remove the replication; the exit status is 1 if a plan finds something to do.

    Parameters
    ----------
    configurations : sequence of Configuration
    only_plan : bool
        Whether to change nothing.
    remove : bool
        Whether to remove this tool's rules.
    as_json : bool
        Whether to print one JSON document, and nothing else.
    """
    console = make_console(quiet=as_json)
    with StepPrinter(console, "comparing the regions with AWS") as report:
        regions = [(item.uri, item.settings) for item in configurations]
        replication = Replication(regions, report)
        plan = replication.plan(remove=remove) if only_plan else replication.apply(remove=remove)
    document = replication_document(plan)
    if not only_plan:
        document = {"result": "ok", "message": _message(document), **document}
    if as_json:
        click.echo(json_text(document))
    elif only_plan:
        _show_plan(console, document)
    else:
        _show_applied(console, document)
    return 1 if only_plan and not plan.in_sync else 0


def _message(document: Mapping[str, Any]) -> str:
    if document["in_sync"]:
        return "Nothing to do."
    buckets = _listed([bucket["bucket"] for bucket in document["buckets"]])
    if document["remove"]:
        return f"S3 no longer replicates packages among {buckets} with rules of this tool."
    return f"S3 replicates new packages and deletions among {buckets}."


def _show_plan(console: Console, document: Mapping[str, Any]) -> None:
    print_line(console, f"replication among {_listed([_place(bucket) for bucket in document['buckets']])}")
    show_warnings(console, document)
    show_actions(console, document)
    console.print()
    if document["in_sync"]:
        print_line(console, "Nothing to remove." if document["remove"] else "Nothing to do.")
    else:
        print_line(console, f"{counts(document)}. {_unchanged(document)}".strip())
    _show_needs(console, document)
    _show_lifecycle_rule(console, document)


def _show_applied(console: Console, document: Mapping[str, Any]) -> None:
    print_line(console, _message(document))
    show_warnings(console, document)
    _show_needs(console, document)
    _show_lifecycle_rule(console, document)
    if not document["in_sync"] and document["batch_jobs"]:
        _show_batch_jobs(console, document["batch_jobs"])


def _unchanged(document: Mapping[str, Any]) -> str:
    foreign = sum(bucket["foreign_rules"] for bucket in document["buckets"])
    return f"{count_of(foreign, 'other rule')} will not be changed." if foreign else ""


def _show_needs(console: Console, document: Mapping[str, Any]) -> None:
    """Print the statements that other people have to add."""
    for need in document["needs"]:
        console.print()
        print_line(console, f"! Add to {need['resource']}, unless it has them: {need['reason']}.", "yellow")
        _show_json(console, need["statements"])


def _show_lifecycle_rule(console: Console, document: Mapping[str, Any]) -> None:
    if document["lifecycle_rule"] is not None:
        console.print()
        print_line(console, "A lifecycle rule to consider, for each bucket; it is not applied:")
        _show_json(console, document["lifecycle_rule"])


def _show_batch_jobs(console: Console, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Print the commands that replicate what was in the buckets before."""
    console.print()
    print_line(
        console,
        "S3 does not replicate the packages that were there before. S3 Batch Replication does, with a job for"
        " each bucket:",
    )
    for job in jobs:
        print_line(console, f"  {job['command']}")
    for arn, role in {job["role"]["arn"]: job["role"] for job in jobs}.items():
        console.print()
        print_line(console, f"They need the role {arn}, with this trust policy and this policy:")
        _show_json(console, [role["trust"], role["policy"]])


def _show_json(console: Console, value: Any) -> None:
    """Print JSON, a line for each statement of a list."""
    for item in value if isinstance(value, list) else [value]:
        print_line(console, f"    {json.dumps(item)}")


def _place(bucket: Mapping[str, Any]) -> str:
    return f"{bucket['bucket']} ({bucket['region']})"


def _listed(items: Sequence[str]) -> str:
    """Return items as in a sentence: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
