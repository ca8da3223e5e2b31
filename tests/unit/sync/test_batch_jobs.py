from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import ConfigError, EventError
from pypicloud_s3sync.sync import batch_jobs
from support.fakes import refusal
from support.invalid_events import any_json
from support.moto_world import World, event, fail_for

VERSIONS = ["batch_operations_1", "batch_operations_2"]
LIVE = "b1a2/pkg/pkg-1.0.tar.gz"


def invocation(name: str, *keys: Any) -> dict[str, Any]:
    """Return an invocation with a task for each of some encoded keys."""
    found: dict[str, Any] = event(name)
    (task,) = found["tasks"]
    found["tasks"] = [{**task, "taskId": f"task {number}", "s3Key": key} for number, key in enumerate(keys)]
    return found


def results(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(result["resultCode"], result["resultString"]) for result in answer["results"]]


@pytest.mark.parametrize("name", VERSIONS)
def test_the_invocation_in_awss_documentation_is_answered_in_its_version(world: World, name: str) -> None:
    world.put(LIVE, name="pkg", version="1.0")
    given = event(name)
    assert handler.handle_s3_event(given, None) == {
        "invocationSchemaVersion": given["invocationSchemaVersion"],
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": given["invocationId"],
        "results": [
            {
                "taskId": given["tasks"][0]["taskId"],
                "resultCode": "Succeeded",
                "resultString": "saved pkg-1.0.tar.gz",
            }
        ],
    }
    assert "pkg-1.0.tar.gz" in world.rows()


@pytest.mark.parametrize("name", VERSIONS)
def test_an_object_that_is_gone_is_cleared(world: World, name: str) -> None:
    world.put(LIVE, name="pkg", version="1.0")
    handler.handle_s3_event(event(name), None)
    world.s3.delete_object(Bucket=event("batch_operations_2")["tasks"][0]["s3Bucket"], Key=LIVE)
    assert results(handler.handle_s3_event(event(name), None)) == [("Succeeded", "cleared pkg-1.0.tar.gz")]
    assert world.rows() == {}


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("a/torch nightly-1.0+cu118-py3-none-any.whl", "a/torch+nightly-1.0%2Bcu118-py3-none-any.whl"),
        ("a/torch nightly-1.0+cu118-py3-none-any.whl", "a/torch%20nightly-1.0%2Bcu118-py3-none-any.whl"),
        # A manifest that was written by hand may have the sign as it is.
        ("a/torch-1.0+cu118-py3-none-any.whl", "a/torch-1.0+cu118-py3-none-any.whl"),
    ],
)
def test_a_key_is_decoded_whether_its_plus_means_a_space_or_itself(
    world: World, key: str, encoded: str
) -> None:
    world.put(key, name="torch", version="1.0+cu118")
    answer = handler.handle_s3_event(invocation("batch_operations_2", encoded), None)
    assert f"saved {key.partition('/')[2]}" in results(answer)[0][1]


def test_each_task_has_its_own_result_and_none_stops_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(LIVE, name="pkg", version="1.0")
    slow = "x/slow-1.0.tar.gz"
    fail_for(monkeypatch, slow, error=TimeoutError("S3 is slow"))
    found = invocation("batch_operations_1", LIVE, slow, "%ff", "", None, "notes.txt")
    answer = handler.handle_s3_event(found, None)
    assert [code for code, _ in results(answer)] == [
        *("Succeeded", "TemporaryFailure"),
        *("PermanentFailure", "PermanentFailure", "PermanentFailure"),
        "Succeeded",
    ]
    texts = [text for _, text in results(answer)]
    assert "S3 is slow" in texts[1]
    assert "not UTF-8" in texts[2]
    assert "no s3Key" in texts[3]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusal("AccessDenied", status=403), "PermanentFailure"),
        (refusal("SlowDown", status=503), "TemporaryFailure"),
        (refusal("TooManyRequests", status=429), "TemporaryFailure"),
        (ConfigError("PYPICLOUD_SETTINGS is not set"), "PermanentFailure"),
        (ConnectionError("no cache"), "TemporaryFailure"),
    ],
    ids=repr,
)
def test_batch_operations_repeats_what_may_succeed_later(error: Exception, code: str) -> None:
    found = event("batch_operations_2")
    tasks = batch_jobs.tasks_of(found)
    place = tasks[0].records[0].bucket, tasks[0].records[0].key
    answer = batch_jobs.answer(found, tasks, {place: error}, lambda error: "x" * 5000)
    assert results(answer) == [(code, "x" * 1000)]


def test_a_task_without_an_id_or_bucket_is_no_task() -> None:
    with pytest.raises(EventError, match="no taskId"):
        batch_jobs.tasks_of({"tasks": [{"s3Key": "a"}]})
    with pytest.raises(EventError, match="not a list"):
        batch_jobs.tasks_of({"tasks": "x"})
    (task,) = batch_jobs.tasks_of({"tasks": [{"taskId": "t", "s3Key": "a"}]})
    assert "no s3Bucket" in str(task.error)


@given(any_json)
def test_any_json_is_read_or_refused(strange: Any) -> None:
    for tasks in (strange, [strange], [{"taskId": "t", "s3Key": strange, "s3Bucket": strange}]):
        try:
            found = batch_jobs.tasks_of({"tasks": tasks})
        except EventError:
            continue
        for task in found:
            assert bool(task.records) is (task.error is None)
            assert all(record.key.encode() and record.bucket.encode() for record in task.records)
