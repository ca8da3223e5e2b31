from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import EventError
from pypicloud_s3sync.reconcile import invocation
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.reconcile_requests import FIELD, Request, request, split
from support.invalid_events import any_json
from support.moto_world import World, event, notification_of

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:sync-queue"
KEY = "b1a2/pkg/pkg-1.0.tar.gz"


def message(body: Any, number: str = "m") -> dict[str, Any]:
    return {
        "messageId": number,
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "body": json.dumps(body),
    }


def test_an_event_without_a_request_is_left_as_it_is() -> None:
    for name in ("created_put", "sqs", "eventbridge_created", "test_event"):
        assert split(event(name)) == ([], event(name))


def test_a_request_is_taken_from_a_direct_invocation_and_from_the_queue() -> None:
    state = {"phase": "rows", "cursor": "x"}
    assert split(request(state)) == ([Request(state)], None)
    other = message(notification_of(KEY), "other")
    found = split({"Records": [message(request(state)), other]})
    assert found == ([Request(state, "m", QUEUE)], {"Records": [other]})
    assert split({"Records": [message(request({}))]}) == ([Request({}, "m", QUEUE)], None)


def test_a_request_in_another_envelope_is_none() -> None:
    """Whoever may publish to a topic of S3's notifications must not start anything."""
    text = json.dumps(request({}))
    for strange in (
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]},
        {"Records": [message({"Type": "Notification", "Message": text})]},
        {"Records": [request({})]},
        {**request({}), "Records": []},
        {"Records": [{**message(request({})), "eventSourceARN": None}]},
        {"Records": [{**message(""), "body": f"{FIELD} is no JSON"}]},
    ):
        assert split(strange) == ([], strange)


@given(any_json)
def test_any_json_is_split_without_an_error(strange: Any) -> None:
    requests, _ = split(strange)
    assert requests == []


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Record the messages that the function, which has a temporary directory, sends to its queue."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bodies: list[Any] = []

    def send(arn: str, texts: list[str]) -> None:
        assert arn == QUEUE
        bodies.extend(map(json.loads, texts))

    monkeypatch.setattr(invocation, "_send", send)
    return bodies


def reported(capsys: pytest.CaptureFixture[str]) -> list[tuple[int, int]]:
    """Return what the function has reported to CloudWatch of each reconciliation that ended."""
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [(line["Drift"], line["DriftLeft"]) for line in lines if "Drift" in line]


def test_a_direct_request_reconciles_and_answers_what_it_did(
    world: World, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world.put(KEY, name="pkg", version="1.0")
    answer = handler.handle_s3_event(request({}), None)["reconcile"]
    assert (answer["done"], answer["failed"], answer["state"]["added"]) == (True, [], 1)
    assert reported(capsys) == [(1, 0)]
    assert "pkg-1.0.tar.gz" in world.rows()
    assert sent == []


def test_a_request_of_the_queue_goes_on_through_the_queue(
    world: World,
    sent: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pypicloud_s3sync.reconcile.passes.SHORT_PAGE", 1)
    monkeypatch.setattr(handler, "seconds_left", lambda context: 1e-9)
    for number in range(3):
        world.put(f"a/pkg-{number}.0.tar.gz", name="pkg", version=f"{number}.0")
    asked: Any = request({})
    invocations = 0
    while asked is not None:
        invocations += 1
        assert handler.handle_s3_event({"Records": [message(asked)]}, None) == {"batchItemFailures": []}
        asked = sent.pop() if sent else None
        assert sent == []
    assert invocations == 3
    assert len(world.rows()) == 3
    # The last invocation has reported what all of them did.
    assert reported(capsys) == [(3, 0)]


def test_keys_that_fail_are_events_from_then_on(
    world: World, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"a/pkg-{number}.0.tar.gz" for number in range(5)]
    for key in keys:
        world.put(key, name="pkg", version="1.0")
    monkeypatch.setattr("pypicloud_s3sync.reconcile.passes.PAGE", 2)
    monkeypatch.setattr("pypicloud_s3sync.reconcile.passes.MOST_FAILED", 2)

    def fail(self: Syncer, bucket: str, asked: list[str], report: object = None) -> dict[str, Exception]:
        return {key: PermissionError("denied") for key in asked}

    monkeypatch.setattr(Syncer, "converge", fail)
    assert handler.handle_s3_event({"Records": [message(request({}))]}, None) == {"batchItemFailures": []}
    assert [body["Records"][0]["s3"]["object"]["key"] for body in sent] == keys


def test_events_in_the_same_batch_are_handled_and_a_second_request_waits(
    world: World, sent: list[Any]
) -> None:
    world.put(KEY, name="pkg", version="1.0")
    batch = [
        message(notification_of(KEY), "event"),
        message(request({}), "first"),
        message(request({}), "second"),
    ]
    answer = handler.handle_s3_event({"Records": batch}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "second"}]}
    assert "pkg-1.0.tar.gz" in world.rows()


def test_a_request_that_fails_is_delivered_again(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: Any) -> None:
        raise TimeoutError("S3 is slow")

    monkeypatch.setattr(invocation, "run", fail)
    answer = handler.handle_s3_event({"Records": [message(request({}))]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"level": "ERROR", "reconcile": {"error": "TimeoutError: S3 is slow"}}
    with pytest.raises(Exception, match="S3 is slow"):
        handler.handle_s3_event(request({}), None)


def test_a_request_with_a_strange_state_is_refused(world: World) -> None:
    with pytest.raises(EventError, match="request to reconcile"):
        handler.handle_s3_event(request({"phase": 7}), None)
