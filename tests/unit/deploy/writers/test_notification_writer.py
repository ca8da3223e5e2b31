"""Adding this tool's entry to the bucket's notifications and removing it, with foreign entries around it."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.writers.notifications import NotificationWriter
from pypicloud_s3sync.deploy.writers.retries import PROPAGATION_INTERVAL
from pypicloud_s3sync.exceptions import AwsError, ConflictError
from support.fakes import ACCOUNT, BUCKET, FakeCalls, FakeTime, make_desired, not_none, refusal
from support.notifications import GET, PUT, FakeBucket

DESIRED = make_desired()
OWN = dict(not_none(DESIRED.subscription.entry))
FOREIGN: dict[str, Any] = {
    "QueueConfigurations": [{"Id": "q", "QueueArn": "arn:q", "Events": ["s3:ObjectTagging:*"]}],
    "EventBridgeConfiguration": {},
}
WITH_OWN = {**FOREIGN, "LambdaFunctionConfigurations": [OWN]}


class Bucket(FakeBucket):
    """A fake bucket with a writer for its notifications."""

    def writer(self, time: FakeTime | None = None) -> NotificationWriter:
        return NotificationWriter(FakeCalls(time=time, clients=self), BUCKET, ACCOUNT)

    def put(self, time: FakeTime | None = None) -> None:
        self.writer(time).put(DESIRED.owner, DESIRED.subscription)

    def remove(self) -> None:
        self.writer().remove(DESIRED.owner)


def test_the_entry_is_added_to_foreign_ones_and_verified() -> None:
    bucket = Bucket(FOREIGN)
    bucket.put()
    assert bucket.configuration == WITH_OWN
    assert bucket.operations == [GET, PUT, GET]


def test_only_the_own_entry_is_removed() -> None:
    bucket = Bucket(WITH_OWN)
    bucket.remove()
    assert bucket.configuration == FOREIGN


def test_a_write_requires_the_expected_owner_of_the_bucket() -> None:
    bucket = Bucket(FOREIGN)
    bucket.put()
    assert bucket.arguments(PUT)["ExpectedBucketOwner"] == ACCOUNT


@pytest.mark.parametrize(
    "own",
    [
        OWN,
        {**OWN, "Events": list(reversed(OWN["Events"]))},
        {**OWN, "Filter": {"Key": {"FilterRules": []}}},
    ],
    ids=["equal", "another order", "an empty filter"],
)
def test_an_equivalent_configuration_is_not_written(own: dict[str, Any]) -> None:
    bucket = Bucket({**FOREIGN, "LambdaFunctionConfigurations": [own]})
    bucket.put()
    assert bucket.operations == [GET]


def test_removing_a_missing_entry_writes_nothing() -> None:
    bucket = Bucket(FOREIGN)
    bucket.remove()
    assert bucket.operations == [GET]


def test_a_foreign_entry_added_after_planning_is_kept() -> None:
    bucket = Bucket({})
    writer = bucket.writer()
    bucket.configuration = FOREIGN
    writer.put(DESIRED.owner, DESIRED.subscription)
    assert bucket.configuration == WITH_OWN


def test_unreadable_notifications_are_never_written() -> None:
    bucket = Bucket(FOREIGN, {GET: refusal("AccessDenied")})
    for change in (bucket.put, bucket.remove):
        with pytest.raises(AwsError, match="AccessDenied for s3:GetBucketNotification"):
            change()
    assert PUT not in bucket.operations


def test_adding_the_entry_is_retried_until_the_permission_has_propagated() -> None:
    time = FakeTime()
    error = refusal("InvalidArgument", "Unable to validate the following destination configurations")
    bucket = Bucket(FOREIGN)
    bucket.answers[PUT] = [error, error, bucket.write]
    bucket.put(time)
    assert bucket.configuration == WITH_OWN
    assert time.pauses == [PROPAGATION_INTERVAL] * 2


def invalid(*destinations: str) -> Exception:
    """Return S3's error for destinations that it may not use, as its XML names them."""
    error = refusal("InvalidArgument", "Unable to validate the following destination configurations")
    details: Any = error.response["Error"]
    for index, arn in enumerate(destinations, 1):
        details[f"ArgumentName{index}"] = f"{arn}, null"
        details[f"ArgumentValue{index}"] = f"Not authorized to invoke function [{arn}]"
    return error


def test_an_entry_that_is_added_while_the_write_is_retried_is_kept() -> None:
    added = [{"Id": "t", "TopicArn": "arn:t", "Events": ["s3:Replication:*"]}]
    bucket = Bucket(FOREIGN)

    def refuse(**arguments: Any) -> dict[str, Any]:
        bucket.configuration = {**FOREIGN, "TopicConfigurations": added}
        bucket.answers[PUT] = bucket.write
        raise invalid(DESIRED.function.arn)

    bucket.answers[PUT] = refuse
    bucket.put()
    assert bucket.configuration == {**WITH_OWN, "TopicConfigurations": added}


def test_a_foreign_destination_that_s3_cannot_use_is_named_immediately() -> None:
    time = FakeTime()
    bucket = Bucket(FOREIGN, {PUT: invalid("arn:q")})
    with pytest.raises(ConflictError, match=r"foreign entry: arn:q \(Not authorized .*; correct or remove"):
        bucket.put(time)
    assert time.pauses == []


@pytest.mark.parametrize("suffix", ["-old", "2", "_x"])
def test_a_foreign_destination_whose_name_begins_like_the_own_one_is_named_immediately(suffix: str) -> None:
    time, other = FakeTime(), f"{DESIRED.function.arn}{suffix}"
    entry = {"Id": "f", "LambdaFunctionArn": other, "Events": ["s3:ObjectTagging:*"]}
    bucket = Bucket({"LambdaFunctionConfigurations": [entry]}, {PUT: invalid(other)})
    with pytest.raises(ConflictError, match=rf"foreign entry: {other} \("):
        bucket.put(time)
    assert time.pauses == []


def test_a_write_is_retried_if_s3_cannot_use_the_own_destination_either() -> None:
    time = FakeTime()
    error = invalid("arn:q", DESIRED.function.arn)
    bucket = Bucket(FOREIGN)
    bucket.answers[PUT] = [error, bucket.write]
    bucket.put(time)
    assert time.pauses == [PROPAGATION_INTERVAL]


def test_the_old_configuration_is_read_for_some_time_after_the_write() -> None:
    """Bucket configurations are eventually consistent."""
    time = FakeTime()
    bucket = Bucket(FOREIGN)
    bucket.answers[GET] = [FOREIGN, FOREIGN, FOREIGN, bucket.read]
    bucket.put(time)
    assert bucket.operations == [GET, PUT, GET, GET, GET]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidArgument"])
def test_any_other_error_of_a_write_is_raised_immediately(code: str) -> None:
    time = FakeTime()
    bucket = Bucket(FOREIGN, {PUT: refusal(code, "Configurations overlap.")})
    with pytest.raises(AwsError, match=r"s3:PutBucketNotification on the bucket.*Configurations overlap"):
        bucket.put(time)
    assert time.pauses == []
    assert bucket.operations == [GET, PUT]


@pytest.mark.parametrize("operation", ["put", "remove"])
def test_a_concurrent_write_that_reverts_the_change_is_an_error(operation: str) -> None:
    bucket = Bucket(FOREIGN if operation == "put" else WITH_OWN, {PUT: {}})
    with pytest.raises(AwsError, match="were changed by another program at the same time: run again"):
        getattr(bucket, operation)()


def test_a_foreign_entry_added_at_the_same_time_is_no_error() -> None:
    bucket = Bucket(FOREIGN)

    def write(NotificationConfiguration: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        added = [{"Id": "t", "TopicArn": "arn:t", "Events": ["s3:Replication:*"]}]
        bucket.configuration = {**NotificationConfiguration, "TopicConfigurations": added}
        return {}

    bucket.answers[PUT] = write
    bucket.put()
    assert bucket.configuration["LambdaFunctionConfigurations"] == [OWN]


def test_the_entry_is_removed_without_validating_foreign_destinations() -> None:
    """S3 validates every destination on each write, and a foreign one may be broken."""
    bucket = Bucket(WITH_OWN)
    bucket.remove()
    assert bucket.arguments(PUT)["SkipDestinationValidation"] is True


def test_the_destination_is_validated_when_the_entry_is_added() -> None:
    bucket = Bucket(FOREIGN)
    bucket.put()
    assert bucket.arguments(PUT).get("SkipDestinationValidation", False) is False
