import json
import logging

import pytest

from conftest import BUCKET, event
from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import ConfigError, EventError, SyncError

GOOD, BAD = "x/good-1.0.tar.gz", "x/bad-1.0.tar.gz"


def test_a_notification_as_aws_documents_it_is_synced(world):
    world.put("b1a2/pkg/pkg-1.0.tar.gz", name="pkg", version="1.0")
    assert handler.handle_s3_event(event("created_put"), None)["saved"] == ["pkg-1.0.tar.gz"]


def test_an_encoded_key_is_looked_up_decoded(world):
    world.put("b1a2/torch/torch nightly-1.0+cu118-py3-none-any.whl", name="torch", version="1.0+cu118")
    saved = handler.handle_s3_event(event("created_encoded_key"), None)["saved"]
    assert saved == ["torch nightly-1.0+cu118-py3-none-any.whl"]


def test_the_test_event_of_s3_is_no_error_and_needs_no_settings():
    assert handler.handle_s3_event(event("test_event"), None) == {"saved": [], "cleared": [], "ignored": []}


def test_every_record_is_tried_and_one_error_names_all_that_failed(world, monkeypatch):
    world.put(GOOD, name="good", version="1.0")
    syncer = handler._syncer()
    real = syncer.s3.head_object

    def head(Bucket, Key):
        if Key != GOOD:
            raise TimeoutError("S3 is slow")
        return real(Bucket=Bucket, Key=Key)

    monkeypatch.setattr(syncer.s3, "head_object", head)
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


def test_the_log_says_what_became_of_each_key(world, caplog):
    world.put(GOOD, name="good", version="1.0")
    with caplog.at_level(logging.INFO, "pypicloud_s3sync"):
        world.notify(GOOD)
    assert f"saved s3://{BUCKET}/{GOOD}" in caplog.text
