import contextlib
import json
import os
from urllib.parse import quote_from_bytes

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import ConfigError, EventError, S3SyncError, SyncError
from pypicloud_s3sync.sync import environment, startup
from pypicloud_s3sync.sync.objects import MANY
from support.strange import DOCUMENTED, any_json, mutated
from support.world import event

GOOD, BAD = "x/good-1.0.tar.gz", "x/bad-1.0.tar.gz"
LIVE = "b1a2/pkg/pkg-1.0.tar.gz"
#: S3's answers that do not say that an object is absent.
STATUSES = (301, 400, 403, 405, 409, 412, 416, 429, 500, 503)
#: One world serves all the examples of a test: the package has to outlive every one of them.
fuzzed = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_a_notification_as_aws_documents_it_is_synced(world):
    world.put("b1a2/pkg/pkg-1.0.tar.gz", name="pkg", version="1.0")
    assert handler.handle_s3_event(event("created_put"), None)["saved"] == ["pkg-1.0.tar.gz"]


def test_an_encoded_key_is_looked_up_decoded(world):
    world.put("b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl", name="torch", version="1.0+cu118")
    saved = handler.handle_s3_event(event("created_encoded_key"), None)["saved"]
    assert saved == ["torch nightly-1.0+cu118-py3-none-any.whl"]


def test_the_test_event_of_s3_is_no_error_and_needs_no_settings():
    assert handler.handle_s3_event(event("test_event"), None) == {"saved": [], "cleared": [], "ignored": []}


def test_of_a_batch_boto3_is_asked_for_one_object_and_shows_how_the_others_are_to_be(world, calls):
    keys = [f"x/batch-{number}.0.tar.gz" for number in range(MANY)]
    for key in keys:
        world.put(key, name="batch", version=key.removesuffix(".tar.gz").rpartition("-")[2])
    assert len(world.notify(*keys)["saved"]) == MANY
    assert calls.calls.count("HeadObject") == 1
    for key in keys:
        world.delete(key)
    assert len(world.notify(*keys, name="ObjectRemoved:Delete")["cleared"]) == MANY
    assert calls.calls.count("HeadObject") == 1
    assert world.rows() == {}


def test_a_few_keys_are_asked_of_boto3_alone(world, calls):
    keys = [f"x/batch-{number}.0.tar.gz" for number in range(MANY - 1)]
    world.notify(*keys)
    assert calls.calls.count("HeadObject") == len(keys)


def test_every_record_is_tried_and_one_error_names_all_that_failed(world, monkeypatch):
    world.put(GOOD, name="good", version="1.0")
    syncer = startup.syncer()
    real = syncer.reader.s3.head_object

    def head(Bucket, Key):
        if Key != GOOD:
            raise TimeoutError("S3 is slow")
        return real(Bucket=Bucket, Key=Key)

    monkeypatch.setattr(syncer.reader.s3, "head_object", head)
    with pytest.raises(SyncError) as caught:
        world.notify(BAD, GOOD, "x/worse-1.0.tar.gz")
    assert set(caught.value.failures) == {BAD, "x/worse-1.0.tar.gz"}
    assert BAD in str(caught.value)
    assert "S3 is slow" in str(caught.value)
    assert "good-1.0.tar.gz" in world.rows(), "a record after a bad one was not tried"


def test_a_malformed_record_is_named_after_the_others_are_synced(world):
    world.put("b1a2/pkg/pkg-1.0.tar.gz", name="pkg", version="1.0")
    mixed = event("created_put")
    mixed["Records"].insert(0, {"s3": {}})
    with pytest.raises(SyncError, match=r"Records\[0\]"):
        handler.handle_s3_event(mixed, None)
    assert "pkg-1.0.tar.gz" in world.rows()


def test_what_is_no_notification_is_refused(world):
    with pytest.raises(EventError):
        handler.handle_s3_event({"hello": "world"}, None)


def test_the_cache_and_the_clients_are_built_once_in_a_process(world, monkeypatch):
    world.put(GOOD, name="good", version="1.0")
    world.notify(GOOD)
    monkeypatch.setattr("boto3.client", lambda *args, **kwargs: pytest.fail("a second client was made"))
    world.notify(GOOD)


def test_ppc_variables_override_the_settings(world, monkeypatch):
    monkeypatch.setenv("PPC_STORAGE_BUCKET", "another")
    world.put(GOOD, name="good", version="1.0")
    assert world.notify(GOOD)["ignored"] == [GOOD]


def test_a_function_built_by_hand_needs_no_bucket_in_its_settings(world, monkeypatch):
    """pypicloud's documentation only gives it pypi.db and db.*."""
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(world.settings))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    world.put(GOOD, name="good", version="1.0")
    assert world.notify(GOOD)["saved"] == ["good-1.0.tar.gz"]


@pytest.mark.parametrize("text", [None, "not json", "[]"])
def test_missing_or_broken_settings_say_how_to_get_some(world, monkeypatch, text):
    if text is None:
        monkeypatch.delenv("PYPICLOUD_SETTINGS")
    else:
        monkeypatch.setenv("PYPICLOUD_SETTINGS", text)
    with pytest.raises(ConfigError, match="run ppc-s3sync enable"):
        world.notify(GOOD)


def said(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_log_says_what_became_of_each_key_in_lines_of_json(world, capsys):
    world.put(GOOD, name="good", version="1.0")
    world.notify(GOOD)
    line = said(capsys)[0]
    assert (line["event"], line["key"], line["action"]) == ("ObjectCreated:Put", GOOD, "saved")
    assert line["lag_ms"] >= 0
    assert line["duration_ms"] >= 0


def test_the_metrics_are_in_cloudwatchs_embedded_format(world, capsys):
    world.put(GOOD, name="good", version="1.0")
    world.notify(GOOD, "x/gone-1.0.tar.gz")
    _, _, counts, lags = said(capsys)
    assert (counts["Saved"], counts["Cleared"], counts["Failed"]) == (1, 1, 0)
    assert len(lags["Lag"]) == 2
    for document in (counts, lags):
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert {metric["Name"] for metric in directive["Metrics"]} <= document.keys()


def queued(**bodies):
    """An SQS event of messages by their id, as Lambda hands it over."""
    records = [
        {
            "messageId": name,
            "eventSource": "aws:sqs",
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        for name, body in bodies.items()
    ]
    return {"Records": records}


def notification_of(*keys):
    made = event("created_put")
    template = made["Records"][0]
    made["Records"] = []
    for key in keys:
        record = json.loads(json.dumps(template))
        record["s3"]["object"]["key"] = key
        made["Records"].append(record)
    return made


def test_sqs_hears_of_exactly_the_messages_that_failed(world, monkeypatch):
    world.put(GOOD, name="good", version="1.0")
    syncer = startup.syncer()
    real = syncer.reader.s3.head_object

    def head(Bucket, Key):
        if Key == BAD:
            raise TimeoutError("S3 is slow")
        return real(Bucket=Bucket, Key=Key)

    monkeypatch.setattr(syncer.reader.s3, "head_object", head)
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


def test_records_of_one_key_are_looked_at_once(world, calls):
    world.put(GOOD, name="good", version="1.0")
    assert world.notify(GOOD, GOOD, GOOD)["saved"] == ["good-1.0.tar.gz"]
    assert calls.calls.count("HeadObject") == 2


def test_no_secret_of_the_database_is_in_a_line_or_an_error(world, monkeypatch, capsys):
    settings = {**json.loads(os.environ["PYPICLOUD_SETTINGS"]), "db.url": "redis://:s3cr%40t@cache:6379/0"}
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(settings))

    def fail(**kwargs):
        raise RuntimeError("no answer from redis://:s3cr%40t@cache:6379/0, which wanted s3cr@t")

    monkeypatch.setattr(startup.syncer().reader.s3, "head_object", fail)
    with pytest.raises(SyncError) as caught:
        world.notify(GOOD)
    text = str(caught.value) + capsys.readouterr().out
    assert "s3cr" not in text
    assert "no answer from" in text


UNKNOWN = [
    *(ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": n}}, "HeadObject") for n in STATUSES),
    *(ReadTimeoutError(endpoint_url="s3"), ConnectionClosedError(endpoint_url="s3"), TimeoutError("clock")),
]


def keeps(world, strange):
    """No error but the project's own, and the package that is in the bucket keeps its row."""
    with contextlib.suppress(S3SyncError):
        handler.handle_s3_event(strange, None)
    assert LIVE.rpartition("/")[2] in world.rows(), strange


class TestFuzz:
    @pytest.fixture
    def live(self, world):
        world.put(LIVE, name="pkg", version="1.0")
        world.notify(LIVE)
        return world

    @fuzzed
    @given(any_json)
    def test_no_json_loses_a_live_package(self, live, strange):
        keeps(live, strange)

    @fuzzed
    @given(st.data(), st.sampled_from(DOCUMENTED), st.integers(0, 4))
    def test_no_damaged_event_loses_a_live_package(self, live, data, name, times):
        damaged = event(name)
        for _ in range(times):
            damaged = data.draw(mutated(damaged))
        keeps(live, damaged)

    @fuzzed
    @given(st.binary(min_size=1, max_size=60))
    def test_no_bytes_in_a_key_lose_a_live_package(self, live, raw):
        strange = event("removed_delete")
        for encoded in (quote_from_bytes(raw), f"{quote_from_bytes(raw)}/{LIVE.rpartition('/')[2]}"):
            strange["Records"][0]["s3"]["object"]["key"] = encoded
            keeps(live, strange)

    @pytest.mark.parametrize("error", UNKNOWN, ids=repr)
    def test_no_answer_but_404_loses_a_live_package(self, live, monkeypatch, error):
        def unknown(**request):
            raise error

        monkeypatch.setattr(startup.syncer().reader.s3, "head_object", unknown)
        for name in DOCUMENTED:
            keeps(live, event(name))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:6379/0", "redis://h:6379/0?socket_connect_timeout=5&socket_timeout=10"),
        (
            "rediss://h/0?ssl_cert_reqs=none",
            "rediss://h/0?ssl_cert_reqs=none&socket_connect_timeout=5&socket_timeout=10",
        ),
        ("redis://h/0?socket_timeout=2", "redis://h/0?socket_timeout=2&socket_connect_timeout=5"),
        ("postgresql://u:p@h/d", "postgresql://u:p@h/d?connect_timeout=5"),
        ("postgresql+psycopg2://h/d?connect_timeout=1", "postgresql+psycopg2://h/d?connect_timeout=1"),
        ("postgresql+pg8000://h/d", "postgresql+pg8000://h/d"),
        ("mysql+pymysql://h/d", "mysql+pymysql://h/d"),
    ],
)
def test_a_driver_that_would_wait_for_ever_is_told_how_long(url, expected):
    assert environment.with_timeouts(url) == expected
