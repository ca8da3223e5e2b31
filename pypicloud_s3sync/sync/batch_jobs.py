"""Parse invocations of S3 Batch Operations and build the responses, without calling AWS.

A job of Batch Operations invokes the function for each object of a manifest. Version 1.0 of the schema names
the bucket by its ARN, and version 2.0 by its name; both encode keys as in a URL:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus

from ..exceptions import ConfigError, EventError
from .events import Record
from .pending import Outcome

#: The kind of event in the log.
EVENT = "S3BatchOperations"
SUCCEEDED, TEMPORARY, PERMANENT = "Succeeded", "TemporaryFailure", "PermanentFailure"
#: The most characters of a result that Batch Operations is told.
LONGEST = 1000
#: Errors of S3's requests that a repetition does not solve, unless they are one of these.
TRANSIENT = (408, 429)


@dataclass(frozen=True)
class Task:
    """A task of an invocation: the object that it names under each key that its text may stand for.

    ``error`` says why the task cannot be read.
    """

    id: str
    records: tuple[Record, ...] = ()
    error: EventError | None = None


def is_invocation(event: Any) -> bool:
    """Return whether an event is an invocation of S3 Batch Operations."""
    return isinstance(event, Mapping) and "invocationSchemaVersion" in event and "tasks" in event


def tasks_of(event: Mapping[str, Any]) -> list[Task]:
    """Return the tasks of an invocation.

    Raises
    ------
    EventError
        A task has no id, so no answer can name it.
    """
    tasks = event["tasks"]
    if not isinstance(tasks, list):
        raise EventError("the invocation's tasks are not a list: let S3 Batch Operations invoke the function")
    return [_task(task) for task in tasks]


def _task(task: Any) -> Task:
    number = task.get("taskId") if isinstance(task, Mapping) else None
    if not isinstance(number, str):
        raise EventError("a task has no taskId: let S3 Batch Operations invoke the function")
    try:
        bucket = _bucket(task)
        keys = _keys(task.get("s3Key"))
    except EventError as error:
        return Task(number, error=error)
    return Task(number, tuple(Record(bucket, key, EVENT, None, None) for key in keys))


def _bucket(task: Mapping[str, Any]) -> str:
    name = task.get("s3Bucket") or task.get("s3BucketArn")
    bucket = name.rpartition(":")[2] if isinstance(name, str) else ""
    if not bucket or not bucket.isascii():
        raise EventError("the task has no s3Bucket and no s3BucketArn of a bucket")
    return bucket


def _keys(text: Any) -> tuple[str, ...]:
    """Return the keys that a text may stand for.

    In a manifest, a space is either ``%20`` or ``+``. A ``+`` that is meant literally, as in ``1.0+cu118``,
    should be ``%2B``. To look at a key that does not exist does no harm, so that both are looked at.
    """
    if not isinstance(text, str) or not text:
        raise EventError("the task has no s3Key")
    try:
        keys = unquote_plus(text, errors="strict"), unquote(text, errors="strict")
        for key in keys:
            key.encode()
    except UnicodeError:
        raise EventError("the task's s3Key is not UTF-8, as every S3 key is") from None
    return tuple(dict.fromkeys(keys))


def answer(
    event: Mapping[str, Any],
    tasks: list[Task],
    outcomes: Mapping[tuple[str, str], Outcome | Exception],
    describe: Callable[[Exception], str],
) -> dict[str, Any]:
    """Return the answer to an invocation, with a result for each task.

    Parameters
    ----------
    event : dict
    tasks : list of Task
    outcomes : dict
        The outcome or the error, by bucket and key.
    describe : callable
        Returns the text of an error, without secrets.
    """
    return {
        "invocationSchemaVersion": event["invocationSchemaVersion"],
        "treatMissingKeysAs": TEMPORARY,
        "invocationId": event.get("invocationId"),
        "results": [_result(task, outcomes, describe) for task in tasks],
    }


def _result(
    task: Task,
    outcomes: Mapping[tuple[str, str], Outcome | Exception],
    describe: Callable[[Exception], str],
) -> dict[str, str]:
    found = [outcomes[record.bucket, record.key] for record in task.records]
    error = task.error or next((outcome for outcome in found if isinstance(outcome, Exception)), None)
    if error is not None:
        code = PERMANENT if _is_permanent(error) else TEMPORARY
        return {"taskId": task.id, "resultCode": code, "resultString": describe(error)[:LONGEST]}
    texts = [f"{outcome.action} {outcome.name}" for outcome in found if isinstance(outcome, Outcome)]
    return {"taskId": task.id, "resultCode": SUCCEEDED, "resultString": ", ".join(texts)[:LONGEST]}


def _is_permanent(error: Exception) -> bool:
    """Return whether Batch Operations need not repeat a task."""
    # botocore's ClientError has the response.
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return 400 <= status < 500 and status not in TRANSIENT
    return isinstance(error, ConfigError | EventError)
