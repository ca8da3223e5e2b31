from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from dynamo3 import DynamoDBError

from pypicloud_s3sync.caches.dynamo_repairs import create_request
from pypicloud_s3sync.exceptions import ConflictError
from support.moto_world import World
from support.service_models import client_model

TABLES = ("DynamoPackage", "PackageSummary")


def described(world: World) -> list[dict[str, Any]]:
    client = world.cache.engine.dynamo.client
    return [client.describe_table(TableName=name)["Table"] for name in TABLES]


def test_on_demand_tables_are_created_again_as_they_were(world: World) -> None:
    client = world.cache.engine.dynamo.client
    for name in TABLES:
        client.update_table(TableName=name, BillingMode="PAY_PER_REQUEST")
        arn = client.describe_table(TableName=name)["Table"]["TableArn"]
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "packages"}])
        client.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    world.cache.save(world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", path="x"))
    before = list(map(create_request, described(world)))
    world.cache.clear_all()
    assert list(map(create_request, described(world))) == before
    assert {request["BillingMode"] for request in before} == {"PAY_PER_REQUEST"}
    assert world.rows() == {}
    for table in described(world):
        assert client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        backups = client.describe_continuous_backups(TableName=table["TableName"])
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    world.cache.save(world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", path="x"))
    assert world.cache.all("pkg"), "the index of names is missing"


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "dynamodb:Query",
            "Resource": "*",
        }
    ],
}
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/packages"


@pytest.fixture(autouse=True)
def without_kinesis(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto knows no streams of tables into Kinesis."""
    Calls(world, monkeypatch).answer("describe_kinesis_streaming_destination", {})


class Calls:
    """Gives a client the answers that moto does not have, and keeps the calls that set something."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._client, self._patch = world.cache.engine.dynamo.client, monkeypatch

    def answer(self, operation: str, answer: Any) -> None:
        def call(**arguments: Any) -> Any:
            client_model("dynamodb").check_arguments(operation, arguments)
            self.sent.append((operation, arguments))
            if isinstance(answer, Exception):
                raise answer
            return answer

        self._patch.setattr(self._client, operation, call, raising=False)

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.sent if name == operation]


def refusal(code: str, operation: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, operation)


def test_the_time_to_live_and_the_policy_of_a_table_are_set_again(world: World) -> None:
    client = world.cache.engine.dynamo.client
    name = TABLES[0]
    client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    arn = client.describe_table(TableName=name)["Table"]["TableArn"]
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(POLICY))
    world.cache.clear_all()
    time_to_live = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    arn = client.describe_table(TableName=name)["Table"]["TableArn"]
    assert json.loads(client.get_resource_policy(ResourceArn=arn)["Policy"]) == POLICY
    other = client.describe_time_to_live(TableName=TABLES[1])["TimeToLiveDescription"]
    assert other["TimeToLiveStatus"] == "DISABLED"


def test_a_policy_that_forbids_its_own_change_can_be_set_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS refuses it without the confirmation that was given for the first one."""
    calls = Calls(world, monkeypatch)
    calls.answer("get_resource_policy", {"Policy": json.dumps(POLICY), "RevisionId": "1"})
    calls.answer("put_resource_policy", {"RevisionId": "2"})
    world.cache.clear_all()
    sent = calls.of("put_resource_policy")
    assert [call["ResourceArn"].rpartition("/")[2] for call in sent] == list(TABLES)
    assert {call["ConfirmRemoveSelfResourceAccess"] for call in sent} == {True}


def test_a_table_streams_into_kinesis_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(world, monkeypatch)
    active = {
        "StreamArn": STREAM,
        "DestinationStatus": "ACTIVE",
        "ApproximateCreationDateTimePrecision": "MICROSECOND",
    }
    disabled = {"StreamArn": f"{STREAM}-old", "DestinationStatus": "DISABLED"}
    answer = {"TableName": "x", "KinesisDataStreamDestinations": [active, disabled]}
    calls.answer("describe_kinesis_streaming_destination", answer)
    calls.answer("enable_kinesis_streaming_destination", {})
    world.cache.clear_all()
    assert calls.of("enable_kinesis_streaming_destination") == [
        {
            "TableName": name,
            "StreamArn": STREAM,
            "EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "MICROSECOND"},
        }
        for name in TABLES
    ]


def test_what_cannot_be_set_again_is_logged_as_it_was_and_the_packages_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Calls(world, monkeypatch)
    calls.answer("get_resource_policy", {"Policy": json.dumps(POLICY)})
    calls.answer("put_resource_policy", refusal("AccessDeniedException", "PutResourcePolicy"))
    world.cache.clear_all()
    world.cache.save(world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", path="x"))
    assert world.cache.all("pkg")
    lost = [record.getMessage() for record in caplog.records if "could not repeat" in record.getMessage()]
    assert len(lost) == 2
    assert "put_resource_policy" in lost[0]
    assert "dynamodb:Query" in lost[0]


def test_an_older_botocore_rebuilds_the_tables_and_says_what_it_may_lose(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(world.cache.engine.dynamo.client, "get_resource_policy", None)
    world.cache.clear_all()
    assert len(described(world)) == 2
    assert "get_resource_policy returns: this version of botocore does not know it" in caplog.text


def test_provisioned_tables_keep_their_throughput(world: World) -> None:
    client = world.cache.engine.dynamo.client
    client.update_table(
        TableName="DynamoPackage",
        ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 9},
    )
    before = list(map(create_request, described(world)))
    world.cache.clear_all()
    after = list(map(create_request, described(world)))
    assert after == before
    assert after[0]["ProvisionedThroughput"] == {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}


def test_a_protected_table_is_refused_before_the_other_one_is_deleted(world: World) -> None:
    world.cache.engine.dynamo.client.update_table(TableName="PackageSummary", DeletionProtectionEnabled=True)
    with pytest.raises(ConflictError, match="run ppc-s3sync reconcile"):
        world.cache.clear_all()
    assert len(described(world)) == 2


def test_a_caller_who_may_not_read_the_tags_can_still_rebuild(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def deny(**arguments: Any) -> None:
        response: Any = {"Error": {"Code": "AccessDeniedException"}}
        raise ClientError(response, "ListTagsOfResource")

    monkeypatch.setattr(world.cache.engine.dynamo.client, "list_tags_of_resource", deny)
    world.cache.clear_all()
    assert len(described(world)) == 2
    assert "may lose" in caplog.text


def test_the_request_has_the_key_the_stream_and_the_limits_of_the_table() -> None:
    """moto does not keep all of these."""
    schema = [{"AttributeName": "filename", "KeyType": "HASH"}]
    key = "arn:aws:kms:eu-west-1:111122223333:key/0d6f9b6e-1f9a-4f6b-8a39-6f1f4e4b2c11"
    limits = {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}
    index = {"IndexName": "name-index", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    attributes = [{"AttributeName": "filename", "AttributeType": "S"}]
    described = {
        "TableName": "DynamoPackage",
        "KeySchema": schema,
        "AttributeDefinitions": attributes,
        "TableStatus": "ACTIVE",
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "OnDemandThroughput": limits,
        "GlobalSecondaryIndexes": [{**index, "IndexStatus": "ACTIVE", "OnDemandThroughput": limits}],
        "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key},
        "StreamSpecification": stream,
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
    }
    request = create_request(described)
    assert request == {
        "TableName": "DynamoPackage",
        "KeySchema": schema,
        "AttributeDefinitions": attributes,
        "BillingMode": "PAY_PER_REQUEST",
        "OnDemandThroughput": limits,
        "GlobalSecondaryIndexes": [{**index, "OnDemandThroughput": limits}],
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        "StreamSpecification": stream,
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
    }
    client_model("dynamodb").check_arguments("create_table", request)


class TestSeveralWorkersStart:
    """None of them has seen a table, so each of them creates it."""

    @pytest.fixture(autouse=True)
    def stale_list(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world.cache.engine.dynamo, "list_tables", list)

    def test_a_worker_waits_until_the_table_of_another_one_is_active(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = world.cache.engine.dynamo.client
        describe, statuses = client.describe_table, ["CREATING", "ACTIVE"] * len(TABLES)

        def described(**arguments: Any) -> Any:
            table = describe(**arguments)["Table"]
            return {"Table": {**table, "TableStatus": statuses.pop(0)}}

        monkeypatch.setattr(client, "describe_table", described)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        world.cache.engine.create_schema()
        assert not statuses

    def test_any_other_refusal_is_an_error(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        Calls(world, monkeypatch).answer("create_table", refusal("LimitExceededException", "CreateTable"))
        with pytest.raises(DynamoDBError, match="LimitExceededException"):
            world.cache.engine.create_schema()
