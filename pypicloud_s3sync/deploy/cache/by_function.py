"""Let the function reconcile a cache that this host cannot reach, for example one in a VPC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...exceptions import S3SyncError
from ...reconcile.models import Kind, Report, a_tenth
from ...sync.counts import count_of
from ...sync.reconcile_requests import request
from ..aws.clients import Clients
from ..models import Progress, Reporter
from ..writers.calls import Calls

STEP = "reconcile"
MESSAGE = "the function reconciles the cache with the bucket"


def reconcile_by_function(clients: Clients, function: str, timeout: int, report: Reporter) -> Report:
    """Invoke the function until it has made the cache equal to the bucket; return what it did.

    Parameters
    ----------
    clients : Clients
    function : str
    timeout : int
        The function's timeout in seconds.
    report : callable
        Receives the number of objects that were compared.

    Raises
    ------
    AwsError
        If the function cannot be invoked.
    S3SyncError
        If the function fails, or its code is too old.
    """
    calls, invoker = Calls(clients), clients.invoker(timeout)
    state: Mapping[str, Any] = {}
    found = Report(dry_run=False)
    report(Progress(STEP, "running", MESSAGE, 0))
    while True:
        answer = _reconciled(function, calls.invoke(invoker, function, request(state)))
        state = answer["state"]
        for item in answer["failed"]:
            found.fail(item["key"], item["error"])
        if answer["done"]:
            report(Progress(STEP, "done", f"the function compared {count_of(state['objects'], 'object')}"))
            return _complete(found, state)
        report(Progress(STEP, "running", MESSAGE, state["objects"]))


def _reconciled(function: str, response: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = json.loads(response["Payload"].read() or b"null")
    answer = answer if isinstance(answer, dict) else {}
    if "FunctionError" in response:
        reason = str(answer.get("errorMessage") or response["FunctionError"])
        raise S3SyncError(f"the function {function} could not reconcile ({reason}): see its log")
    found: Mapping[str, Any] | None = answer.get("reconcile")
    if found is None:
        raise S3SyncError(f"the code of the function {function} cannot reconcile: deploy it with enable")
    return found


def _complete(report: Report, state: Mapping[str, Any]) -> Report:
    kinds = {Kind.MISSING: "added", Kind.STALE: "repaired", Kind.GONE: "deleted"}
    report.objects, report.rows = state["objects"], state["rows"]
    report.added, report.kept = state["added"], state["kept"]
    report.repaired = sum(state[name] for name in kinds.values())
    report.limit = a_tenth(state["rows"])
    report.differences |= {kind: state[name] for kind, name in kinds.items()}
    return report
