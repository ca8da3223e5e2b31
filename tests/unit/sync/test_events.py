import datetime
import json
from urllib.parse import quote_from_bytes, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypicloud_s3sync.exceptions import EventError
from pypicloud_s3sync.sync.events import Record, parse
from support.strange import DOCUMENTED, any_json, any_text, mutated
from support.world import event

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
OF_EVENTBRIDGE = {
    "eventbridge_created": "Object Created",
    "eventbridge_deleted": "Object Deleted",
    "eventbridge_lifecycle_expiration": "Object Deleted",
    "eventbridge_restore_completed": "Object Restore Completed",
    "eventbridge_tags_added": "Object Tags Added",
}


def keys(parsed):
    return [record.key for record in parsed.records]


def places(parsed):
    return [(malformed.place, malformed.message_id) for malformed in parsed.malformed]


def notification(key):
    """A direct notification that says just this for a key."""
    one = event("created_put")
    one["Records"][0]["s3"]["object"]["key"] = key
    return one


def bridged(key):
    one = event("eventbridge_created")
    one["detail"]["object"]["key"] = key
    return one


def in_sns(inner):
    outer = event("sns")
    outer["Records"][0]["Sns"]["Message"] = inner if isinstance(inner, str) else json.dumps(inner)
    return outer


def in_sqs(*bodies):
    (template,) = event("sns_in_sqs")["Records"]
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {"Records": [{**template, "messageId": f"m{n}", "body": text} for n, text in enumerate(texts)]}


def in_sns_in_sqs(inner):
    wrapped = json.loads(event("sns_in_sqs")["Records"][0]["body"])
    wrapped["Message"] = json.dumps(inner)
    return in_sqs(wrapped)


ENVELOPES = [lambda inner: inner, in_sns, in_sqs, in_sns_in_sqs]
enveloped = pytest.mark.parametrize("envelope", ENVELOPES, ids=["bare", "sns", "sqs", "sns_in_sqs"])


@pytest.mark.parametrize("name", DIRECT)
def test_whatever_an_event_says_has_happened_it_names_a_key_to_look_at(name):
    parsed = parse(event(name))
    assert parsed.records == (Record(BUCKET, KEY, DIRECT[name], EPOCH, None),)
    assert not parsed.malformed


@pytest.mark.parametrize("name", OF_EVENTBRIDGE)
def test_whatever_eventbridge_says_has_happened_it_names_a_key_to_look_at(name):
    time = datetime.datetime(2021, 11, 12, tzinfo=datetime.UTC)
    parsed = parse(event(name))
    assert parsed.records == (Record(BUCKET, KEY, OF_EVENTBRIDGE[name], time, None),)
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
def test_an_envelope_of_sqs_and_no_other_is_answered_by_message(name, message_id):
    parsed = parse(event(name))
    assert [(record.key, record.message_id) for record in parsed.records] == [(KEY, message_id)]
    assert parsed.queued is (message_id is not None)
    assert not parsed.malformed


def test_each_record_of_a_queue_knows_its_message():
    records = parse(event("sqs")).records
    assert [(record.key, record.message_id) for record in records] == [
        (KEY, FIRST),
        (KEY, SECOND),
        (SECOND_KEY, SECOND),
        (KEY, SECOND),
    ]


def test_sns_may_deliver_raw():
    assert parse(in_sqs(event("created_put"))).records == parse(in_sns_in_sqs(event("created_put"))).records


@pytest.mark.parametrize("envelope", [in_sns, in_sqs, in_sns_in_sqs], ids=["sns", "sqs", "sns_in_sqs"])
@pytest.mark.parametrize("name", [*DIRECT, *OF_EVENTBRIDGE])
def test_no_envelope_changes_what_an_event_says(envelope, name):
    (bare,), (wrapped,) = parse(event(name)).records, parse(envelope(event(name))).records
    assert (wrapped.bucket, wrapped.key, wrapped.event) == (bare.bucket, bare.key, bare.event)
    assert wrapped.time == bare.time


@enveloped
def test_a_key_is_decoded_as_s3_encodes_it(envelope):
    assert keys(parse(envelope(event("created_encoded_key")))) == [
        "b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl"
    ]


@enveloped
@pytest.mark.parametrize("key", ["b1a2/torch/torch-1.0+cu118-py3-none-any.whl", "a%2Bb", "100%", "a b"])
def test_a_key_of_eventbridge_is_taken_as_it_is(envelope, key):
    assert keys(parse(envelope(bridged(key)))) == [key]


def test_the_keys_of_a_batch_are_named_in_order_and_as_often_as_it_names_them():
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
def test_a_test_event_asks_for_nothing_and_is_a_success(name, queued):
    parsed = parse(event(name))
    assert (parsed.records, parsed.malformed, parsed.queued) == ((), (), queued)


def test_an_empty_batch_asks_for_nothing():
    assert parse({"Records": []}) == parse(event("test_event"))


def test_one_bad_record_does_not_stop_the_others_and_is_named():
    batch = event("batch")
    del batch["Records"][1]["s3"]["object"]["key"]
    parsed = parse(batch)
    assert keys(parsed) == [KEY, KEY]
    assert places(parsed) == [("Records[1]", None)]


def test_one_bad_record_in_a_message_does_not_stop_the_others_and_is_named():
    batch = event("batch")
    batch["Records"][1] = None
    parsed = parse(in_sqs(event("created_put"), batch))
    assert [(record.key, record.message_id) for record in parsed.records] == [
        (KEY, "m0"),
        (KEY, "m1"),
        (KEY, "m1"),
    ]
    assert places(parsed) == [("Records[1].body.Records[1]", "m1")]


def test_a_bad_record_is_named_through_every_envelope():
    bad = notification("")
    assert places(parse(in_sns(bad))) == [("Records[0].Sns.Message.Records[0]", None)]
    assert places(parse(in_sns_in_sqs(bad))) == [("Records[0].body.Message.Records[0]", "m0")]
    assert places(parse(in_sqs(bridged("")))) == [("Records[0].body.detail", "m0")]
    assert places(parse(bridged(""))) == [("detail", None)]


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
def test_a_message_that_is_garbage_fails_alone(garbage):
    parsed = parse(in_sqs(garbage, event("created_put")))
    assert [(record.key, record.message_id) for record in parsed.records] == [(KEY, "m1")]
    assert places(parsed) == [("Records[0].body", "m0")]
    assert places(parse(in_sns(garbage))) == [("Records[0].Sns.Message", None)]


@pytest.mark.parametrize("body", [None, 7, {}, [], {"Records": []}])
def test_a_body_that_is_no_text_is_a_bad_message(body):
    queue = in_sqs("")
    queue["Records"][0]["body"] = body
    assert places(parse(queue)) == [("Records[0].body", "m0")]


def test_a_message_without_a_body_is_a_bad_message():
    queue = in_sqs("")
    del queue["Records"][0]["body"]
    assert places(parse(queue)) == [("Records[0].body", "m0")]


@pytest.mark.parametrize("message_id", [None, "", 7, ["a"], "\ud800"])
def test_a_message_that_no_answer_can_name_is_malformed_and_not_read(message_id):
    queue = in_sqs(event("created_put"), event("created_put"))
    queue["Records"][0]["messageId"] = message_id
    parsed = parse(queue)
    assert [record.message_id for record in parsed.records] == ["m1"]
    assert places(parsed) == [("Records[0]", None)]
    assert parsed.queued


@pytest.mark.parametrize("sns", [None, "text", {}, {"Message": None}, {"Message": {"Records": []}}])
def test_an_sns_record_without_a_message_is_bad(sns):
    assert places(parse({"Records": [{"EventSource": "aws:sns", "Sns": sns}]})) == [
        ("Records[0].Sns.Message", None)
    ]


@enveloped
@pytest.mark.parametrize("make", [notification, bridged])
@pytest.mark.parametrize("key", [None, 7, ["a"], {"a": "b"}, "", "pkg\ud800-1.0.tar.gz", "\udcff"])
def test_a_key_that_is_no_text_is_a_bad_record(envelope, make, key):
    parsed = parse(envelope(make(key)))
    assert not parsed.records
    assert len(parsed.malformed) == 1


@pytest.mark.parametrize("key", ["%ff", "%ED%A0%80", "pkg%C3"])
def test_a_key_that_decodes_to_no_text_is_a_bad_record(key):
    parsed = parse(notification(key))
    assert not parsed.records
    assert places(parsed) == [("Records[0]", None)]


@pytest.mark.parametrize("bucket", [None, 7, "", {}, "\ud800"])
def test_a_bucket_that_is_no_name_is_a_bad_record(bucket):
    one, other = event("created_put"), event("eventbridge_created")
    one["Records"][0]["s3"]["bucket"]["name"] = bucket
    other["detail"]["bucket"]["name"] = bucket
    assert places(parse(one)) == [("Records[0]", None)]
    assert places(parse(other)) == [("detail", None)]


def test_records_of_another_service_are_bad_records():
    other = {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {}}}
    parsed = parse({"Records": [other, *event("created_put")["Records"]]})
    assert keys(parsed) == [KEY]
    assert places(parsed) == [("Records[0]", None)]


@pytest.mark.parametrize(
    ("said", "time"),
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
def test_a_time_is_in_utc_or_unknown_and_never_an_error(said, time):
    one, other = event("created_put"), event("eventbridge_created")
    one["Records"][0]["eventTime"] = other["time"] = said
    for parsed in (parse(one), parse(other)):
        assert [(record.key, record.time) for record in parsed.records] == [(KEY, time)]
        assert time is None or parsed.records[0].time.tzinfo is datetime.UTC


@pytest.mark.parametrize("name", [None, 7, {}])
def test_what_has_happened_need_not_be_said(name):
    one, other = event("created_put"), event("eventbridge_created")
    one["Records"][0]["eventName"] = other["detail-type"] = name
    assert [record.event for record in parse(one).records + parse(other).records] == ["", ""]
    del one["Records"][0]["eventName"], one["Records"][0]["eventTime"], other["detail-type"], other["time"]
    assert [record.event for record in parse(one).records + parse(other).records] == ["", ""]


def test_a_message_within_messages_without_end_is_refused():
    nested = event("created_put")
    for _ in range(12):
        nested = {"Type": "Notification", "Message": json.dumps(nested)}
    parsed = parse(nested)
    assert not parsed.records
    (malformed,) = parsed.malformed
    assert "deeper" in str(malformed.error)


def test_only_what_lambda_hands_over_itself_is_a_queue():
    parsed = parse(in_sns(in_sqs(event("created_put"))))
    assert not parsed.queued
    assert places(parsed) == [("Records[0].Sns.Message.Records[0]", None)]


def test_a_list_of_which_an_answer_can_name_only_some_is_no_batch():
    mixed = {"Records": [*in_sqs(event("created_put"))["Records"], *event("created_put")["Records"]]}
    parsed = parse(mixed)
    assert [(record.key, record.message_id) for record in parsed.records] == [(KEY, "m0"), (KEY, None)]
    assert not parsed.queued


def test_no_error_repeats_what_it_was_sent():
    secret = "hunter2"  # as in a message that was never meant for this function
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
def test_what_is_no_notification_is_refused_in_words(strange):
    with pytest.raises(EventError, match="send S3 notifications"):
        parse(strange)


# Whatever comes: EventError, or values that can be relied upon.

fuzzed = settings(max_examples=400, deadline=None)


def relied_upon(strange):
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


@fuzzed
@given(any_json)
def test_any_json_is_read_or_refused(strange):
    relied_upon(strange)


@fuzzed
@given(st.data(), st.sampled_from(DOCUMENTED), st.integers(1, 4))
def test_a_damaged_event_is_read_or_refused(data, name, times):
    damaged = event(name)
    for _ in range(times):
        damaged = data.draw(mutated(damaged))
    relied_upon(damaged)


@fuzzed
@given(any_json)
def test_whatever_lies_beside_a_good_record_it_is_read(strange):
    good = event("created_put")["Records"]
    parsed = parse({"Records": [strange, *good]})
    relied_upon({"Records": [strange, *good]})
    assert parsed.records[-1].key == KEY


@fuzzed
@given(st.text(st.characters()))
def test_whatever_lies_beside_a_good_message_it_is_read(strange):
    parsed = parse(in_sqs(strange, event("created_put")))
    assert (parsed.records[-1].key, parsed.records[-1].message_id) == (KEY, "m1")


@fuzzed
@given(st.binary(min_size=1), st.sampled_from(ENVELOPES))
def test_a_key_of_any_bytes_is_the_text_it_encodes_or_malformed(raw, envelope):
    parsed = parse(envelope(notification(quote_from_bytes(raw))))
    try:
        assert keys(parsed) == [raw.decode()]
    except UnicodeDecodeError:
        assert (keys(parsed), len(parsed.malformed)) == ([], 1)


@fuzzed
@given(st.text(min_size=1), st.sampled_from(ENVELOPES))
def test_every_key_that_s3_can_hold_comes_through_every_envelope(key, envelope):
    assert keys(parse(envelope(notification(quote_plus(key, safe="/"))))) == [key]
    assert keys(parse(envelope(bridged(key)))) == [key]


@fuzzed
@given(any_text, st.sampled_from(ENVELOPES))
def test_a_key_that_s3_would_never_send_is_read_or_malformed(key, envelope):
    relied_upon(envelope(notification(key)))
    relied_upon(envelope(bridged(key)))
