"""Each check, with a table of everything that can be wrong: its state, its evidence and its remedy."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.metrics import Interval, Statistics
from pypicloud_s3sync.deploy.models import CacheTables, DeliveryResources, TableCapacity
from pypicloud_s3sync.deploy.replication.models import Encryption
from pypicloud_s3sync.deploy.tags import ROLE_TAG
from pypicloud_s3sync.doctor.examination import examine, report
from pypicloud_s3sync.doctor.models import (
    CHECKS,
    BucketFacts,
    Check,
    Decision,
    Destination,
    Fact,
    Facts,
    Probe,
    State,
    ok,
)
from pypicloud_s3sync.exceptions import AwsError, ConflictError, NotReadError, UnreachableError
from support.examinations import ENABLED, NOW, OTHER, back, facts, finding, rule, rules, sample
from support.fakes import ACCOUNT, BUCKET, REGION, deployed, make_desired, not_none

DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)
FUNCTION = not_none(facts().function.value)
DELIVERY = DEPLOYED.delivery_resources
REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__url": "redis://:p-w@rd@cache.example:6379/0",
    "db__region_name": None,
}
VPC = {"s3sync__vpc_subnet_ids": "subnet-1", "s3sync__vpc_security_group_ids": "sg-1"}
EVENTBRIDGE = make_desired(s3sync__delivery="eventbridge")
RULE_GONE = replace(deployed(EVENTBRIDGE).delivery_resources, rule=None)
KMS = Encryption("aws:kms", "arn:aws:kms:eu-west-1:111122223333:key/1")
WITH_KEY: dict[str, Any] = {
    "SourceSelectionCriteria": {"SseKmsEncryptedObjects": ENABLED, "ReplicaModifications": ENABLED},
    "Destination": {
        "Bucket": f"arn:aws:s3:::{OTHER}",
        "EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:us-east-1:1:key/2"},
    },
}


def denied(action: str) -> AwsError:
    """Return the error of a call that AWS denied."""
    return AwsError(
        f"AccessDenied for {action} on it: allow it for the caller in IAM", "AccessDenied", action
    )


def function(**changes: Any) -> Any:
    return replace(FUNCTION, **changes)


def queue(messages: int, failed: int = 0) -> DeliveryResources:
    return replace(
        DELIVERY,
        queue=replace(not_none(DELIVERY.queue), messages=messages),
        dead_letters=replace(not_none(DELIVERY.dead_letters), messages=failed),
    )


def role(**changes: Any) -> Any:
    return replace(not_none(facts().role.value), **changes)


def interval(**changes: int) -> Interval:
    return Interval(int(NOW.timestamp()) - 600, **changes)


def foreign(prefix: str = "") -> dict[str, Any]:
    """Return a notification of someone else."""
    rules = [{"Name": "prefix", "Value": prefix}] if prefix else []
    return {
        "Id": "thumbnails",
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:thumbnails",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }


def test_everything_is_right() -> None:
    checks = examine(facts())
    assert [(check.check, check.finding.state) for check in checks] == [
        (name, State.OK) for name in CHECKS if name != "canary"
    ]
    assert not any(check.finding.remedy for check in checks)
    assert all(check.finding.evidence for check in checks)


#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    (
        "credentials",
        facts(identity=AwsError("no AWS credentials for sts:GetCallerIdentity on the caller: set them")),
        *("failed", "no AWS credentials", "storage.aws_access_key_id"),
    ),
    (
        "credentials",
        facts(identity=AwsError("the AWS credentials have expired (sts): renew them", "ExpiredToken")),
        *("failed", "the AWS credentials have expired (sts)", "aws sso login"),
    ),
    (
        "credentials",
        facts(identity=AwsError("the AWS login has expired: Token has expired and refresh failed")),
        *("failed", "the AWS login has expired", "aws sso login"),
    ),
    (
        "credentials",
        facts(identity=AwsError("AWS rejected the credentials (x): set them", "InvalidClientTokenId")),
        *("failed", "AWS rejected the credentials", "set them in the environment"),
    ),
    (
        "credentials",
        facts(identity=AwsError("AWS does not answer sts:GetCallerIdentity on the caller: x")),
        *("failed", "AWS does not answer", "check the network"),
    ),
    (
        "credentials",
        facts(bucket=BucketFacts(REGION, is_foreign=True)),
        *("failed", f"the bucket {BUCKET} belongs to another account than {ACCOUNT}", "credentials of"),
    ),
    (
        "credentials",
        facts(tables_account="999999999999"),
        *("failed", "belongs to the account 999999999999", "credentials of one account"),
    ),
    (
        "credentials",
        facts(tables_account=AwsError("AWS rejected the credentials (y): set them", "InvalidClientTokenId")),
        *("failed", "AWS rejected the credentials (y)", "set them in the environment"),
    ),
    ("bucket", facts(bucket=BucketFacts(None)), "failed", f"{BUCKET} does not exist", "storage.bucket"),
    (
        "bucket",
        facts(bucket=BucketFacts("eu-north-1")),
        *("failed", "is in eu-north-1, but storage.region_name says", "set storage.region_name = eu-north-1"),
    ),
    ("bucket", facts(bucket=denied("s3:ListBucket")), "failed", "AccessDenied", '"Action": "s3:ListBucket"'),
    ("bucket", facts(bucket=AwsError("S3 does not answer")), "failed", "does not answer", "the network"),
    ("versioning", facts(versioning=""), "failed", "is off, so S3 replicates nothing", "Status=Enabled"),
    ("versioning", facts(versioning="Suspended"), "failed", "is suspended", "put-bucket-versioning"),
    ("versioning", facts(versioning="", replication=None), "warning", "only replication needs", "one region"),
    ("replication", facts(replication=None), "warning", "no rule replicates", "`ppc-s3sync replicate`"),
    (
        "replication",
        facts(replication=rules(rule(Filter={"Prefix": "logs/"})), settings={"storage__prefix": "pypi/"}),
        *("warning", f"1 rules, but none for s3://{BUCKET}/pypi/", "`ppc-s3sync replicate`"),
    ),
    (
        "replication",
        facts(replication=rules(rule(Status="Disabled"))),
        *("failed", f"the rule to-{OTHER} to {OTHER} is disabled", "set its Status to Enabled"),
    ),
    *(
        (
            "replication",
            facts(replication=rules(rule(Filter=found))),
            *("failed", "only objects with the tag team", "remove the tag from its Filter"),
        )
        for found in (
            {"Tag": {"Key": "team", "Value": "x"}},
            {"And": {"Prefix": "", "Tags": [{"Key": "team", "Value": "x"}]}},
        )
    ),
    *(
        (
            "replication",
            facts(replication=rules({**rule(Filter=None), **found}), settings={"storage__prefix": "pypi/"}),
            *("failed", "covers only 'pypi/a/' of storage.prefix = 'pypi/'", "set the Prefix"),
        )
        for found in (
            {"Filter": {"Prefix": "pypi/a/"}},
            {"Prefix": "pypi/a/"},
            {"Filter": {"And": {"Prefix": "pypi/a/"}}},
        )
    ),
    (
        "replication",
        facts(has_replication_role=False),
        *("failed", "role/replication of the rules does not exist", "create the role"),
    ),
    (
        "replication",
        facts(destinations={OTHER: Fact(Destination(exists=False))}),
        *("failed", "leads to a bucket that does not exist", "correct the rule"),
    ),
    (
        "replication",
        facts(destinations={OTHER: Fact(Destination(True, "Suspended"))}),
        *("failed", f"versioning of the bucket {OTHER} is not enabled", f"--bucket {OTHER}"),
    ),
    (
        "replication",
        facts(destinations={OTHER: Fact(error=denied("s3:GetReplicationConfiguration"))}),
        *("warning", f"whether {OTHER} replicates back is unknown", '"s3:GetReplicationConfiguration"'),
    ),
    (
        "replication",
        facts(destinations=back(Status="Disabled")),
        *("warning", f"but the rule to-{BUCKET} to {BUCKET}, from {OTHER}, is disabled", "Status to Enabled"),
    ),
    (
        "replication",
        facts(replication=rules(rule(SourceSelectionCriteria=None))),
        *("warning", "replicate both ways, but changes", "ReplicaModifications.Status"),
    ),
    (
        "replication",
        facts(samples=(sample("FAILED"), sample())),
        *("failed", "1 of 2 sampled files failed to replicate: a/b-1.0.tar.gz", "S3 Batch Replication"),
    ),
    (
        "replication",
        facts(samples=(sample(""), *[sample()] * 3)),
        *("warning", "1 of 4 sampled files were not replicated", "S3 Batch Replication"),
    ),
    (
        "replication",
        facts(samples=[sample("PENDING", age=2)] * 5),
        *("warning", "5 of 5 sampled files have waited for more than an hour", "metrics of the rule"),
    ),
    ("replication", facts(samples=denied("s3:GetObject")), "warning", "AccessDenied", '"s3:GetObject"'),
    (
        "replication",
        facts(replication=denied("s3:GetReplicationConfiguration")),
        *("warning", "unknown: AccessDenied", '"Action": "s3:GetReplicationConfiguration"'),
    ),
    (
        "delete_markers",
        facts(replication=rules(rule(DeleteMarkerReplication={"Status": "Disabled"}))),
        *("failed", f"deleted here stays in {OTHER}", "DeleteMarkerReplication.Status"),
    ),
    (
        "delete_markers",
        facts(replication=rules(rule(DeleteMarkerReplication=None))),
        *("failed", "does not carry deletions", "to Enabled"),
    ),
    (
        "delete_markers",
        facts(replication=rules(rule(Filter={"Tag": {"Key": "team", "Value": "x"}}))),
        *("failed", "filters by tags, and S3 replicates no deletions", "remove the tags"),
    ),
    ("delete_markers", facts(replication=None), "skipped", "no rule replicates the packages", ""),
    (
        "encryption",
        facts(encryption=KMS),
        *("failed", "does not replicate objects that a KMS key encrypts", "SseKmsEncryptedObjects.Status"),
    ),
    (
        "encryption",
        facts(
            encryption=Encryption("aws:kms:dsse"),
            replication=rules(rule(SourceSelectionCriteria={"SseKmsEncryptedObjects": ENABLED})),
        ),
        *("failed", "names no key for the replicas", "ReplicaKmsKeyID"),
    ),
    (
        "encryption",
        facts(samples=(sample(encryption="aws:kms"),)),
        *("failed", "AES256, but aws:kms for a/b-1.0.tar.gz", "SseKmsEncryptedObjects.Status"),
    ),
    (
        "encryption",
        facts(settings={"storage__server_side_encryption": "aws:kms"}),
        *("failed", "AES256, but storage.server_side_encryption = aws:kms", "SseKmsEncryptedObjects"),
    ),
    (
        "notification",
        facts(statements=denied("lambda:GetPolicy"), delivery=NotReadError("the function is unknown")),
        *("warning", "unknown: AccessDenied for lambda:GetPolicy", '"lambda:GetPolicy"'),
    ),
    (
        "notification",
        facts(notifications={}),
        *("failed", f"the bucket {BUCKET} has no notification for the function", "`ppc-s3sync enable`"),
    ),
    (
        "notification",
        facts(settings={"storage__prefix": "pypi/"}, notifications=DEPLOYED.notifications),
        *("failed", "differs from what it needs", "`ppc-s3sync enable`"),
    ),
    (
        "notification",
        facts(notifications={**DEPLOYED.notifications, "TopicConfigurations": [foreign()]}),
        *("failed", "takes the same events", "narrow or remove that notification"),
    ),
    ("notification", facts(statements=()), "failed", "S3 may not invoke the function", "`ppc-s3sync enable`"),
    (
        "notification",
        facts(settings={"s3sync__delivery": "eventbridge"}, delivery=RULE_GONE),
        *("failed", f"the rule {EVENTBRIDGE.names.rule} does not exist", "`ppc-s3sync plan`"),
    ),
    (
        "notification",
        facts(delivery=replace(DELIVERY, queue=None)),
        *("failed", f"the queue {DESIRED.names.queue} does not exist", "`ppc-s3sync plan`"),
    ),
    ("function", facts(function=None), "failed", "S3 sync is off", "`ppc-s3sync enable`"),
    ("function", facts(function=function(tags={})), "failed", "was not created by this tool", "enable -f"),
    (
        "function",
        facts(function=function(tags={"pypicloud-s3sync:bucket": "other"})),
        *("failed", "serves the bucket other", "choose another name with -n"),
    ),
    (
        "function",
        facts(function=function(state="Failed", failure="the subnet is gone")),
        *("failed", "the function cannot run: the subnet is gone", "remove the cause"),
    ),
    ("function", facts(function=function(state="Inactive")), "warning", "made it inactive", "--canary"),
    ("function", facts(function=function(state="Pending")), "warning", "the function is pending", "a minute"),
    (
        "function",
        facts(function=function(reserved_concurrency=0)),
        *("failed", "is 0, so Lambda never runs it", "delete-function-concurrency"),
    ),
    (
        "function",
        facts(delivery=replace(DELIVERY, mapping=None)),
        *("failed", "its event source mapping is missing", "`ppc-s3sync enable`"),
    ),
    (
        "function",
        facts(
            delivery=replace(
                DELIVERY,
                mapping=replace(not_none(DELIVERY.mapping), configuration={"Enabled": False}),
            )
        ),
        *("failed", "is disabled", "run enable"),
    ),
    (
        "function",
        facts(statistics=Statistics(throttles=1234)),
        *("warning", "throttled 1,234 invocations", "quota of concurrent executions"),
    ),
    (
        "function",
        facts(function=function(configuration={**FUNCTION.configuration, "Timeout": 3})),
        *("warning", "differs from the settings (timeout)", "`ppc-s3sync plan`"),
    ),
    ("function", facts(function=denied("lambda:GetFunction")), "warning", "unknown:", '"lambda:GetFunction"'),
    (
        "runtime",
        facts(function=function(configuration={**FUNCTION.configuration, "Runtime": "python3.8"})),
        *("failed", "has the runtime python3.8, on which this version does not run", "enable`"),
    ),
    (
        "runtime",
        replace(facts(), now=datetime.datetime(2028, 1, 1, tzinfo=datetime.UTC)),
        *("warning", "Lambda deprecates the runtime python3.12 on 2028-10-31", "set s3sync.runtime"),
    ),
    (
        "runtime",
        replace(facts(), now=datetime.datetime(2029, 2, 1, tzinfo=datetime.UTC)),
        *("failed", "has deprecated the runtime python3.12", "set s3sync.runtime to a newer one, then run"),
    ),
    ("runtime", facts(function=None), "skipped", "there is no function sync", ""),
    ("bundle", facts(fingerprint="others"), "warning", "other versions than", "`ppc-s3sync enable`"),
    (
        "bundle",
        facts(function=function(code_sha256="by hand")),
        *("warning", "was not deployed by this tool", "replaces it"),
    ),
    ("role", facts(role=None), "failed", "does not exist", "`ppc-s3sync enable`"),
    (
        "role",
        facts(role=role(trust={"Statement": []})),
        "failed",
        "Lambda cannot assume",
        "`ppc-s3sync enable`",
    ),
    (
        "role",
        facts(function=function(tags={**FUNCTION.tags, ROLE_TAG: "AROA0"})),
        *("failed", "was deleted and created again", "gives it to the function anew"),
    ),
    (
        "role",
        facts(decisions=[Decision("s3:GetObject", "arn:aws:s3:::b/x", "implicitDeny")]),
        *("failed", "lacks s3:GetObject on arn:aws:s3:::b/x", '"Action": ["s3:GetObject"]'),
    ),
    (
        "role",
        facts(
            decisions=[Decision(f"s3:{number}", "*", "implicitDeny") for number in range(5)],
            role=role(policy={"Statement": []}),
        ),
        *("failed", "s3:2 on * and 2 more", "`ppc-s3sync enable`"),
    ),
    (
        "role",
        facts(decisions=[Decision("s3:GetObject", "*", "explicitDeny")]),
        *("failed", "a policy explicitly denies", "ask the administrator"),
    ),
    (
        "role",
        facts(decisions=denied("iam:SimulatePrincipalPolicy"), role=role(policy={"Statement": []})),
        *("failed", "lacks s3:GetObject on", "`ppc-s3sync enable`"),
    ),
    (
        "role",
        facts(decisions=denied("iam:SimulatePrincipalPolicy"), role=role(tags={})),
        *("warning", "differs from the role that the function needs", "`ppc-s3sync plan`"),
    ),
    (
        "role",
        facts(
            settings={"s3sync__role_arn": f"arn:aws:iam::{ACCOUNT}:role/own"},
            role=role(),
            decisions=denied("iam:SimulatePrincipalPolicy"),
        ),
        *("warning", "it is unknown whether", '"iam:SimulatePrincipalPolicy"'),
    ),
    (
        "cache",
        facts(tables=CacheTables(missing=("DynamoPackage",))),
        *("failed", "the DynamoDB table DynamoPackage does not exist", "db.tablenames"),
    ),
    (
        "cache",
        facts(cache=UnreachableError("the cache cannot be reached from this host (x): check"), probe=None),
        *("failed", "the cache cannot be reached from this host (x)", "correct the db.* settings"),
    ),
    (
        "cache",
        facts(cache=UnreachableError("the cache cannot be reached from this host (x): check")),
        *("warning", "200 ms from the function", "the function alone is in the cache's network"),
    ),
    (
        "cache",
        facts(cache=ConflictError("the database has no table packages: check db.url")),
        *("failed", "the database has no table packages", "check db.url"),
    ),
    ("cache", facts(cache=denied("dynamodb:BatchGetItem")), "warning", "unknown", '"dynamodb:BatchGetItem"'),
    (
        "cache",
        facts(settings={**REDIS, **VPC}, probe=Probe(5000, "TimeoutError: timed out")),
        *("failed", "the function cannot work: TimeoutError", "accept connections from sg-1"),
    ),
    (
        "cache",
        facts(settings=REDIS, probe=Probe(5000, "TimeoutError: timed out")),
        *("failed", "the function cannot work: TimeoutError", "set s3sync.vpc_subnet_ids"),
    ),
    (
        "cache",
        facts(probe=Probe(9, "AccessDenied")),
        "failed",
        "the function cannot work",
        "check of the role",
    ),
    (
        "cache",
        facts(probe=denied("lambda:InvokeFunction")),
        *("warning", "it is unknown whether the function reaches it", '"lambda:InvokeFunction"'),
    ),
    (
        "capacity",
        facts(tables=CacheTables(provisioned=(TableCapacity("DynamoPackage", 5, 5),))),
        *("warning", "5 read and 5 write units, about 0.83 files a second", "PAY_PER_REQUEST"),
    ),
    ("capacity", facts(tables=CacheTables(missing=("T",))), "skipped", "the tables do not exist", ""),
    ("capacity", facts(settings=REDIS), "skipped", "redis has no capacity to set", ""),
    (
        "failed_events",
        facts(delivery=queue(0, 2), ages={"failed": 7200}),
        *("failed", "2 failed events wait in the queue", "`ppc-s3sync replay`"),
    ),
    (
        "failed_events",
        facts(delivery=replace(DELIVERY, dead_letters=None)),
        *("failed", f"the queue {DESIRED.names.dead_letters} for failed events does not", "enable`"),
    ),
    (
        "failed_events",
        facts(delivery=queue(3), ages={"waiting": 1000}),
        *("warning", "3 events waiting, the oldest for 1,000 s", "log group /aws/lambda/sync"),
    ),
    (
        "failed_events",
        facts(intervals=[interval(events=20, failed=20, invocations=20)]),
        *("failed", "20 of 20 events failed", "/aws/lambda/sync"),
    ),
    (
        "failed_events",
        facts(intervals=denied("cloudwatch:GetMetricData")),
        *("warning", "AccessDenied", '"cloudwatch:GetMetricData"'),
    ),
    ("lag", facts(statistics=Statistics(0, 90_000.0, 200_000.0)), "warning", "took 90.0 s", "capacity"),
    ("lag", facts(statistics=Statistics()), "skipped", "no event in the last 24 hours", ""),
    ("lag", facts(function=None), "skipped", "there is no function", ""),
]


@pytest.mark.parametrize(
    ("check", "given", "state", "evidence", "remedy"),
    WRONG,
    ids=[f"{check}-{evidence[:50]}" for check, _, _, evidence, _ in WRONG],
)
def test_what_is_wrong_is_found_with_what_to_do(
    check: str, given: Facts, state: str, evidence: str, remedy: str
) -> None:
    found = finding(check, given)
    assert (found.state, evidence in found.evidence, remedy in found.remedy) == (state, True, True), found
    assert bool(found.remedy) or state == "skipped"


#: The filters that cover every object.
EVERYTHING: list[dict[str, Any]] = [{"Filter": {}}, {"Prefix": ""}, {"Filter": {"And": {"Prefix": ""}}}]
#: The check, what is right in another way, and a part of the evidence.
RIGHT: list[tuple[str, Facts, str]] = [
    ("versioning", facts(), "keeps versions"),
    ("replication", facts(), f"the rule to-{OTHER} to {OTHER}, both ways; 2 sampled files are replicated"),
    (
        "replication",
        facts(destinations={OTHER: Fact(Destination(True, "Enabled"))}),
        f"one way: {OTHER} does not replicate back",
    ),
    *(
        ("replication", facts(replication=rules({**rule(Filter=None), **found})), "both ways")
        for found in EVERYTHING
    ),
    ("replication", facts(samples=(sample("PENDING", age=0.5),)), "1 sampled file is replicated"),
    (
        "delete_markers",
        facts(replication=rules(rule(Filter=None, Priority=None, Prefix="", DeleteMarkerReplication=None))),
        "carries deletions",
    ),
    (
        "delete_markers",
        facts(
            replication=rules(
                rule(Priority=1, DeleteMarkerReplication={"Status": "Disabled"}), rule(Priority=2)
            )
        ),
        "carries deletions",
    ),
    ("encryption", facts(encryption=None), "no default encryption"),
    ("encryption", facts(encryption=KMS, replication=None), "aws:kms with arn:aws:kms"),
    ("encryption", facts(encryption=KMS, replication=rules(rule(**WITH_KEY))), "encrypts replicas with"),
    (
        "notification",
        facts(
            notifications={
                **DEPLOYED.notifications,
                "TopicConfigurations": [{**foreign(), "Events": ["s3:ObjectTagging:*"]}],
            }
        ),
        "; 1 other notification",
    ),
    ("notification", facts(settings={"s3sync__delivery": "eventbridge"}), "sends its events to EventBridge"),
    ("notification", facts(settings={"s3sync__delivery": "sqs"}), ":sqs:"),
    ("function", facts(role=denied("iam:GetRole")), "active, 512 MB, 60 s"),
    ("runtime", facts(), "python3.12, which Lambda deprecates on 2028-10-31"),
    (
        "role",
        facts(decisions=denied("iam:SimulatePrincipalPolicy")),
        "has the policy that the function needs",
    ),
    ("cache", facts(), f"DynamoPackage, PackageSummary in {REGION}: 12 ms from this host; 200 ms from the"),
    (
        "cache",
        facts(settings=REDIS, probe=NotReadError("no function")),
        "redis://cache.example:6379/0: 12 ms",
    ),
    (
        "cache",
        facts(probe=denied("lambda:InvokeFunction"), intervals=[interval(events=3, invocations=3)]),
        "the function handled events in the last 24 hours",
    ),
    (
        "capacity",
        facts(
            tables=CacheTables(provisioned=(TableCapacity("DynamoPackage", 5, 5),)),
            scaled=frozenset({"DynamoPackage"}),
        ),
        "and scales automatically",
    ),
    ("capacity", facts(tables=CacheTables(provisioned=(TableCapacity("T", 100, 100),))), "about 17 files"),
    (
        "failed_events",
        facts(delivery=queue(1), ages={"waiting": 2}),
        "none failed, 1 event waiting, the oldest",
    ),
    ("lag", facts(), "took 1.2 s on average, at most 3.4 s"),
]


@pytest.mark.parametrize(
    ("check", "given", "evidence"), RIGHT, ids=[f"{check}-{evidence[:50]}" for check, _, evidence in RIGHT]
)
def test_what_is_right_is_shown_with_its_evidence(check: str, given: Facts, evidence: str) -> None:
    found = finding(check, given)
    assert (found.state, evidence in found.evidence) == ("ok", True), found


def test_without_credentials_all_but_the_cache_wait_for_them() -> None:
    missing = NotReadError("not looked at: the credentials do not work")
    without = facts(identity=AwsError("no AWS credentials for x: y"))
    known = {"settings", "now", "destinations", "identity", "cache", "tables_account"}
    unknown: dict[str, Any] = {name: Fact(error=missing) for name in vars(without) if name not in known}
    checks = examine(replace(without, **unknown))
    states = {check.check: check.finding.state for check in checks}
    assert states.pop("credentials") == "failed"
    assert states.pop("cache") == "ok"
    assert set(states.values()) == {State.SKIPPED}


def test_the_document_has_every_check_in_order_and_no_secret() -> None:
    checks = [*examine(facts()), Check("canary", ok("sent with the password hunter2"))]
    document = report(checks, ["hunter2"]).document()
    assert [check["check"] for check in document["checks"]] == list(CHECKS)
    assert document["healthy"] is True
    assert set(document["checks"][0]) == {"check", "state", "evidence", "remedy"}
    assert "hunter2" not in json.dumps(document)


def test_warnings_leave_it_healthy_and_a_failure_does_not() -> None:
    assert report(examine(facts(versioning="", replication=None)), []).healthy
    assert not report(examine(facts(bucket=BucketFacts(None))), []).healthy
