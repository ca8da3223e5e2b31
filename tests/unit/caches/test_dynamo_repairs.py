from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

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
