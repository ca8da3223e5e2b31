"""Run a deployment in a thread of its own and stream its progress as lines of JSON."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..config.settings import SyncSettings
from ..deploy import Deployment, Plan, Progress, policy_that_allows
from ..exceptions import S3SyncError

LOG = logging.getLogger(__name__)


def stream(settings: SyncSettings, done: str, run: Callable[[Deployment], Plan]) -> Iterator[bytes]:
    """Start a run and yield a line for each step, then one for the result.

    The run continues to its end even if the client disconnects.

    Parameters
    ----------
    settings : SyncSettings
    done : str
        The message of the result if something was changed.
    run : callable
        Takes the deployment and returns the plan that was executed.
    """
    lines: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def report(progress: Progress) -> None:
        lines.put({name: value for name, value in vars(progress).items() if value is not None})

    def work() -> None:
        try:
            plan = run(Deployment(settings, report))
            lines.put({"result": "ok", "message": "Nothing to do." if plan.in_sync else done})
        except S3SyncError as error:
            lines.put({"result": "failed", **failure(error)})
        except Exception:
            LOG.exception("S3 sync failed")
            message = "an unexpected error occurred: see the server's log"
            lines.put({"result": "failed", "message": message})
        lines.put(None)

    threading.Thread(target=work, name="s3sync").start()
    return _as_lines(lines)


def failure(error: S3SyncError) -> dict[str, Any]:
    """Return an error as JSON, with a policy that allows the call if AWS denied it."""
    policy = policy_that_allows(error)
    return {"message": str(error), **({"policy": policy} if policy else {})}


def _as_lines(lines: queue.Queue[dict[str, Any] | None]) -> Iterator[bytes]:
    while (line := lines.get()) is not None:
        yield json.dumps(line).encode() + b"\n"
