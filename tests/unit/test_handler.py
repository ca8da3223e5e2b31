from __future__ import annotations

import contextlib
import json
import os
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote_from_bytes

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import ConfigError, EventError, S3SyncError, SyncError
from pypicloud_s3sync.sync.startup import syncer
from support.fakes import not_none
from support.invalid_events import DOCUMENTED, any_json, mutated
from support.moto_world import CallLog, World, event, fail_for, notification_of

GOOD, BAD = "x/good-1.0.tar.gz", "x/bad-1.0.tar.gz"
LIVE = "b1a2/pkg/pkg-1.0.tar.gz"
#: S3's answers that do not mean that an object does not exist.
STATUSES = (301, 400, 403, 405, 409, 412, 416, 429, 500, 503)
#: All examples of a test share one world: the package has to survive every one of them.
fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_notification_in_awss_documentation_is_synced(world: World) -> None:
    world.put(LIVE, name="pkg", version="1.0")
    assert handler.handle_s3_event(event("created_put"), None)["saved"] == ["pkg-1.0.tar.gz"]


def test_an_encoded_key_is_decoded(world: World) -> None:
    world.put("b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl", name="torch", version="1.0+cu118")
    saved = handler.handle_s3_event(event("created_encoded_key"), None)["saved"]
    assert saved == ["torch nightly-1.0+cu118-py3-none-any.whl"]


def test_s3s_test_event_is_answered_without_settings() -> None:
    assert handler.handle_s3_event(event("test_event"), None) == {"saved": [], "cleared": [], "ignored": []}


def test_every_record_is_tried_and_one_error_names_all_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = "x/worse-1.0.tar.gz"
    world.put(GOOD, name="good", version="1.0")
    fail_for(monkeypatch, BAD, worse, error=TimeoutError("S3 is slow"))
    with pytest.raises(SyncError) as caught:
        world.notify(BAD, GOOD, worse)
    assert set(caught.value.failures) == {BAD, worse}
    assert BAD in str(caught.value)
    assert "S3 is slow" in str(caught.value)
    assert "good-1.0.tar.gz" in world.rows(), "the record after the first failure was not tried"


def test_a_malformed_record_is_named_after_the_others_are_synced(world: World) -> None:
    world.put(LIVE, name="pkg", version="1.0")
    notification = event("created_put")
    notification["Records"].insert(0, {"s3": {}})
    with pytest.raises(SyncError, match=r"Records\[0\]"):
        handler.handle_s3_event(notification, None)
    assert "pkg-1.0.tar.gz" in world.rows()


def test_an_event_that_is_not_a_notification_is_refused(world: World) -> None:
    with pytest.raises(EventError):
        handler.handle_s3_event({"hello": "world"}, None)


def test_missing_settings_are_an_error_with_a_remedy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYPICLOUD_SETTINGS")
    with pytest.raises(SyncError, match="run ppc-s3sync enable") as caught:
        world.notify(GOOD)
    assert isinstance(caught.value.failures[GOOD], ConfigError)


def test_a_key_that_several_records_name_is_synced_once(world: World, calls: CallLog) -> None:
    world.put(GOOD, name="good", version="1.0")
    assert world.notify(GOOD, GOOD, GOOD)["saved"] == ["good-1.0.tar.gz"]
    assert calls.calls.count("HeadObject") == 2


class TestLog:
    def lines(self, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def test_it_has_a_line_of_json_for_each_record(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.put(GOOD, name="good", version="1.0")
        world.notify(GOOD, GOOD)
        for line in self.lines(capsys)[:2]:
            assert (line["event"], line["key"], line["action"]) == ("ObjectCreated:Put", GOOD, "saved")
            assert line["lag_ms"] >= 0
            assert line["duration_ms"] >= 0

    def test_it_has_metrics_after_the_lines(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        world.put(GOOD, name="good", version="1.0")
        world.notify(GOOD, "x/gone-1.0.tar.gz")
        _, _, counts, lags = self.lines(capsys)
        assert (counts["Saved"], counts["Cleared"], counts["Failed"]) == (1, 1, 0)
        assert len(lags["Lag"]) == 2

    def test_it_has_no_secret_and_neither_has_the_error(
        self, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        url = "redis://:s3cr%40t@cache:6379/0"
        variable = {**json.loads(os.environ["PYPICLOUD_SETTINGS"]), "db.url": url}
        monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(variable))
        fail_for(monkeypatch, error=RuntimeError(f"no answer from {url} with the password s3cr@t"))
        with pytest.raises(SyncError) as caught:
            world.notify(GOOD)
        for text in (str(caught.value), capsys.readouterr().out):
            assert "no answer from" in text
            assert "s3cr" not in text

    def test_a_cache_that_cannot_be_built_is_reported_without_its_password(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """urllib takes what is before the slash for the port, and quotes it."""
        settings = {**json.loads(os.environ["PYPICLOUD_SETTINGS"]), "pypi.db": "redis"}
        settings["db.url"] = "redis://app:s3cret-a/s3cret-b@cache:6379/0"
        monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(settings))
        syncer.cache_clear()
        with pytest.raises(S3SyncError, match="Port could not be cast") as caught:
            world.notify(GOOD)
        assert "s3cret" not in str(caught.value)

    def test_it_is_empty_if_there_are_no_records(self, capsys: pytest.CaptureFixture[str]) -> None:
        handler.handle_s3_event(event("test_event"), None)
        assert capsys.readouterr().out == ""


def queued(**bodies: Any) -> dict[str, Any]:
    """Return the event by which Lambda delivers SQS messages; ``bodies`` are their bodies by their id."""
    records = [
        {
            "messageId": message_id,
            "eventSource": "aws:sqs",
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        for message_id, body in bodies.items()
    ]
    return {"Records": records}


def test_the_answer_to_sqs_names_exactly_the_messages_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(GOOD, name="good", version="1.0")
    fail_for(monkeypatch, BAD, error=TimeoutError("S3 is slow"))
    answer = handler.handle_s3_event(
        queued(
            good=notification_of(GOOD),
            both=notification_of(GOOD, BAD),
            garbage="{",
            in_sns={"Type": "Notification", "Message": json.dumps(notification_of(BAD))},
            test={"Service": "Amazon S3", "Event": "s3:TestEvent"},
        ),
        None,
    )
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": name} for name in ("both", "garbage", "in_sns")]
    }
    assert "good-1.0.tar.gz" in world.rows()


def refusal(status: int) -> ClientError:
    response: Any = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "HeadObject")


ERRORS = [
    *map(refusal, STATUSES),
    *(ReadTimeoutError(endpoint_url="s3"), ConnectionClosedError(endpoint_url="s3"), TimeoutError("clock")),
]


def assert_live_after(world: World, *strange: Any) -> None:
    """Handle events; they may raise only this package's errors, and the existing package keeps its row."""
    for each in strange:
        with contextlib.suppress(S3SyncError):
            handler.handle_s3_event(each, None)
    assert LIVE.rpartition("/")[2] in world.rows(), strange


@pytest.mark.untraced
class TestExistingPackage:
    @pytest.fixture(autouse=True)
    def live(self, world: World) -> None:
        world.put(LIVE, name="pkg", version="1.0")
        world.notify(LIVE)

    @fuzzed
    @given(strange=any_json)
    def test_any_json_leaves_its_row(self, world: World, strange: Any) -> None:
        assert_live_after(world, strange)

    @fuzzed
    @given(data=st.data(), name=st.sampled_from(DOCUMENTED), times=st.integers(0, 4))
    def test_a_damaged_event_leaves_its_row(
        self, world: World, data: st.DataObject, name: str, times: int
    ) -> None:
        damaged = event(name)
        for _ in range(times):
            damaged = data.draw(mutated(damaged))
        assert_live_after(world, damaged)

    @fuzzed
    @given(raw=st.binary(min_size=1, max_size=60))
    def test_any_bytes_in_a_key_leave_its_row(self, world: World, raw: bytes) -> None:
        strange = event("removed_delete")
        for encoded in (quote_from_bytes(raw), f"{quote_from_bytes(raw)}/{LIVE.rpartition('/')[2]}"):
            strange["Records"][0]["s3"]["object"]["key"] = encoded
            assert_live_after(world, strange)

    @pytest.mark.parametrize("error", ERRORS, ids=repr)
    def test_an_error_of_s3_leaves_its_row(
        self, world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        # No event can add the row again, since reading the object fails.
        fail_for(monkeypatch, error=error)
        assert_live_after(world, *map(event, DOCUMENTED))

    @pytest.mark.parametrize("failure", [403, 503, ConnectionClosedError(endpoint_url="s3")], ids=str)
    def test_an_error_of_the_request_that_is_sent_beforehand_leaves_its_row(
        self, world: World, monkeypatch: pytest.MonkeyPatch, failure: int | Exception
    ) -> None:
        """The errors are those of the connection, below the client of the function."""
        heads: Any = not_none(syncer().reader.heads)
        begin = Mock(side_effect=heads.begin)

        def fail(**_: Any) -> AWSResponse:
            if isinstance(failure, Exception):
                raise failure
            return AWSResponse("", failure, HTTPHeaders(), Mock(stream=lambda **_: iter([b""])))

        # boto3 pauses between its attempts.
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
        monkeypatch.setattr(heads, "begin", begin)
        heads.client.meta.events.register_first("before-send.s3.HeadObject", fail)
        with pytest.raises(SyncError):
            world.notify(LIVE, name="ObjectRemoved:Delete")
        begin.assert_called_once()
        assert LIVE.rpartition("/")[2] in world.rows()
