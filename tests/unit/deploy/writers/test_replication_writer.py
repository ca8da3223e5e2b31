"""Adding this tool's rules to the bucket's replication and removing them, with foreign rules around them."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.writers.replication import ReplicationWriter
from pypicloud_s3sync.deploy.writers.retries import PROPAGATION_TIMEOUT
from pypicloud_s3sync.deploy.writers.versioning import VersioningWriter
from pypicloud_s3sync.exceptions import AwsError, ConflictError
from support.fakes import ACCOUNT, FakeCalls, FakeClients, FakeTime, refusal
from support.replication import AP, EU, US, ReplicatingS3, configuration, foreign, old, wanted

ROLE = f"arn:aws:iam::{ACCOUNT}:role/own"
GET, PUT, DELETE = "get_bucket_replication", "put_bucket_replication", "delete_bucket_replication"
OWN = {**wanted(EU), "Priority": 1}


class Bucket(FakeClients):
    """A fake bucket with a writer for its replication."""

    def __init__(self, s3: ReplicatingS3 | None = None, **answers: Any) -> None:
        self.s3 = s3 or ReplicatingS3()
        super().__init__({**self.s3.answers, **answers})
        self.time = FakeTime()
        calls = FakeCalls(time=self.time, clients=self)
        self.writer = ReplicationWriter(calls, US, ACCOUNT)
        self.versioning = VersioningWriter(calls, US, ACCOUNT)

    def put(self) -> None:
        self.writer.put([wanted(EU)], ROLE)


def test_a_rule_is_added_to_foreign_ones_and_verified() -> None:
    bucket = Bucket(ReplicatingS3(configuration(foreign(destination=AP))))
    bucket.put()
    assert bucket.s3.stored == configuration(foreign(destination=AP), OWN)
    assert bucket.operations == [GET, PUT, GET]
    assert bucket.arguments(PUT)["ExpectedBucketOwner"] == ACCOUNT


def test_nothing_is_written_if_nothing_differs() -> None:
    bucket = Bucket(ReplicatingS3(configuration(OWN)))
    bucket.put()
    bucket.writer.remove([AP])
    assert bucket.operations == [GET, GET]


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "NoSuchKey"])
def test_nothing_is_written_if_reading_fails(code: str) -> None:
    bucket = Bucket(get_bucket_replication=refusal(code))
    with pytest.raises(AwsError, match="s3:GetReplicationConfiguration"):
        bucket.put()
    with pytest.raises(AwsError):
        bucket.writer.remove([EU])
    assert {*bucket.operations} == {GET}


def test_a_write_waits_until_s3_sees_the_versioning_and_reads_again_before_each_attempt() -> None:
    bucket = Bucket(ReplicatingS3(configuration(foreign(destination=AP)), unversioned=3))
    bucket.put()
    assert bucket.operations == [GET, PUT, GET, PUT, GET, PUT, GET, PUT, GET]
    assert len(bucket.time.pauses) == 3


def test_what_others_change_between_two_attempts_is_kept() -> None:
    s3 = ReplicatingS3(configuration(foreign(destination=AP)), unversioned=1)
    bucket = Bucket(s3)
    refuse = bucket.answers[PUT]

    def change_and_refuse(**arguments: Any) -> Any:
        if s3.unversioned:
            s3.write(configuration(foreign("new", AP, Priority=1)))
        return refuse(**arguments)

    bucket.answers[PUT] = change_and_refuse
    bucket.put()
    assert s3.stored == configuration(foreign("new", AP, Priority=1), {**OWN, "Priority": 2})


def test_waiting_for_the_versioning_has_an_end() -> None:
    bucket = Bucket(ReplicatingS3(unversioned=10**6))
    with pytest.raises(AwsError, match="Destination bucket must have versioning enabled"):
        bucket.put()
    assert PROPAGATION_TIMEOUT < bucket.time.now < 2 * PROPAGATION_TIMEOUT


def test_a_foreign_rule_that_may_be_the_cause_of_a_refusal_is_named() -> None:
    bucket = Bucket(
        ReplicatingS3(configuration(foreign(destination="gone"))),
        put_bucket_replication=refusal("InvalidRequest", "Destination bucket must exist."),
    )
    with pytest.raises(AwsError) as caught:
        bucket.put()
    assert str(caught.value).endswith(
        "InvalidRequest: Destination bucket must exist.;"
        " if S3 means one of these foreign rules, correct or remove it: backup to gone"
    )
    assert bucket.operations == [GET, PUT]


def test_other_refusals_are_not_repeated() -> None:
    bucket = Bucket(put_bucket_replication=refusal("InvalidRequest", "Invalid role"))
    with pytest.raises(AwsError, match="Invalid role"):
        bucket.put()
    assert bucket.operations == [GET, PUT]


def test_a_read_that_shows_an_old_configuration_is_repeated_until_it_shows_the_new_one() -> None:
    bucket = Bucket(ReplicatingS3(late=3))
    bucket.put()
    assert bucket.operations == [GET, PUT, GET, GET, GET, GET]


def test_a_rule_that_another_program_removes_at_the_same_time_is_reported() -> None:
    s3 = ReplicatingS3()
    bucket = Bucket(s3, put_bucket_replication={})
    with pytest.raises(AwsError, match="was changed by another program at the same time: run again"):
        bucket.put()
    assert bucket.operations.count(PUT) == 1


def test_rules_of_the_first_version_that_appear_after_the_plan_are_refused() -> None:
    bucket = Bucket(ReplicatingS3(configuration(old(destination=AP))))
    with pytest.raises(ConflictError, match="first version"):
        bucket.put()
    assert bucket.operations == [GET]


def test_the_last_rule_takes_the_configuration_along() -> None:
    bucket = Bucket(ReplicatingS3(configuration(OWN, role=ROLE)))
    bucket.writer.remove([EU])
    assert bucket.s3.stored is None
    assert bucket.operations == [GET, DELETE, GET]
    bucket.writer.remove([EU])
    assert bucket.operations.count(DELETE) == 1


def test_foreign_rules_are_kept_when_the_own_rule_is_removed() -> None:
    bucket = Bucket(ReplicatingS3(configuration(foreign(destination=AP), OWN)))
    bucket.writer.remove([EU])
    assert bucket.s3.stored == configuration(foreign(destination=AP))
    assert DELETE not in bucket.operations


# Versioning


def test_versioning_is_turned_on_and_awaited() -> None:
    bucket = Bucket(get_bucket_versioning=[{}, {"Status": "Suspended"}, {"Status": "Enabled"}])
    bucket.versioning.enable()
    assert bucket.operations == ["put_bucket_versioning", *["get_bucket_versioning"] * 3]
    assert bucket.arguments("put_bucket_versioning") == {
        "Bucket": US,
        "VersioningConfiguration": {"Status": "Enabled"},
        "ExpectedBucketOwner": ACCOUNT,
    }


def test_versioning_that_s3_never_shows_is_reported() -> None:
    bucket = Bucket(get_bucket_versioning={})
    with pytest.raises(
        AwsError, match="does not show the versioning of the bucket packages-us yet: run again"
    ):
        bucket.versioning.enable()
