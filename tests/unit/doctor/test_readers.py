"""The reads of an examination: each calls AWS as botocore's models allow, and understands its answers."""

from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.policy import role_policy
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.doctor import readers
from pypicloud_s3sync.doctor.models import BucketFacts, Decision, Destination, Probe, Sample
from pypicloud_s3sync.exceptions import AwsError
from pypicloud_s3sync.sync import events
from support.examinations import OTHER, ROLE, rule
from support.fakes import BUCKET, IDENTITY, REGION, FakeClients, make_desired, make_settings, refusal

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def test_a_bucket_of_another_account_is_foreign() -> None:
    calls = Calls(FakeClients({"head_bucket": {"BucketRegion": "eu-north-1"}}))
    assert readers.read_bucket(calls, BUCKET, REGION) == BucketFacts("eu-north-1", is_foreign=True)
    missing = Calls(FakeClients({"head_bucket": refusal("404", status=404)}))
    assert readers.read_bucket(missing, BUCKET, REGION) == BucketFacts(None)


def test_the_other_bucket_is_read_with_its_own_rules() -> None:
    answers: dict[str, Any] = {
        "get_bucket_versioning": {"Status": "Enabled"},
        "get_bucket_replication": {"ReplicationConfiguration": {"Role": ROLE, "Rules": [rule(BUCKET)]}},
    }
    found = readers.read_destination(Calls(FakeClients(answers)), OTHER)
    assert (found.exists, found.versioning) == (True, "Enabled")
    assert found.replication is not None
    assert found.replication.destinations("") == (BUCKET,)
    answers["get_bucket_replication"] = refusal("ReplicationConfigurationNotFoundError", status=404)
    assert readers.read_destination(Calls(FakeClients(answers)), OTHER).replication is None
    missing = Calls(FakeClients({"head_bucket": refusal("404", status=404)}))
    assert readers.read_destination(missing, OTHER) == Destination(exists=False)


def test_the_newest_and_the_oldest_files_are_sampled() -> None:
    listed = [
        {"Key": f"a/x-{day}.tar.gz", "LastModified": NOW + datetime.timedelta(days=day)} for day in range(20)
    ]

    def head(Bucket: str, Key: str) -> dict[str, Any]:
        if Key == "a/x-0.tar.gz":
            raise refusal("404", status=404)
        return {"LastModified": NOW, "ReplicationStatus": "FAILED", "ServerSideEncryption": "aws:kms"}

    answers = {"list_objects_v2": {"Contents": [*listed, {**listed[0], "Key": "a/"}]}, "head_object": head}
    samples = readers.read_samples(Calls(FakeClients(answers)), BUCKET, "a/")
    assert [sample.key for sample in samples] == [f"a/x-{day}.tar.gz" for day in (1, 2, 3, 16, 17, 18, 19)]
    assert samples[0] == Sample("a/x-1.tar.gz", NOW, "FAILED", "aws:kms")
    assert readers.read_samples(Calls(FakeClients({})), BUCKET, "") == []


def test_every_right_of_the_function_is_simulated_on_an_exact_resource() -> None:
    settings = make_settings(storage__prefix="a*b/")
    policy = role_policy(settings, IDENTITY, REGION, make_desired().names, ("arn:aws:kms:eu-west-1:1:key/k",))
    asked: list[tuple[str, str]] = []

    def answer(PolicySourceArn: str, ActionNames: list[str], ResourceArns: list[str]) -> dict[str, Any]:
        assert PolicySourceArn == ROLE
        asked.extend((action, arn) for action in ActionNames for arn in ResourceArns)
        denies = "s3:ListBucket" in ActionNames
        decision = "implicitDeny" if denies else "allowed"
        by_resource = [
            {"EvalResourceName": arn, "EvalResourceDecision": decision, "MissingContextValues": []}
            for arn in ResourceArns
        ]
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalDecision": decision,
                    "EvalResourceName": ResourceArns[0],
                    **({} if denies else {"ResourceSpecificResults": by_resource}),
                }
                for action in ActionNames
            ]
        }

    calls = Calls(FakeClients({"simulate_principal_policy": answer}))
    decisions = readers.simulate(calls, ROLE, policy)
    assert ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/a*b/pypicloud-s3sync-doctor") in asked
    assert not any(action.startswith("kms:") for action, _ in asked), "its condition compares the service"
    assert all("$" not in arn for _, arn in asked)
    refused = [decision for decision in decisions if not decision.is_allowed]
    assert refused == [Decision("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", "implicitDeny")]
    assert len(decisions) == len(asked)


def test_the_tables_that_scale_are_named() -> None:
    target = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/DynamoPackage",
        "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
    }
    clients = FakeClients({"describe_scalable_targets": {"ScalableTargets": [target]}})
    found = readers.read_scaled(Calls(clients), ["DynamoPackage", "PackageSummary"])
    assert found == {"DynamoPackage"}
    arguments = clients.arguments("describe_scalable_targets")
    assert arguments["ResourceIds"] == ["table/DynamoPackage", "table/PackageSummary"]


def invoked(**answer: Any) -> FakeClients:
    return FakeClients({"invoke": {"StatusCode": 200, **answer}})


def test_the_function_is_asked_about_a_file_that_does_not_exist() -> None:
    clients = invoked()
    settings = make_settings(storage__prefix="a b/")
    assert isinstance(readers.ask_function(clients, settings, REGION, "sync:alias"), Probe)
    event = json.loads(clients.arguments("invoke")["Payload"])
    assert clients.arguments("invoke")["FunctionName"] == "sync:alias"
    (record,) = events.parse(event).records
    assert (record.bucket, record.event, record.time) == (BUCKET, "ObjectRemoved:Delete", None)
    assert record.key == "a b/pypicloud-s3sync-canary/pypicloud-s3sync-canary-0.tar.gz"


@pytest.mark.parametrize(
    ("payload", "error"),
    [(b'{"errorMessage": "no route"}', "no route"), (b"", "Unhandled"), (b"null", "Unhandled")],
)
def test_the_error_of_the_function_is_returned(payload: bytes, error: str) -> None:
    clients = invoked(FunctionError="Unhandled", Payload=io.BytesIO(payload))
    assert readers.ask_function(clients, make_settings(), REGION, "sync").error == error


def test_an_invocation_that_is_denied_is_an_error() -> None:
    clients = FakeClients({"invoke": refusal("AccessDeniedException", status=403)})
    with pytest.raises(AwsError, match="AccessDenied for lambda:InvokeFunction"):
        readers.ask_function(clients, make_settings(), REGION, "sync")
