"""The printed policy of an operator: it allows all that the commands need, and nothing else.

The tests enforce it as AWS would: see :mod:`support.iam`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.writers import staging
from pypicloud_s3sync.doctor import readers
from pypicloud_s3sync.exceptions import S3SyncError
from support.iam.operators import EVERYTHING, BecomeOperator, CommandLine, become_operator
from support.iam.reference import contradictions
from support.sites import Site, make_tables, zip_of
from support.slow import others_are_slow

__all__ = ["become_operator"]

pytestmark = pytest.mark.untraced

SETTINGS: dict[str, dict[str, str]] = {
    "direct": {},
    "sqs in a VPC": {
        "s3sync.delivery": "sqs",
        "s3sync.vpc_subnet_ids": "subnet-1",
        "s3sync.vpc_security_group_ids": "sg-1",
    },
    "eventbridge with a schedule": {
        "s3sync.delivery": "eventbridge",
        "s3sync.reconcile_schedule": "rate(1 day)",
    },
    "SnapStart": {"s3sync.snap_start": "true", "s3sync.runtime": "python3.12"},
    "a password": {"pypi.db": "redis"},
    "a role, a secret and a bundle of the user": {"pypi.db": "redis"},
}
#: A function that fails for the events that say so. It is deployed before the update too, because ministack
#: 1.5.33 may let a process of the former function continue to serve.
FAILING = """
def handle_s3_event(event, context):
    messages = [each for each in event.get("Records", []) if "fails" in each.get("body", "")]
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in messages]}
"""


#: Actions of statements that another statement allows on more resources.
ALSO_IN_A_WIDER_STATEMENT = {
    # Only doctor needs the other one, which some operators narrow or leave out: see the page on permissions.
    *("ReadBucket s3:ListBucket", "ReadRole iam:GetRole", "ReadScheduleRole iam:GetRole"),
    "UploadLargeBundle s3:GetObject",
    # The statements on versions name the function too: Lambda's documentation leaves open which of these
    # calls are checked for the function and which for its alias.
    *(
        "ReadFunction lambda:GetFunction",
        "ReadFunction lambda:GetPolicy",
        "WriteFunction lambda:AddPermission",
    ),
    *("WriteFunction lambda:DeleteFunction", "WriteFunction lambda:RemovePermission"),
    "WriteVersions lambda:RemovePermission",
}


class Work:
    """All that an operator does, in an order in which each command needs all its rights.

    What others do meanwhile is done by the root user of the site.
    """

    def __init__(self, site: Site, run: CommandLine, directory: Path) -> None:
        self.site = site
        self.run = run
        self.directory = directory
        self.failures: list[str] = []

    def __call__(self, command: str, *arguments: str, **changes: str) -> None:
        """Run a command, and remember that it failed."""
        status, document = self.run(command, *arguments, **changes)
        if status != 0:
            self.failures.append(f"{command}: {json.dumps(document)}")

    def do_everything(self) -> None:
        """Enable, reconcile, update, examine, replay, change to the usual ways and disable."""
        self.upload("a/check-1.0.tar.gz", "a/check-2.0.tar.gz", "a/other-1.0.tar.gz")
        self("plan")
        self("enable")
        self.delete("a/check-2.0.tar.gz")
        self("status")
        self("reconcile")
        self.upload("a/third-1.0.tar.gz")
        self("reconcile", "--fan-out")
        self.update()
        self.examine()
        self.replay()
        self.lose_role()
        self.attach_policies()
        usual = {"s3sync__delivery": "direct", "s3sync__snap_start": "false", "s3sync__secrets": "ssm"}
        self("enable", "--no-reconcile", **usual, s3sync__bundle=self.site.given["s3sync.bundle"])
        self("disable", **usual)

    @property
    def changes(self) -> dict[str, str | None]:
        return {name.replace(".", "__"): value for name, value in self.run.settings.items()}

    def upload(self, *keys: str) -> None:
        for key in keys:
            self.site.client("s3").put_object(Bucket=self.site.bucket, Key=key, Body=b"x")

    def delete(self, key: str) -> None:
        self.site.client("s3").delete_object(Bucket=self.site.bucket, Key=key)

    def examine(self) -> None:
        """Examine a replicated bucket, and simulate the role, which doctor leaves out with an emulator."""
        s3, other = self.site.client("s3"), f"{self.site.bucket}-other"
        s3.create_bucket(Bucket=other)
        for bucket in (self.site.bucket, other):
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        rule = {
            "ID": "all",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{other}"},
        }
        role = f"arn:aws:iam::{self.site.aws.account_id}:role/replication"
        s3.put_bucket_replication(
            Bucket=self.site.bucket, ReplicationConfiguration={"Role": role, "Rules": [rule]}
        )
        # It finds faults, for example that the role of the replication does not exist.
        self.run("doctor")
        s3.delete_bucket_replication(Bucket=self.site.bucket)
        settings = self.site.settings(**self.changes)
        role_arn = self.site.deployment(**self.changes).plan().desired.role_arn
        policy = {"Statement": [{"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.site.bucket}/x"}]}
        # The emulator finds no role that has a path.
        with suppress(S3SyncError):
            readers.simulate(Calls(Clients(settings, self.site.region)), role_arn, policy)

    def update(self) -> None:
        """Change everything that can be changed."""
        bundle = self.directory / "failing.zip"
        bundle.write_bytes(zip_of(f"{FAILING}# Updated."))
        self.change_roles()
        boundary = self.site.client("iam").create_policy(
            PolicyName=f"boundary-of-{self.site.bucket}",
            PolicyDocument=json.dumps(EVERYTHING),
        )
        changes = {
            "s3sync__memory_size": "1024",
            "s3sync__log_retention_days": "7",
            "s3sync__maximum_concurrency": "7",
            "s3sync__permissions_boundary": boundary["Policy"]["Arn"],
            "s3sync__tags": "team = packages",
            "s3sync__timeout": "90",
        }
        if "s3sync.bundle" not in self.run.settings:
            changes["s3sync__bundle"] = str(bundle)
        if "s3sync.reconcile_schedule" in self.run.settings:
            changes["s3sync__reconcile_schedule"] = "rate(2 days)"
        if "s3sync.role_arn" in self.run.settings:
            del changes["s3sync__permissions_boundary"]
        self("enable", "--no-reconcile", **changes)

    def change_roles(self) -> None:
        """Change who may assume the roles, as another user might."""
        iam = self.site.client("iam")
        for name in self.site.role_names():
            if "given" not in name:
                trust = trust_in("edgelambda.amazonaws.com")
                iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)

    def lose_role(self) -> None:
        """Delete the function's role, as another user might, and enable again."""
        iam = self.site.client("iam")
        for name in self.site.role_names():
            if "given" in name or "schedule" in name:
                continue
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
        self("enable", "--no-reconcile")

    def attach_policies(self) -> None:
        """Attach a policy to the roles, as another user might."""
        iam = self.site.client("iam")
        for name in self.site.role_names():
            if "given" not in name:
                iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    def replay(self) -> None:
        """Replay an event that succeeds and one that fails again."""
        sqs = self.site.client("sqs")
        (url,) = sqs.list_queues(QueueNamePrefix=f"failed-{self.site.function}")["QueueUrls"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": []}))
        sqs.send_message(QueueUrl=url, MessageBody="fails")
        _, result = self.run("replay")
        assert (result["succeeded"], len(result["failed"])) == (1, 1), result


@pytest.fixture
def prepare(site: Site, redis_url: str) -> Callable[[str], dict[str, str]]:
    """Return a function that returns the settings of a case, and creates what they name."""

    def settings_of(case: str) -> dict[str, str]:
        settings = {**SETTINGS[case]}
        if "pypi.db" not in settings:
            settings["db.namespace"] = f"{site.bucket}-"
            make_tables(site.aws, site.region, **{"db.namespace": settings["db.namespace"]})
            return settings
        # Redis accepts any password of a user who needs none.
        settings["db.url"] = redis_url.replace("://", "://default:p-word@")
        if case != "a password":
            settings |= owned_by_the_user(site, settings["db.url"])
        return settings

    return settings_of


def owned_by_the_user(site: Site, url: str) -> dict[str, str]:
    """Create a role, a secret and a bundle in S3, and return the settings that name them."""
    role = site.client("iam").create_role(
        RoleName=f"given-{site.bucket}", AssumeRolePolicyDocument=trust_in("lambda.amazonaws.com")
    )
    secret = site.client("secretsmanager").create_secret(
        Name=f"secret-of-{site.bucket}", SecretString=json.dumps({"db.url": url})
    )
    bucket = f"bundles-of-{site.bucket}"
    s3 = site.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.upload_fileobj(io.BytesIO(zip_of(f"{FAILING}# Of the user.")), bucket, "sync.zip")
    return {
        "s3sync.role_arn": role["Role"]["Arn"],
        "s3sync.secrets": secret["ARN"],
        "s3sync.bundle": f"s3://{bucket}/sync.zip",
    }


def trust_in(service: str) -> str:
    """Return the policy of a role that a service may assume."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize("case", others_are_slow(SETTINGS))
def test_the_printed_policy_is_sufficient_and_each_statement_and_action_is_needed(
    site: Site,
    prepare: Callable[[str], dict[str, str]],
    become_operator: BecomeOperator,
    case: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = tmp_path / "function.zip"
    bundle.write_bytes(zip_of(FAILING))
    site.given["s3sync.bundle"] = str(bundle)
    run = CommandLine(site, tmp_path / "production.ini", capsys, prepare(case))
    before = site.remains()
    account = site.aws.account_id
    _, policy = run("policy", "--account", account)
    operator = become_operator(site, policy)
    # No bundle fits into a request.
    monkeypatch.setattr(staging, "DIRECT_UPLOAD_LIMIT", 0)
    work = Work(site, run, tmp_path)
    work.do_everything()
    assert not operator.denied
    assert not work.failures
    assert set(operator.unneeded()) <= ALSO_IN_A_WIDER_STATEMENT
    assert contradictions(operator.requests) == []
    # In the emulator, an invocation that is still running creates the log group again. That it is deleted is
    # among the needed actions.
    assert {**site.remains(), "log groups": []} == before
