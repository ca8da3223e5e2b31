"""Check that the cache can be reached from here and from the function, and how many writes it can handle."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ...deploy.aws.denials import is_denied
from ...deploy.cache.tables import missing_tables
from ...deploy.desired.policy import table_names
from ...deploy.models import TableCapacity
from ...exceptions import ConflictError, NotReadError, S3SyncError
from ...reconcile.capacity import ROWS
from ...sync.counts import count_of
from ..models import Facts, Finding, Probe, combined, failed, ok, skipped, warning
from ..unread import statement, unread

#: Write units below which a release of a few dozen files takes minutes.
FEW = 25
#: Seconds for which a batch of :data:`.capacity.ROWS` uses the capacity.
SECONDS = 2
NETWORK = "https://pypicloud-s3sync.readthedocs.io/en/latest/production.html#a-cache-inside-a-vpc"


def cache(facts: Facts) -> Finding:
    """Check that the cache answers, from this host and from the function's network."""
    tables = facts.tables.known
    if tables is not None:
        for problem in missing_tables(facts.settings, tables):
            return failed(problem.message, problem.remedy)
    from_function = list(_from_function(facts))
    works_there = any(finding.state == "ok" for finding in from_function)
    return combined([_from_here(facts, works_there=works_there), *from_function])


def _from_here(facts: Facts, *, works_there: bool) -> Finding:
    error, name = facts.cache.error, described(facts)
    if error is None:
        return ok(f"{name}: {facts.cache.get() * 1000:.0f} ms from this host")
    if isinstance(error, NotReadError) or is_denied(error):
        return unread(error)
    message, _, remedy = str(error).rpartition(": ")
    if isinstance(error, ConflictError):
        return failed(message, remedy)
    if works_there:
        return warning(f"{name}: {message}", "nothing if the function alone is in the cache's network")
    return failed(
        f"{name}: {message}", "correct the db.* settings, or run it on a host that can reach the cache"
    )


def described(facts: Facts) -> str:
    """Return the cache as a message names it, without its password."""
    settings = facts.settings
    if settings.cache_backend == "dynamo":
        return f"the tables {', '.join(table_names(settings))} in {settings.db_region}"
    url = settings.db_url
    if url is None:
        return f"the cache {settings.cache}"
    # Nothing before the last @ is shown: a password may hold any character.
    address = urlsplit(f"//{url.partition('://')[2].rpartition('@')[2]}")
    return f"{url.partition('://')[0]}://{address.netloc}{address.path}"


def _from_function(facts: Facts) -> Iterator[Finding]:
    error = facts.probe.error
    if isinstance(error, NotReadError):
        return
    if error is not None:
        yield _from_metrics(facts, error)
        return
    probe = facts.probe.get()
    if probe is not None:
        yield _of_probe(facts, probe)


def _of_probe(facts: Facts, probe: Probe) -> Finding:
    if not probe.error:
        return ok(f"{probe.milliseconds:,} ms from the function")
    settings = facts.settings
    if settings.vpc_subnet_ids:
        groups = ", ".join(settings.vpc_security_group_ids)
        remedy = (
            f"let the cache's security group accept connections from {groups}, and give the subnets endpoints"
            f" for S3, and for DynamoDB or Systems Manager if they are used: {NETWORK}"
        )
    elif settings.cache_backend == "dynamo":
        remedy = "see the check of the role, and the function's log"
    else:
        remedy = (
            "the function is not in a VPC: if the cache is in one, set s3sync.vpc_subnet_ids and"
            f" s3sync.vpc_security_group_ids: {NETWORK}"
        )
    return failed(f"the function cannot work: {probe.error}", remedy)


def _from_metrics(facts: Facts, error: S3SyncError) -> Finding:
    """Return what the events of the last day tell if the function could not be asked."""
    intervals = facts.intervals.known or ()
    if intervals and intervals[-1].events > intervals[-1].failed:
        return ok("the function handled events in the last 24 hours")
    evidence = f"it is unknown whether the function reaches it: {error}"
    remedy = statement(error) if is_denied(error) else "see the check of the function"
    return warning(evidence, remedy)


def capacity(facts: Facts) -> Finding:
    """Check that the tables can take a release."""
    if facts.settings.cache_backend != "dynamo":
        return skipped(f"{facts.settings.cache} has no capacity to set")
    if facts.tables.get().missing:
        return skipped("the tables do not exist")
    provisioned = facts.tables.get().provisioned
    if not provisioned:
        return ok("the tables have on-demand capacity")
    return combined([_of_table(facts, table) for table in provisioned])


def _of_table(facts: Facts, table: TableCapacity) -> Finding:
    rate = table.writes * ROWS / SECONDS
    files = count_of(float(f"{rate:.2g}"), "file")
    units = f"{count_of(table.reads, 'read unit')} and {count_of(table.writes, 'write unit')}"
    evidence = f"{table.table} has {units}, about {files} a second"
    if table.table in (facts.scaled.known or ()):
        return ok(f"{evidence}, and scales automatically")
    if table.writes >= FEW:
        return ok(evidence)
    command = (
        f"aws dynamodb update-table --table-name {table.table} --billing-mode PAY_PER_REQUEST"
        f" --region {facts.settings.db_region}"
    )
    return warning(evidence, f"`{command}`")
