"""An event is read in every envelope, and a bad part of it does not affect the others."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_s3sync.exceptions import EventError
from pypicloud_s3sync.sync.events import Notification, Record, parse
from support.characters import UTF_8
from support.invalid_events import DOCUMENTED, any_json, any_text, mutated
from support.moto_world import event

BUCKET = "amzn-s3-demo-bucket"
KEY = "b1a2/pkg/pkg-1.0.tar.gz"
SECOND_KEY = "b1a2/pkg/pkg-2.0.tar.gz"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
FIRST, SECOND = "059f36b4-87a3-44ab-83d2-661975830a7d", "2e1424d4-f796-459a-8184-9c92662be6da"

DIRECT = {
    "created_put": "ObjectCreated:Put",
    "created_copy": "ObjectCreated:Copy",
    "created_multipart": "ObjectCreated:CompleteMultipartUpload",
    "removed_delete": "ObjectRemoved:Delete",
    "removed_delete_marker": "ObjectRemoved:DeleteMarkerCreated",
    "lifecycle_expiration": "LifecycleExpiration:Delete",
    "lifecycle_transition": "LifecycleTransition",
    "restore_completed": "ObjectRestore:Completed",
    "tagging_put": "ObjectTagging:Put",
    "acl_put": "ObjectAcl:Put",
    "replication_failed": "Replication:OperationFailedReplication",
}
FROM_EVENTBRIDGE = {
    "eventbridge_created": "Object Created",
    "eventbridge_deleted": "Object Deleted",
    "eventbridge_lifecycle_expiration": "Object Deleted",
    "eventbridge_restore_completed": "Object Restore Completed",
    "eventbridge_tags_added": "Object Tags Added",
}


def keys(parsed: Notification) -> list[str]:
    return [record.key for record in parsed.records]


def places(parsed: Notification) -> list[tuple[str, str | None]]:
    return [(malformed.place, malformed.message_id) for malformed in parsed.malformed]


#: An event as JSON.
Event = dict[str, Any]


def notification(key: object) -> Event:
    """Return a direct notification with the encoded key as given."""
    document: Event = event("created_put")
    document["Records"][0]["s3"]["object"]["key"] = key
    return document


def eventbridge_event(key: object) -> Event:
    document: Event = event("eventbridge_created")
    document["detail"]["object"]["key"] = key
    return document


def in_sns(inner: object) -> Event:
    outer: Event = event("sns")
    outer["Records"][0]["Sns"]["Message"] = inner if isinstance(inner, str) else json.dumps(inner)
    return outer


def in_sqs(*bodies: object) -> Event:
    (template,) = event("sns_in_sqs")["Records"]
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {"Records": [{**template, "messageId": f"m{n}", "body": text} for n, text in enumerate(texts)]}


def in_sns_in_sqs(inner: object) -> Event:
    wrapped = json.loads(event("sns_in_sqs")["Records"][0]["body"])
    wrapped["Message"] = json.dumps(inner)
    return in_sqs(wrapped)


def bare(inner: Event) -> Event:
    return inner


#: Puts an event into a message.
Envelope = Callable[[Event], Event]
ENVELOPES: list[Envelope] = [bare, in_sns, in_sqs, in_sns_in_sqs]
enveloped = pytest.mark.parametrize("envelope", ENVELOPES, ids=["bare", "sns", "sqs", "sns_in_sqs"])


@pytest.mark.parametrize("name", DIRECT)
def test_an_event_of_any_kind_names_a_key_to_look_at(name: str) -> None:
    parsed = parse(event(name))
    assert parsed.records == (Record(BUCKET, KEY, DIRECT[name], EPOCH, None),)
    assert not parsed.malformed


@pytest.mark.parametrize("name", FROM_EVENTBRIDGE)
def test_an_eventbridge_event_of_any_kind_names_a_key_to_look_at(name: str) -> None:
    time = datetime.datetime(2021, 11, 12, tzinfo=datetime.UTC)
    parsed = parse(event(name))
    assert parsed.records == (Record(BUCKET, KEY, FROM_EVENTBRIDGE[name], time, None),)
    assert not parsed.malformed


@pytest.mark.parametrize(
    ("name", "message_id"),
    [
        ("created_put", None),
        ("sns", None),
        ("sns_in_sqs", FIRST),
        ("eventbridge_created", None),
        ("eventbridge_in_sqs", FIRST),
        ("sns_event_in_sqs", FIRST),
    ],
)
def test_only_sqs_is_answered_by_message(name: str, message_id: str | None) -> None:
    parsed = parse(event(name))
    assert [(record.key, record.message_id) for record in parsed.records] == [(KEY, message_id)]
    assert parsed.queued is (message_id is not None)
    assert not parsed.malformed


def test_each_record_from_a_queue_has_the_id_of_its_message() -> None:
    records = parse(event("sqs")).records
    assert [(record.key, record.message_id) for record in records] == [
        (KEY, FIRST),
        (KEY, SECOND),
        (SECOND_KEY, SECOND),
        (KEY, SECOND),
    ]


def test_sns_may_deliver_raw_messages() -> None:
    assert parse(in_sqs(event("created_put"))).records == parse(in_sns_in_sqs(event("created_put"))).records


@pytest.mark.parametrize("envelope", [in_sns, in_sqs, in_sns_in_sqs], ids=["sns", "sqs", "sns_in_sqs"])
@pytest.mark.parametrize("name", [*DIRECT, *FROM_EVENTBRIDGE])
def test_an_envelope_does_not_change_the_event(envelope: Envelope, name: str) -> None:
    (bare,), (wrapped,) = parse(event(name)).records, parse(envelope(event(name))).records
    assert (wrapped.bucket, wrapped.key, wrapped.event) == (bare.bucket, bare.key, bare.event)
    assert wrapped.time == bare.time


@enveloped
def test_a_key_from_s3_is_decoded(envelope: Envelope) -> None:
    assert keys(parse(envelope(event("created_encoded_key")))) == [
        "b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl"
    ]


@enveloped
@pytest.mark.parametrize("key", ["b1a2/torch/torch-1.0+cu118-py3-none-any.whl", "a%2Bb", "100%", "a b"])
def test_a_key_from_eventbridge_is_not_decoded(envelope: Envelope, key: str) -> None:
    assert keys(parse(envelope(eventbridge_event(key)))) == [key]


def test_the_records_keep_the_order_and_the_duplicates_of_a_batch() -> None:
    assert keys(parse(event("batch"))) == [KEY, SECOND_KEY, KEY]


@pytest.mark.parametrize(
    ("name", "queued"),
    [
        ("test_event", False),
        ("test_event_in_sns", False),
        ("test_event_in_sqs", True),
        ("test_event_in_sns_in_sqs", True),
    ],
)
def test_a_test_event_has_no_records_and_is_not_malformed(name: str, queued: bool) -> None:
    parsed = parse(event(name))
    assert (parsed.records, parsed.malformed, parsed.queued) == ((), (), queued)


def test_an_empty_batch_has_no_records() -> None:
    assert parse({"Records": []}) == parse(event("test_event"))


def test_a_bad_record_is_named_and_does_not_affect_the_others() -> None:
    batch = event("batch")
    del batch["Records"][1]["s3"]["object"]["key"]
    parsed = parse(batch)
    assert keys(parsed) == [KEY, KEY]
    assert places(parsed) == [("Records[1]", None)]


def test_a_bad_record_in_a_message_is_named_and_does_not_affect_the_others() -> None:
    batch = event("batch")
    batch["Records"][1] = None
    parsed = parse(in_sqs(event("created_put"), batch))
    assert [(record.key, record.message_id) for record in parsed.records] == [
        (KEY, "m0"),
        (KEY, "m1"),
        (KEY, "m1"),
    ]
    assert places(parsed) == [("Records[1].body.Records[1]", "m1")]


def test_a_bad_record_is_named_in_every_envelope() -> None:
    bad = notification("")
    assert places(parse(in_sns(bad))) == [("Records[0].Sns.Message.Records[0]", None)]
    assert places(parse(in_sns_in_sqs(bad))) == [("Records[0].body.Message.Records[0]", "m0")]
    assert places(parse(in_sqs(eventbridge_event("")))) == [("Records[0].body.detail", "m0")]
    assert places(parse(eventbridge_event(""))) == [("detail", None)]


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "text",
        "{",
        "null",
        "3",
        "[]",
        "{}",
        '{"Records": {}}',
        '{"source": "aws.ec2", "detail-type": "Object Created"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 10_000,
        "\ud800",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_an_invalid_message_does_not_affect_the_others(garbage: str) -> None:
    parsed = parse(in_sqs(garbage, event("created_put")))
    assert [(record.key, record.message_id) for record in parsed.records] == [(KEY, "m1")]
    assert places(parsed) == [("Records[0].body", "m0")]
    assert places(parse(in_sns(garbage))) == [("Records[0].Sns.Message", None)]


@pytest.mark.parametrize("body", [None, 7, {}, [], {"Records": []}])
def test_a_body_that_is_not_text_is_malformed(body: object) -> None:
    queue = in_sqs("")
    queue["Records"][0]["body"] = body
    assert places(parse(queue)) == [("Records[0].body", "m0")]


def test_a_message_without_a_body_is_malformed() -> None:
    queue = in_sqs("")
    del queue["Records"][0]["body"]
    assert places(parse(queue)) == [("Records[0].body", "m0")]


@pytest.mark.parametrize("message_id", [None, "", 7, ["a"], "\ud800"])
def test_a_message_without_a_usable_id_is_malformed_and_not_read(message_id: object) -> None:
    queue = in_sqs(event("created_put"), event("created_put"))
    queue["Records"][0]["messageId"] = message_id
    parsed = parse(queue)
    assert [record.message_id for record in parsed.records] == ["m1"]
    assert places(parsed) == [("Records[0]", None)]
    assert parsed.queued


@pytest.mark.parametrize("sns", [None, "text", {}, {"Message": None}, {"Message": {"Records": []}}])
def test_an_sns_record_without_a_message_is_malformed(sns: object) -> None:
    assert places(parse({"Records": [{"EventSource": "aws:sns", "Sns": sns}]})) == [
        ("Records[0].Sns.Message", None)
    ]


@enveloped
@pytest.mark.parametrize("make", [notification, eventbridge_event])
@pytest.mark.parametrize("key", [None, 7, ["a"], {"a": "b"}, "", "pkg\ud800-1.0.tar.gz", "\udcff"])
def test_a_key_that_is_not_text_is_malformed(
    envelope: Envelope, make: Callable[[object], Event], key: object
) -> None:
    parsed = parse(envelope(make(key)))
    assert not parsed.records
    assert len(parsed.malformed) == 1


@pytest.mark.parametrize("key", ["%ff", "%ED%A0%80", "pkg%C3"])
def test_a_key_that_is_not_utf_8_is_malformed(key: str) -> None:
    parsed = parse(notification(key))
    assert not parsed.records
    assert places(parsed) == [("Records[0]", None)]


@pytest.mark.parametrize("bucket", [None, 7, "", {}, "\ud800"])
def test_a_bucket_that_is_not_a_name_is_malformed(bucket: object) -> None:
    one, other = event("created_put"), event("eventbridge_created")
    one["Records"][0]["s3"]["bucket"]["name"] = bucket
    other["detail"]["bucket"]["name"] = bucket
    assert places(parse(one)) == [("Records[0]", None)]
    assert places(parse(other)) == [("detail", None)]


def test_records_of_another_service_are_malformed() -> None:
    other = {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {}}}
    parsed = parse({"Records": [other, *event("created_put")["Records"]]})
    assert keys(parsed) == [KEY]
    assert places(parsed) == [("Records[0]", None)]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2021-11-12T01:02:03.004Z", datetime.datetime(2021, 11, 12, 1, 2, 3, 4000, datetime.UTC)),
        ("2021-11-12T01:02:03+01:00", datetime.datetime(2021, 11, 12, 0, 2, 3, 0, datetime.UTC)),
        ("2021-11-12T01:02:03", datetime.datetime(2021, 11, 12, 1, 2, 3, 0, datetime.UTC)),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("\ud800", None),
        ("", None),
        (None, None),
        (1636678923, None),
        ([], None),
    ],
)
def test_a_time_is_in_utc_or_unknown_and_never_an_error(text: object, time: datetime.datetime | None) -> None:
    one, other = event("created_put"), event("eventbridge_created")
    one["Records"][0]["eventTime"] = other["time"] = text
    for parsed in (parse(one), parse(other)):
        assert [(record.key, record.time) for record in parsed.records] == [(KEY, time)]
        assert time is None or time.tzinfo is datetime.UTC


@pytest.mark.parametrize("name", [None, 7, {}])
def test_an_event_does_not_need_a_name_or_a_time(name: object) -> None:
    one, other = event("created_put"), event("eventbridge_created")
    one["Records"][0]["eventName"] = other["detail-type"] = name
    assert [record.event for record in parse(one).records + parse(other).records] == ["", ""]
    del one["Records"][0]["eventName"], one["Records"][0]["eventTime"], other["detail-type"], other["time"]
    assert [record.event for record in parse(one).records + parse(other).records] == ["", ""]


def test_a_message_that_is_nested_too_deeply_is_malformed() -> None:
    nested = event("created_put")
    for _ in range(12):
        nested = {"Type": "Notification", "Message": json.dumps(nested)}
    parsed = parse(nested)
    assert not parsed.records
    (malformed,) = parsed.malformed
    assert "deeper" in str(malformed.error)


def test_sqs_records_inside_another_message_are_malformed() -> None:
    parsed = parse(in_sns(in_sqs(event("created_put"))))
    assert not parsed.queued
    assert places(parsed) == [("Records[0].Sns.Message.Records[0]", None)]


def test_a_mixed_list_of_sqs_and_other_records_is_not_answered_by_message() -> None:
    mixed = {"Records": [*in_sqs(event("created_put"))["Records"], *event("created_put")["Records"]]}
    parsed = parse(mixed)
    assert [(record.key, record.message_id) for record in parsed.records] == [(KEY, "m0"), (KEY, None)]
    assert not parsed.queued


def test_no_error_repeats_the_content_of_a_message() -> None:
    secret = "hunter2"  # in a message that was sent to the wrong function
    for strange in (in_sqs(secret), in_sns(secret), in_sqs({"password": secret}), notification([secret])):
        (malformed,) = parse(strange).malformed
        assert secret not in str(malformed.error)


@pytest.mark.parametrize(
    "strange",
    [
        {},
        [],
        None,
        "text",
        3,
        {"Records": {}},
        {"Records": None},
        {"source": "aws.ec2", "detail-type": "Object Created", "detail": {}},
        {"Event": ["s3:TestEvent"]},
        {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"},
    ],
)
def test_an_event_that_is_not_a_notification_is_refused_with_what_to_do(strange: object) -> None:
    with pytest.raises(EventError, match="send S3 notifications"):
        parse(strange)


# Any input gives an EventError or a valid result.


def check(strange: object) -> None:
    """Check that an event is refused, or read into valid values."""
    try:
        parsed = parse(strange)
    except EventError:
        return
    for record in parsed.records:
        assert isinstance(record.bucket, str)
        assert record.bucket
        assert isinstance(record.key, str)
        assert record.key.encode()
        assert isinstance(record.event, str)
        assert record.time is None or record.time.tzinfo is datetime.UTC
        assert isinstance(record.message_id, str if parsed.queued else str | None)
    for malformed in parsed.malformed:
        assert malformed.place
        assert str(malformed.error).isprintable()


@given(any_json)
def test_any_json_is_read_or_refused(strange: object) -> None:
    check(strange)


@given(st.data(), st.sampled_from(DOCUMENTED), st.integers(1, 4))
def test_a_damaged_event_is_read_or_refused(data: st.DataObject, name: str, times: int) -> None:
    damaged = event(name)
    for _ in range(times):
        damaged = data.draw(mutated(damaged))
    check(damaged)


@given(any_json)
def test_a_good_record_is_read_next_to_any_other(strange: object) -> None:
    good = event("created_put")["Records"]
    parsed = parse({"Records": [strange, *good]})
    check({"Records": [strange, *good]})
    assert parsed.records[-1].key == KEY


@given(st.text(st.characters()))
def test_a_good_message_is_read_next_to_any_other(strange: str) -> None:
    parsed = parse(in_sqs(strange, event("created_put")))
    assert (parsed.records[-1].key, parsed.records[-1].message_id) == (KEY, "m1")


@given(st.binary(min_size=1), st.sampled_from(ENVELOPES))
def test_a_key_of_any_bytes_is_decoded_or_malformed(raw: bytes, envelope: Envelope) -> None:
    parsed = parse(envelope(notification(quote_from_bytes(raw))))
    try:
        assert keys(parsed) == [raw.decode()]
    except UnicodeDecodeError:
        assert (keys(parsed), len(parsed.malformed)) == ([], 1)


@given(st.text(UTF_8, min_size=1), st.sampled_from(ENVELOPES))
def test_every_possible_key_is_read_in_every_envelope(key: str, envelope: Envelope) -> None:
    assert keys(parse(envelope(notification(quote_plus(key, safe="/"))))) == [key]
    assert keys(parse(envelope(eventbridge_event(key)))) == [key]


@given(any_text, st.sampled_from(ENVELOPES))
def test_an_impossible_key_is_read_or_malformed(key: str, envelope: Envelope) -> None:
    check(envelope(notification(key)))
    check(envelope(eventbridge_event(key)))


@pytest.mark.parametrize(
    "name", ["on_failure", "on_failure_in_sqs", "on_failure_from_eventbridge", "dead_letter"]
)
def test_an_event_that_lambda_gave_up_on_is_read_as_it_was(name: str) -> None:
    (bare,), (again,) = parse(event("created_put")).records, parse(event(name)).records
    assert (again.bucket, again.key, again.event, again.time) == (
        bare.bucket,
        bare.key,
        bare.event,
        bare.time,
    )


@enveloped
def test_a_record_of_a_failure_is_read_in_any_envelope(envelope: Envelope) -> None:
    for payload in (event("created_put"), in_sns(event("created_put"))):
        assert keys(parse(envelope({**event("on_failure"), "requestPayload": payload}))) == [KEY]


def test_a_record_of_a_failure_without_a_notification_is_named() -> None:
    record = {**event("on_failure"), "requestPayload": {"ORDER_IDS": ["9e07af03"]}}
    assert places(parse(in_sqs(record))) == [("Records[0].body.requestPayload", "m0")]


def test_records_of_failures_that_are_nested_without_end_are_refused() -> None:
    record: Event = event("created_put")
    for _ in range(10):
        record = {**event("on_failure"), "requestPayload": record}
    assert len(parse(record).malformed) == 1
