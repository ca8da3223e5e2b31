"""Replication among the buckets of several regions is set up, resumed and removed on an AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.deploy.desired.resources import replication_role_name
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.replication import bucket_replication
from pypicloud_s3sync.deploy.replication.models import ReplicationPlan
from pypicloud_s3sync.deploy.replication.run import Replication
from pypicloud_s3sync.devtools.emulator import make_client
from pypicloud_s3sync.embedded import create_bucket
from pypicloud_s3sync.exceptions import ConflictError
from support.iam.enforcement import Operator
from support.iam.operators import BecomeOperator, become_operator
from support.iam.reference import contradictions
from support.interruptions import calls_of_killed_runs, mutating_calls
from support.replication import OFF, as_bytes, foreign
from support.sites import Site, ini_settings

__all__ = ["become_operator"]

#: The mutating calls for a bucket without rules, after the versioning of all buckets.
CALLS_OF_BUCKET = ["iam:CreateRole", "iam:PutRolePolicy", "s3:PutBucketReplication"]
VERSIONING = "s3:PutBucketVersioning"
REMOVAL = ["s3:DeleteBucketReplication", "iam:DeleteRolePolicy", "iam:DeleteRole"]


class Company:
    """Sites in several regions, whose mutating calls one watch records."""

    def __init__(self, sites: list[Site]) -> None:
        self.sites = sites
        self.watch = sites[0].watch
        for site in sites:
            site.watch = self.watch

    def replication(self, *sites: Site) -> Replication:
        # A client is kept by its region, so two sites in one region would share one, which does no harm.
        chosen = sites or self.sites
        return Replication([(site.bucket, site.settings()) for site in chosen], clients=self.watch)

    def apply(self, *sites: Site) -> ReplicationPlan:
        return self.replication(*sites).apply()

    def remove(self, *sites: Site) -> ReplicationPlan:
        return self.replication(*sites).apply(remove=True)

    def calls(self, run: Callable[[], object]) -> list[str]:
        return mutating_calls(self.sites[0], run)

    def state(self) -> list[dict[str, Any]]:
        """Return what each bucket has."""
        return [bucket_state(site) for site in self.sites]


def bucket_state(site: Site) -> dict[str, Any]:
    s3 = site.client("s3")
    versioning = s3.get_bucket_versioning(Bucket=site.bucket).get("Status")
    return {
        "versioning": versioning,
        "replication": configuration_of(site),
        "role": replication_role_name(site.bucket, site.region) in site.role_names(),
    }


def configuration_of(site: Site) -> dict[str, Any] | None:
    return bucket_replication(Calls(site.watch(site.settings())), site.bucket)


def replicate_elsewhere(site: Site, backup: str) -> dict[str, Any]:
    """Give a bucket a foreign rule with a role, and return its replication configuration."""
    s3 = site.client("s3")
    for bucket in (site.bucket, backup):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rules = [
        foreign("backup", backup, Filter={"And": {"Prefix": "b/", "Tags": [{"Key": "k", "Value": "v"}]}})
        | {"DeleteMarkerReplication": OFF}
    ]
    role = f"arn:aws:iam::{site.aws.account_id}:role/backup"
    s3.put_bucket_replication(Bucket=site.bucket, ReplicationConfiguration={"Role": role, "Rules": rules})
    configuration = configuration_of(site)
    assert configuration is not None
    return configuration


@pytest.fixture
def company(make_site: Callable[..., Site]) -> Company:
    """Two sites in two regions."""
    return Company([make_site("us-east-1"), make_site("eu-west-1")])


@pytest.fixture
def backup(company: Company) -> str:
    """A bucket that takes no part."""
    name = f"backup-of-{company.sites[0].bucket}"
    company.sites[0].client("s3").create_bucket(Bucket=name)
    return name


def test_a_second_run_makes_no_mutating_call(company: Company) -> None:
    calls = company.calls(company.apply)
    assert calls == [VERSIONING, VERSIONING, *CALLS_OF_BUCKET, *CALLS_OF_BUCKET]
    assert company.calls(company.apply) == []
    assert company.replication().plan().in_sync


def test_a_plan_changes_nothing_and_names_what_apply_does(company: Company) -> None:
    before = company.state()
    planned = company.replication().plan()
    assert company.calls(company.replication().plan) == []
    assert company.state() == before
    assert company.apply().actions == planned.actions


def test_a_package_and_its_deletion_reach_the_other_bucket(company: Company) -> None:
    """The emulator replicates by the rules of a bucket."""
    company.apply()
    for source, destination in (company.sites, company.sites[::-1]):
        key = f"hello/from-{source.region}.tar.gz"
        source.client("s3").put_object(Bucket=source.bucket, Key=key, Body=b"x")
        arrived = destination.client("s3").head_object(Bucket=destination.bucket, Key=key)
        assert arrived["ReplicationStatus"] == "REPLICA"
        source.client("s3").delete_object(Bucket=source.bucket, Key=key)
        assert key not in keys(destination)


def keys(site: Site) -> list[str]:
    listed = site.client("s3").list_objects_v2(Bucket=site.bucket).get("Contents", [])
    return [item["Key"] for item in listed]


def test_what_was_made_is_removed_and_versioning_stays(company: Company) -> None:
    company.apply()
    assert company.calls(company.remove) == REMOVAL * 2
    assert company.state() == [{"versioning": "Enabled", "replication": None, "role": False}] * 2
    assert company.calls(company.remove) == []


def test_a_third_region_can_join_and_leave(company: Company, make_site: Callable[..., Site]) -> None:
    company.apply()
    before = company.state()
    third = make_site("eu-west-1")
    three = Company([*company.sites, third])
    calls = three.calls(three.apply)
    assert calls == [
        VERSIONING,
        *["iam:PutRolePolicy", "s3:PutBucketReplication"] * 2,
        *CALLS_OF_BUCKET,
    ]
    assert three.calls(three.apply) == []
    three.remove(three.sites[0], third)
    three.remove(three.sites[1], third)
    assert company.state() == before
    assert bucket_state(third) == {"versioning": "Enabled", "replication": None, "role": False}


# Foreign rules


def test_foreign_rules_and_their_role_survive_setting_up_and_removing(company: Company, backup: str) -> None:
    us = company.sites[0]
    before = replicate_elsewhere(us, backup)
    plan = company.apply()
    after = configuration_of(us)
    assert after is not None
    assert after["Role"] == before["Role"]
    assert as_bytes(after["Rules"][0]) == as_bytes(before["Rules"][0])
    assert [need.resource for need in plan.needs] == [f"the role {before['Role']}"]
    assert not bucket_state(us)["role"]
    assert company.calls(company.apply) == []
    company.remove()
    assert as_bytes(configuration_of(us)) == as_bytes(before)


# Other accounts, and keys

OTHER_ACCOUNT = "444455556666"


def test_a_bucket_of_another_account_needs_what_is_printed_and_no_more(
    company: Company,
) -> None:
    """In the emulator, an access key that is the number of an account belongs to its root user."""
    us = company.sites[0]
    name = f"other-{us.bucket}"
    s3 = make_client("s3", "eu-west-1", us.aws.endpoint_url, OTHER_ACCOUNT, "test")
    create_bucket(s3, name, "eu-west-1")
    changes = {"storage__bucket": name, "storage__region_name": "eu-west-1"}
    other = us.settings(
        **changes, storage__aws_access_key_id=OTHER_ACCOUNT, storage__aws_secret_access_key="test"
    )
    plan = Replication([("us.ini", us.settings()), ("other.ini", other)]).apply()
    rule = plan.regions[0].wanted_role.arn
    resources = {need.resource: need.statements for need in plan.needs}
    assert set(resources) == {f"the policy of the bucket {name}", f"the policy of the bucket {us.bucket}"}

    def status_of(key: str) -> str:
        us.client("s3").put_object(Bucket=us.bucket, Key=key, Body=b"x")
        return str(us.client("s3").head_object(Bucket=us.bucket, Key=key)["ReplicationStatus"])

    assert status_of("before") == "FAILED"
    statements = list(resources[f"the policy of the bucket {name}"])
    assert {json.dumps(item["Principal"]) for item in statements} == {json.dumps({"AWS": rule})}
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    assert status_of("after") == "COMPLETED"
    assert s3.head_object(Bucket=name, Key="after")["ReplicationStatus"] == "REPLICA"


def test_rules_to_a_bucket_with_a_key_name_the_key_and_survive_its_change(company: Company) -> None:
    us, eu = company.sites
    keys = [site.client("kms").create_key()["KeyMetadata"]["Arn"] for site in (us, eu, eu)]
    encrypt(us, keys[0])
    with pytest.raises(ConflictError, match="their replicas need a KMS key in eu-west-1"):
        company.apply()
    for key in keys[1:]:
        encrypt(eu, key)
        company.apply()
        assert company.calls(company.apply) == []
    configuration = configuration_of(us)
    assert configuration is not None
    (rule,) = configuration["Rules"]
    assert rule["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": keys[2]}
    role = us.client("iam").get_role_policy(
        RoleName=replication_role_name(us.bucket, us.region), PolicyName="sync"
    )
    by_sid = {statement["Sid"]: statement for statement in role["PolicyDocument"]["Statement"]}
    assert by_sid["DecryptOriginals"]["Resource"] == keys[0]
    assert by_sid["EncryptReplicas1"]["Resource"] == keys[2]


def encrypt(site: Site, key: str) -> None:
    """Set a KMS key as the default encryption of a bucket."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    configuration = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    site.client("s3").put_bucket_encryption(
        Bucket=site.bucket, ServerSideEncryptionConfiguration=configuration
    )


# Interruptions


def test_the_next_run_finishes_runs_that_are_killed_after_each_call(company: Company, backup: str) -> None:
    """Every fault at every call is in test_replicate_faults.py."""
    before = replicate_elsewhere(company.sites[0], backup)
    calls = calls_of_killed_runs(company.sites[0], company.apply)
    assert calls == [VERSIONING, "s3:PutBucketReplication", *CALLS_OF_BUCKET]
    assert company.replication().plan().in_sync
    calls = calls_of_killed_runs(company.sites[0], company.remove)
    assert calls == ["s3:PutBucketReplication", *REMOVAL]
    us, eu = company.state()
    assert as_bytes(us["replication"]) == as_bytes(before)
    assert (eu["replication"], eu["role"]) == (None, False)


def test_runs_whose_calls_are_all_repeated_after_a_lost_response_do_not_notice(company: Company) -> None:
    company.watch.loses_responses = True
    company.apply()
    assert company.replication().plan().in_sync
    company.remove()
    assert company.state() == [{"versioning": "Enabled", "replication": None, "role": False}] * 2


# The command line


def write_inis(company: Company, folder: Path, **changes: str | None) -> list[str]:
    paths = []
    for site in company.sites:
        path = folder / f"{site.region}.ini"
        path.write_text(f"[app:main]\nuse = egg:pypicloud\n{ini_settings(site, **changes)}\n")
        paths.append(str(path))
    return paths


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["replicate", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_command_plans_sets_up_and_removes(
    company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inis = write_inis(company, tmp_path)
    status, planned = run(capsys, *inis, "--plan")
    assert (status, planned["command"], planned["in_sync"]) == (1, "replicate", False)
    assert {action["resource"] for action in planned["actions"]} == {"versioning", "role", "replication"}
    assert planned["actions"][0].keys() >= {"verb", "resource", "name", "changes"}
    status, applied = run(capsys, *inis)
    assert (status, applied["actions"]) == (0, planned["actions"])
    assert len(applied["batch_jobs"]) == 2
    assert run(capsys, *inis, "--plan")[0] == 0
    status, again = run(capsys, *inis)
    assert (status, again["in_sync"], again["actions"]) == (0, True, [])
    status, planned = run(capsys, *inis, "--remove", "--plan")
    assert (status, planned["remove"], len(planned["actions"])) == (1, True, 4)
    assert run(capsys, *inis, "--remove")[0] == 0
    assert run(capsys, *inis, "--remove", "--plan")[0] == 0


def test_different_prefixes_and_a_missing_bucket_change_nothing(
    company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = company.state()
    first, second = write_inis(company, tmp_path)
    other = tmp_path / "other.ini"
    other.write_text(f"{Path(second).read_text()}storage.prefix = team/\n")
    status, document = run(capsys, first, str(other))
    assert status == 2
    assert "set the same storage.prefix in all regions" in document["message"]
    other.write_text(Path(second).read_text().replace(company.sites[1].bucket, "no-such-bucket"))
    status, document = run(capsys, first, str(other))
    assert (status, document["message"].startswith("the bucket no-such-bucket does not exist")) == (1, True)
    assert company.state() == before


# Rights


def operator_of(company: Company, become_operator: BecomeOperator) -> Operator:
    """Return a user whose credentials all sites have from now on, and who has no rights yet."""
    first, *others = company.sites
    operator = become_operator(first, {"Statement": []})
    for site in others:
        site.given |= {name: value for name, value in first.given.items() if "_key" in name}
    return operator


def change_roles(company: Company) -> None:
    """Change whom the roles trust and what they may do, as another user might."""
    iam = company.sites[0].client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for site in company.sites:
        name = replication_role_name(site.bucket, site.region)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")


def test_the_printed_policies_are_sufficient_and_each_statement_is_needed(
    company: Company,
    become_operator: BecomeOperator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    statements: list[dict[str, Any]] = []
    for number, ini in enumerate(write_inis(company, tmp_path)):
        assert main(["policy", ini, "--for", "replicate", "--account", company.sites[0].aws.account_id]) == 0
        policy = json.loads(capsys.readouterr().out)
        statements += [{**item, "Sid": f"{item['Sid']}{number}"} for item in policy["Statement"]]
    operator = operator_of(company, become_operator)
    operator.policy = {"Statement": statements}
    inis = write_inis(company, tmp_path)
    for options in ([], ["--plan"], [], ["--remove"]):
        if options == ["--plan"]:
            change_roles(company)
        assert "AccessDenied" not in run(capsys, *inis, *options)[1].get("message", "")
    assert not operator.denied
    # The settings of these sites name no boundary.
    assert {entry.partition(" ")[2] for entry in operator.unneeded()} == {"iam:PutRolePermissionsBoundary"}
    assert contradictions(operator.requests) == []

    before = company.state()
    operator.policy = {"Statement": [{**statements[0], "Action": "s3:ListAllMyBuckets"}]}
    offered = run(capsys, *inis, "--plan")[1]["policy"]["Statement"]
    assert [statement["Sid"] for statement in offered] == ["ReadReplication", "ReadReplicationRole"]
    reading = [statement for statement in statements if statement["Sid"].startswith("Read")]
    operator.policy = {"Statement": reading}
    assert run(capsys, *inis, "--plan")[1]["command"] == "replicate"
    assert "AccessDenied for iam:CreateRole" in run(capsys, *inis)[1]["message"]
    assert company.state() == before
