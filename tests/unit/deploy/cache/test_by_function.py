from __future__ import annotations

import io
import json
from typing import Any

import pytest

from pypicloud_s3sync.deploy.cache.by_function import reconcile_by_function
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.reconcile.models import Kind
from pypicloud_s3sync.reconcile.state import State
from support.fakes import FakeClients


def answered(document: Any, **more: Any) -> dict[str, Any]:
    return {"Payload": io.BytesIO(json.dumps(document).encode()), **more}


def reconciled(done: bool, *failed: str, **state: Any) -> dict[str, Any]:
    errors = [{"key": key, "error": "S3 is slow"} for key in failed]
    return answered({"reconcile": {"state": State(**state).document(), "done": done, "failed": errors}})


def test_the_function_is_invoked_until_it_is_done() -> None:
    clients = FakeClients(
        {
            "invoke": [
                reconciled(False, "a/x-1.0.zip", cursor="k", objects=1000, added=9),
                reconciled(True, phase="done", objects=1500, rows=1500, added=12, repaired=3, deleted=1),
            ]
        }
    )
    steps: list[Progress] = []
    report = reconcile_by_function(clients, "sync", 60, steps.append)
    assert (report.objects, report.added, report.repaired) == (1500, 12, 16)
    assert report.differences == {Kind.MISSING: 12, Kind.STALE: 3, Kind.GONE: 1, Kind.SUMMARIES: 0}
    assert report.failed == {"a/x-1.0.zip": "S3 is slow"}
    assert [(step.state, step.done) for step in steps] == [("running", 0), ("running", 1000), ("done", None)]
    second = json.loads(clients.calls[1][1]["Payload"])
    assert second["pypicloud-s3sync:reconcile"]["cursor"] == "k"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            answered({"errorMessage": "no cache"}, FunctionError="Unhandled"),
            "could not reconcile \\(no cache\\)",
        ),
        (answered(None, FunctionError="Unhandled"), "could not reconcile \\(Unhandled\\)"),
        (answered({"saved": []}), "cannot reconcile: deploy it with enable"),
    ],
)
def test_a_function_that_fails_is_named(answer: dict[str, Any], message: str) -> None:
    with pytest.raises(S3SyncError, match=f"the .*function sync {message}"):
        reconcile_by_function(FakeClients({"invoke": answer}), "sync", 60, lambda progress: None)
