"""The Lambda function: parse an S3 notification, converge the cache on the bucket, report what happened.

``PYPICLOUD_SETTINGS`` says which cache and which bucket; see :mod:`.sync.environment`.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from .exceptions import S3SyncError, SyncError
from .sync import batch_jobs, environment, events, reconcile_requests
from .sync.events import Malformed, Notification
from .sync.invocation import Outcomes, converge, seconds_left
from .sync.masking import mask
from .sync.pending import Outcome
from .sync.reconcile_requests import Request
from .sync.startup import prepare_snapshot
from .sync.telemetry import RecordResult, lag_ms, metrics, reconcile_metrics


def handle_s3_event(event: Any, context: Any) -> dict[str, Any]:
    """Make the cache match S3 under each key that an event names.

    Parameters
    ----------
    event : dict
        S3 notifications: direct, in SNS, in SQS, in SNS inside SQS, or EventBridge's; the same as the
        ``requestPayload`` of a record of a failure; ``s3:TestEvent``; an invocation of S3 Batch Operations;
        or a request to reconcile.
    context : object
        Lambda's context; the metrics have its function name. The answer comes before its time is over: a key
        that is not done by then has failed.

    Returns
    -------
    dict
        ``{"saved": [filename], "cleared": [filename], "ignored": [key]}``. For SQS,
        ``{"batchItemFailures": [{"itemIdentifier": messageId}]}`` with the messages to deliver again:
        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        For S3 Batch Operations, a result for each task:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html

    Raises
    ------
    SyncError
        Some records failed; the error names each. Every record has been tried, and Lambda delivers the event
        again. If the function has no settings, or its cache cannot be reached, every record has failed.
    EventError
        The event is not an S3 notification.
    """
    if batch_jobs.is_invocation(event):
        return _run_batch(event, context)
    requests, event = reconcile_requests.split(event)
    if requests:
        return _run_requests(requests, event, context)
    started = time.monotonic()
    notification = events.parse(event)
    outcomes = converge(notification.records, seconds_left(context))
    duration = round((time.monotonic() - started) * 1000)
    _log(list(_results(notification, outcomes, duration)), context)
    if notification.queued and all(part.message_id for part in notification.malformed):
        return _batch_item_failures(notification, outcomes)
    failures = {part.place: part.error for part in notification.malformed} | {
        key: outcome for (_, key), outcome in outcomes.items() if isinstance(outcome, Exception)
    }
    if failures:
        raise SyncError({place: _without_secrets(error) for place, error in failures.items()})
    return _answer(outcomes)


def _run_batch(event: Any, context: Any) -> dict[str, Any]:
    """Process the tasks of S3 Batch Operations, and answer the result of each."""
    started = time.monotonic()
    tasks = batch_jobs.tasks_of(event)
    records = tuple(record for task in tasks for record in task.records)
    outcomes = converge(records, seconds_left(context))
    duration = round((time.monotonic() - started) * 1000)
    malformed = tuple(Malformed(task.id, None, task.error) for task in tasks if task.error is not None)
    _log(list(_results(Notification(records, malformed, queued=False), outcomes, duration)), context)
    secrets = environment.secrets()
    return batch_jobs.answer(event, tasks, outcomes, lambda error: mask(_cause(error), secrets))


def _run_requests(requests: Sequence[Request], event: Any, context: Any) -> dict[str, Any]:
    """Process the rest of the event, then reconcile in the time that is left.

    Of several requests, each goes on from its own state, so the first one is enough for this invocation.
    """
    # Imported here, because an event needs none of it.
    from .reconcile import invocation

    failures = {} if event is None else handle_s3_event(event, context)
    failed = {item["itemIdentifier"] for item in failures.get("batchItemFailures", [])}
    asked, *others = requests
    try:
        result = invocation.run(asked, seconds_left(context))
    except Exception as error:
        if asked.message_id is None:
            raise _without_secrets(error) from None
        _log_reconciled("ERROR", {"error": mask(_cause(error), environment.secrets())})
        failed.add(asked.message_id)
    else:
        level = "ERROR" if result["state"]["kept"] else "INFO"
        _log_reconciled(level, result["state"])
        if result["done"]:
            print(reconcile_metrics(result["state"], _function(context), _now()), flush=True)
        if asked.message_id is None:
            return {"reconcile": result}
    failed |= {request.message_id for request in others if request.message_id is not None}
    return {"batchItemFailures": [{"itemIdentifier": message} for message in sorted(failed)]}


def _log_reconciled(level: str, document: dict[str, Any]) -> None:
    print(json.dumps({"level": level, "reconcile": document}), flush=True)


def _answer(outcomes: Outcomes) -> dict[str, list[str]]:
    answer: dict[str, list[str]] = {"saved": [], "cleared": [], "ignored": []}
    for outcome in outcomes.values():
        if isinstance(outcome, Outcome) and outcome.name not in answer[outcome.action]:
            answer[outcome.action].append(outcome.name)
    return answer


def _batch_item_failures(notification: Notification, outcomes: Outcomes) -> dict[str, list[dict[str, str]]]:
    failed = {
        record.message_id
        for record in notification.records
        if isinstance(outcomes[record.bucket, record.key], Exception)
    } | {part.message_id for part in notification.malformed}
    return {"batchItemFailures": [{"itemIdentifier": message} for message in sorted(filter(None, failed))]}


def _results(notification: Notification, outcomes: Outcomes, duration: int) -> Iterator[RecordResult]:
    now = _now()
    for record in notification.records:
        outcome = outcomes[record.bucket, record.key]
        identity = record.event, record.bucket, record.key
        if isinstance(outcome, Outcome):
            yield RecordResult(*identity, outcome.action, duration, lag_ms(record.time, now))
        else:
            yield RecordResult(*identity, "failed", duration, error=_cause(outcome))
    for part in notification.malformed:
        yield RecordResult("", "", part.place, "failed", duration, error=_cause(part.error))


def _log(results: Sequence[RecordResult], context: Any) -> None:
    """Print whole lines of JSON; Lambda sends its stdout to CloudWatch."""
    if not results:
        return
    secrets = environment.secrets()
    for result in results:
        print(result.line(secrets))
    for document in metrics(results, _function(context), _now()):
        print(document, flush=True)


def _function(context: Any) -> str:
    return getattr(context, "function_name", None) or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _without_secrets(error: Exception) -> Exception:
    """Return an error whose message has no secret: the same one if it has none."""
    secrets = environment.secrets()
    if mask(str(error), secrets) == str(error):
        return error
    return S3SyncError(mask(_cause(error), secrets))


# Lambda takes the snapshot when this module is imported.
prepare_snapshot()
