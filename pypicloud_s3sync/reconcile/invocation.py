"""Reconcile in the function: continue where the last invocation ended, and request the next if necessary."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import botocore.session
from botocore.config import Config

from ..exceptions import S3SyncError
from ..sync import environment
from ..sync.masking import mask
from ..sync.reconcile_requests import Request, request
from ..sync.startup import syncer
from .fan_out import messages
from .known_files import file_name, temporary_path
from .known_objects import KnownObjects
from .models import Difference, Kind
from .passes import Pass
from .state import DONE, State

#: Messages that SQS takes in one call.
BATCH = 10


def run(asked: Request, seconds: float | None) -> dict[str, Any]:
    """Reconcile for some time; return the state, whether everything is done, and the keys that failed.

    A request from the queue is continued through the queue: keys that failed are looked at again as for an
    event, and then the rest is done by the next invocation.

    Parameters
    ----------
    asked : Request
    seconds : float or None
        The time that is left.

    Raises
    ------
    EventError
        The request has no valid state.
    Exception
        The error of S3 or the cache if one of them does not answer.
    """
    state, queue_arn = State.of(asked.state), asked.queue_arn
    started = syncer()
    s3 = started.reader.s3
    work = Pass(started, s3, state)
    path = temporary_path(file_name(s3.meta.endpoint_url, work.bucket, started.prefix))
    with KnownObjects(path, after=state.cursor) as work.known:
        if queue_arn is not None:
            # Keys that failed are events from now on.
            work.hand_over = partial(_queue, queue_arn, work)
        state = work.run(seconds)
    if queue_arn is not None:
        _queue(queue_arn, work, work.failed)
        state = replace(state, failed=0)
        _send(queue_arn, [] if state.phase == DONE else [json.dumps(request(state.document()))])
    secrets = environment.secrets()
    return {
        "state": state.document(),
        "done": state.phase == DONE,
        "failed": [{"key": key, "error": mask(text, secrets)} for key, text in work.failed.items()],
    }


def _queue(queue_arn: str, work: Pass, failed: dict[str, str]) -> None:
    """Send keys that failed to the queue, like events, and remove them."""
    bucket, region = work.bucket, work.s3.meta.region_name
    differences = (Difference(Kind.STALE, key, (key,), "") for key in failed)
    _send(queue_arn, [text for difference in differences for text in messages(difference, bucket, region)])
    failed.clear()


def _send(queue_arn: str, bodies: list[str]) -> None:
    """Send messages to the queue of this function, which its role may use."""
    if not bodies:
        return
    region, account, name = queue_arn.split(":")[3:]
    config = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=10)
    sqs: Any = botocore.session.get_session().create_client("sqs", region_name=region, config=config)
    url = f"{sqs.meta.endpoint_url}/{account}/{name}"
    for start in range(0, len(bodies), BATCH):
        entries = [
            {"Id": str(index), "MessageBody": body}
            for index, body in enumerate(bodies[start : start + BATCH])
        ]
        for failed in sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", []):
            raise S3SyncError(f"SQS did not take a message ({failed.get('Code')}: {failed.get('Message')})")
