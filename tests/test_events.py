import copy
import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import EVENTS, event
from pypicloud_s3sync.events import Notification, Record, parse
from pypicloud_s3sync.exceptions import EventError

BUCKET = "amzn-s3-demo-bucket"
KEY = "b1a2/pkg/pkg-1.0.tar.gz"
ENCODED = "b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl"
MESSAGE = "059f36b4-87a3-44ab-83d2-661975810000"


def keys(notification):
    return [record.key for record in notification.records]


@pytest.mark.parametrize(
    "name",
    [
        "created_put",
        "created_copy",
        "created_multipart",
        "removed_delete",
        "removed_delete_marker",
        "lifecycle_expiration",
        "sns",
        "sqs",
        "sns_in_sqs",
    ],
)
def test_whatever_an_event_says_has_happened_it_names_a_key_to_look_at(name):
    parsed = parse(event(name))
    assert [(record.bucket, record.key) for record in parsed.records] == [(BUCKET, KEY)]
    assert parsed.malformed == ()


def test_a_record_tells_what_happened_and_when():
    (record,) = parse(event("sqs")).records
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert record == Record(BUCKET, KEY, "ObjectCreated:Put", epoch, MESSAGE)


def test_a_key_is_decoded_as_s3_encodes_it():
    assert keys(parse(event("created_encoded_key"))) == [ENCODED]


@pytest.mark.parametrize("name", ["eventbridge_created", "eventbridge_deleted", "eventbridge_in_sqs"])
def test_a_key_of_eventbridges_is_taken_as_it_is(name):
    """It is not encoded there: a plus is a plus."""
    (record,) = parse(event(name)).records
    assert record.key == ENCODED
    assert record.event.startswith("Object ")
    assert record.time == datetime.datetime(2021, 11, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize("name", ["sqs", "sns_in_sqs", "eventbridge_in_sqs"])
def test_what_came_through_sqs_carries_the_id_of_its_message(name):
    parsed = parse(event(name))
    assert parsed.queued
    assert [record.message_id for record in parsed.records] == [MESSAGE]


@pytest.mark.parametrize("name", ["created_put", "sns", "eventbridge_created"])
def test_what_did_not_come_through_sqs_is_not_queued(name):
    assert not parse(event(name)).queued


def test_the_keys_of_a_batch_are_named_in_order():
    assert keys(parse(event("batch")))[0] == KEY


@pytest.mark.parametrize("name", ["test_event", "test_event_in_sqs", "test_event_in_sns"])
def test_a_test_event_asks_for_nothing(name):
    parsed = parse(event(name))
    assert (parsed.records, parsed.malformed) == ((), ())


def test_one_bad_record_does_not_stop_the_others_and_is_named():
    batch = event("batch")
    del batch["Records"][1]["s3"]["object"]["key"]
    parsed = parse(batch)
    assert KEY in keys(parsed)
    assert [part.place for part in parsed.malformed] == ["Records[1]"]


@pytest.mark.parametrize("body", ["{", "[]", "null", None, "{}", '{"Records": [{}]}', "[" * 100_000])
def test_a_message_that_is_no_notification_is_named_by_its_id(body):
    queue = event("sqs")
    queue["Records"].append({**queue["Records"][0], "messageId": "bad", "body": body})
    parsed = parse(queue)
    assert keys(parsed) == [KEY]
    assert [part.message_id for part in parsed.malformed] == ["bad"]


@pytest.mark.parametrize("key", [None, 7, ["a"], "", "%ud800"])
def test_a_key_that_is_no_text_is_a_bad_record(key):
    one = event("created_put")
    one["Records"][0]["s3"]["object"]["key"] = key
    parsed = parse(one)
    assert [part.place for part in parsed.malformed] == ([] if key == "%ud800" else ["Records[0]"])


def test_a_time_that_is_none_is_no_error():
    one = event("created_put")
    one["Records"][0]["eventTime"] = "yesterday"
    assert parse(one).records[0].time is None


def test_envelopes_in_envelopes_end_somewhere():
    wrapped = event("created_put")
    for _ in range(9):
        wrapped = {"Records": [{"Sns": {"Message": json.dumps(wrapped)}}]}
    parsed = parse(wrapped)
    assert parsed.records == ()
    assert "wrapped more than" in str(parsed.malformed[0].error)


@pytest.mark.parametrize("strange", [{}, [], None, "text", 3, {"Records": {}}, {"Records": None}])
def test_what_is_no_notification_is_refused_in_words(strange):
    with pytest.raises(EventError, match="S3 notification"):
        parse(strange)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
WORDS = ["Records", "s3", "detail", "Sns", "Message", "body", "messageId", "bucket", "object", "name", "key"]
LIKE_EVENTS = st.recursive(
    JSON, lambda inner: st.dictionaries(st.sampled_from(WORDS), inner | st.lists(inner)), max_leaves=30
)


def check(strange):
    """Nothing but the project's own error, and only text where text is promised."""
    try:
        parsed = parse(strange)
    except EventError:
        return
    assert isinstance(parsed, Notification)
    for record in parsed.records:
        record.key.encode()
        assert record.key


@given(LIKE_EVENTS)
def test_arbitrary_json_raises_nothing_else(strange):
    check(strange)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_arbitrary_keys_raise_nothing_else(key):
    for name in ("created_put", "eventbridge_created"):
        one = event(name)
        holder = one["Records"][0]["s3"] if "Records" in one else one["detail"]
        holder["object"]["key"] = key
        check(one)


@given(st.data())
def test_mutated_events_raise_nothing_else(data):
    name = data.draw(st.sampled_from(sorted(path.stem for path in EVENTS.glob("*.json"))))
    mutant = copy.deepcopy(event(name))
    place = mutant
    while isinstance(place, dict | list) and place:
        step = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[step], dict | list):
            place[step] = data.draw(JSON)
            break
        place = place[step]
    check(mutant)
