import pytest

from conftest import event
from pypicloud_s3sync.events import ObjectReference, parse
from pypicloud_s3sync.exceptions import EventError

BUCKET = "amzn-s3-demo-bucket"
KEY = "b1a2/pkg/pkg-1.0.tar.gz"


@pytest.mark.parametrize(
    "name",
    [
        "created_put",
        "created_copy",
        "created_multipart",
        "removed_delete",
        "removed_delete_marker",
        "lifecycle_expiration",
    ],
)
def test_whatever_an_event_says_has_happened_it_names_a_key_to_look_at(name):
    assert parse(event(name)).references == (ObjectReference(BUCKET, KEY),)


def test_a_key_is_decoded_as_s3_encodes_it():
    (reference,) = parse(event("created_encoded_key")).references
    assert reference.key == "b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl"


def test_the_keys_of_a_batch_are_each_named_once_in_order():
    assert [reference.key for reference in parse(event("batch")).references] == [
        KEY,
        "b1a2/pkg/pkg-2.0.tar.gz",
    ]


def test_a_test_event_asks_for_nothing():
    assert parse(event("test_event")).references == ()


def test_one_bad_record_does_not_stop_the_others_and_is_named():
    batch = event("batch")
    del batch["Records"][1]["s3"]["object"]["key"]
    parsed = parse(batch)
    assert [reference.key for reference in parsed.references] == [KEY]
    assert list(parsed.malformed) == ["Records[1]"]


@pytest.mark.parametrize("key", [None, 7, ["a"]])
def test_a_key_that_is_no_text_is_a_bad_record(key):
    one = event("created_put")
    one["Records"][0]["s3"]["object"]["key"] = key
    assert list(parse(one).malformed) == ["Records[0]"]


@pytest.mark.parametrize("strange", [{}, [], None, "text", 3, {"Records": {}}, {"Records": None}])
def test_what_is_no_notification_is_refused_in_words(strange):
    with pytest.raises(EventError, match="send S3 notifications"):
        parse(strange)
