"""What is planned for some regions, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG
from pypicloud_s3sync.deploy.models import Role
from pypicloud_s3sync.deploy.replication.models import Encryption, Region, ReplicationPlan
from pypicloud_s3sync.deploy.replication.planner import plan_removal, plan_replication
from pypicloud_s3sync.deploy.replication.policy import role_policy
from pypicloud_s3sync.deploy.replication.rules import is_own
from pypicloud_s3sync.exceptions import ConfigError, ConflictError
from support.fakes import ACCOUNT, not_none
from support.replication import (
    AP,
    EU,
    FOREIGN_ROLE,
    KEYS,
    OFF,
    US,
    configuration,
    foreign,
    kms,
    old,
    region,
    wanted,
)

OTHER_ACCOUNT = "444455556666"


def calls(plan: ReplicationPlan) -> list[str]:
    """Return the planned calls with their buckets."""
    return [f"{step.action.call} {step.bucket}" for step in plan.steps]


def applied(plan: ReplicationPlan) -> list[Region]:
    """Return the regions after a plan was performed."""
    after = {item.bucket: item for item in plan.regions}
    for step in plan.steps:
        before, arguments = after[step.bucket], step.action.arguments
        if step.action.call == "versioning.enable":
            changed = replace(before, versioning="Enabled")
        elif step.action.call in ("role.create", "role.update"):
            changed = replace(before, role=arguments["role"])
        elif step.action.call == "role.delete":
            changed = replace(before, role=None)
        else:
            changed = replace(before, configuration=configured(before, step.action.call, arguments))
        after[step.bucket] = changed
    return list(after.values())


def configured(before: Region, call: str, arguments: Any) -> Any:
    from pypicloud_s3sync.deploy.replication import rules

    if call == "replication.remove":
        return rules.without_own(before.configuration, arguments["destinations"])
    return rules.merged(before.bucket, before.configuration, arguments["wanted"], arguments["role"])


def shown(plan: ReplicationPlan, bucket: str, resource: str) -> dict[str, Any]:
    """Return what an action changes: the value after it, by field."""
    (action,) = [
        step.action for step in plan.steps if step.bucket == bucket and step.action.resource == resource
    ]
    return {change.field: change.after for change in action.changes}


def test_versioning_comes_first_in_all_buckets_then_each_gets_its_role_and_its_rules() -> None:
    plan = plan_replication([region(US, versioning=""), region(EU, versioning="Suspended")])
    assert calls(plan) == [
        "versioning.enable packages-us",
        "versioning.enable packages-eu",
        "role.create packages-us",
        "replication.put packages-us",
        "role.create packages-eu",
        "replication.put packages-eu",
    ]
    assert [step.action.verb for step in plan.steps] == ["update"] * 2 + ["create"] * 4
    assert [step.action.changes[0].before for step in plan.steps[:2]] == [None, "Suspended"]


@pytest.mark.parametrize("buckets", [[US, EU], [US, EU, AP]])
def test_each_bucket_replicates_to_each_other_and_then_there_is_nothing_to_do(buckets: list[str]) -> None:
    plan = plan_replication([region(bucket, versioning="") for bucket in buckets])
    after = applied(plan)
    for item in after:
        destinations = [rule["Destination"]["Bucket"] for rule in item.rules]
        assert sorted(destinations) == sorted(f"arn:aws:s3:::{b}" for b in buckets if b != item.bucket)
    again = plan_replication(after)
    assert again.in_sync
    assert (again.warnings, again.needs, again.lifecycle) == ((), (), None)


def test_a_removal_takes_rules_and_roles_and_leaves_versioning() -> None:
    after = applied(plan_replication([region(US), region(EU)]))
    plan = plan_removal(after)
    assert calls(plan) == [
        "replication.remove packages-us",
        "role.delete packages-us",
        "replication.remove packages-eu",
        "role.delete packages-eu",
    ]
    left = applied(plan)
    assert [(item.configuration, item.role, item.versioning) for item in left] == [
        (None, None, "Enabled")
    ] * 2
    assert plan_removal(left).in_sync


def test_a_removal_among_two_of_three_regions_leaves_the_third_and_its_rights() -> None:
    after = applied(plan_replication([region(US), region(EU), region(AP)]))
    plan = plan_removal(after[:2])
    assert calls(plan) == [
        *("replication.remove packages-us", "role.update packages-us"),
        *("replication.remove packages-eu", "role.update packages-eu"),
    ]
    us = applied(plan)[0]
    assert [rule["ID"] for rule in us.rules] == ["pypicloud-s3sync-packages-ap"]
    assert not_none(us.role).policy == role_policy(us, us.rules)


def test_a_removal_keeps_foreign_rules_and_the_role_that_they_use() -> None:
    us, eu = applied(plan_replication([region(US), region(EU)]))
    us = replace(us, configuration={**not_none(us.configuration), "Rules": [*us.rules, foreign()]})
    plan = plan_removal([us, eu])
    assert calls(plan)[0] == "replication.remove packages-us"
    assert "role.delete packages-us" not in calls(plan)
    assert applied(plan)[0].rules == (foreign(),)


def test_a_rule_to_a_bucket_that_no_ini_names_stays_and_keeps_its_rights() -> None:
    after = applied(plan_replication([region(US), region(EU), region(AP)]))
    plan = plan_replication(after[:2])
    assert plan.in_sync
    assert plan.warnings == (
        "the bucket packages-us also replicates to packages-ap, which no ini file names: the rule"
        " pypicloud-s3sync-packages-ap stays",
        "the bucket packages-eu also replicates to packages-ap, which no ini file names: the rule"
        " pypicloud-s3sync-packages-ap stays",
    )


def test_the_plan_says_that_versioning_stays_what_it_costs_and_what_to_consider() -> None:
    settings = {"storage__prefix": "a/"}
    plan = plan_replication([region(US, versioning="", settings=settings), region(EU, settings=settings)])
    (warning,) = plan.warnings
    assert "cannot be turned off again, only suspended (packages-us)" in warning
    assert "charge for, each version" in warning
    assert plan.lifecycle == {
        "ID": "expire-old-versions-of-packages",
        "Status": "Enabled",
        "Filter": {"Prefix": "a/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }


# The role


def test_a_changed_policy_is_restored_and_a_foreign_boundary_stays() -> None:
    after = applied(plan_replication([region(US), region(EU)]))
    role = replace(not_none(after[0].role), policy=None, boundary="arn:aws:iam::aws:policy/b")
    plan = plan_replication([replace(after[0], role=role), after[1]])
    assert calls(plan) == ["role.update packages-us"]
    assert plan.steps[0].action.arguments["role"].boundary == "arn:aws:iam::aws:policy/b"


def test_the_role_of_foreign_rules_stays_and_its_owner_learns_what_it_needs() -> None:
    us = region(US, configuration=configuration(foreign("logs", AP)))
    plan = plan_replication([us, region(EU)])
    assert calls(plan) == [
        "replication.put packages-us",
        "role.create packages-eu",
        "replication.put packages-eu",
    ]
    (need,) = plan.needs
    assert need.resource == f"the role {FOREIGN_ROLE}"
    rule = {**wanted(EU), "Priority": 1}
    assert list(need.statements) == role_policy(us, [rule])["Statement"]
    assert plan_replication(applied(plan)).needs == plan.needs


def test_a_role_of_this_tool_that_no_rule_uses_any_more_is_deleted() -> None:
    us, eu = applied(plan_replication([region(US), region(EU)]))
    us = replace(us, configuration={**not_none(us.configuration), "Role": FOREIGN_ROLE})
    assert calls(plan_replication([us, eu])) == ["role.delete packages-us"]


def test_a_foreign_role_of_the_same_name_is_refused() -> None:
    role = replace(region(US).wanted_role, tags={})
    with pytest.raises(ConflictError, match="already exists and was not created by this tool"):
        plan_replication([region(US, role=role), region(EU)])
    assert not calls(plan_removal([region(US, role=role), region(EU)]))


def test_the_role_is_tagged_as_this_tools_and_limited_as_the_settings_say() -> None:
    boundary = "arn:aws:iam::111122223333:policy/limit"
    settings = {"s3sync__permissions_boundary": boundary, "s3sync__tags": "team=web"}
    role: Role = region(US, settings=settings).wanted_role
    assert role.tags == {"team": "web", OWNER_TAG: US}
    assert role.boundary == boundary
    assert role.arn.startswith(f"arn:aws:iam::{ACCOUNT}:role/pypicloud-s3sync/replication-us-east-1-{US}-")


# Foreign rules


def test_a_foreign_rule_that_does_the_same_is_used_and_no_role_is_made() -> None:
    us = region(US, configuration=configuration(foreign()))
    plan = plan_replication([us, region(EU)])
    assert calls(plan) == ["role.create packages-eu", "replication.put packages-eu"]
    assert plan.warnings == ()


def test_what_a_foreign_rule_lacks_is_said() -> None:
    lesser = foreign("almost", SourceSelectionCriteria=None)
    less = foreign("less", DeleteMarkerReplication=OFF)
    plan = plan_replication(
        [region(US, configuration=configuration(lesser)), region(EU, configuration=configuration(less))]
    )
    assert plan.warnings[0] == (
        "the rule almost of the bucket packages-us replicates the packages to packages-eu, so no other is"
        " needed; it does not replicate modifications of replicas, for example of their tags"
    )
    plan = plan_replication([region(US, configuration=configuration(less)), region(EU)])
    assert plan.warnings == (
        "the rule less of the bucket packages-us to packages-eu lacks delete markers: it stays, but for the"
        " packages S3 applies this tool's rule, which has a higher priority",
    )
    after = applied(plan)
    assert plan_replication(after).in_sync
    assert plan_replication(after).warnings == plan.warnings


def test_rules_of_the_first_version_are_refused_unless_they_are_enough() -> None:
    with pytest.raises(ConflictError, match="packages-us has replication rules of the first version"):
        plan_replication([region(US, configuration=configuration(old(destination=AP))), region(EU)])
    plan = plan_replication([region(US, configuration=configuration(old())), region(EU)])
    assert not [call for call in calls(plan) if call.endswith(US)]


# Encryption


@pytest.mark.parametrize(
    ("source", "destination", "key"),
    [
        (None, None, None),
        (Encryption("AES256"), Encryption("AES256"), None),
        (kms(US), kms(EU), KEYS[EU]),
        (Encryption("aws:kms"), kms(EU), KEYS[EU]),
        (kms(US), Encryption("aws:kms:dsse", KEYS[EU]), KEYS[EU]),
        (kms(US), Encryption("aws:kms"), f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/aws/s3"),
    ],
)
def test_replicas_are_encrypted_with_the_key_of_their_bucket(
    source: Encryption | None, destination: Encryption | None, key: str | None
) -> None:
    plan = plan_replication([region(US, encryption=source), region(EU, encryption=destination)])
    (rule,) = (rule for rule in applied(plan)[0].rules if is_own(rule))
    found = rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
    assert found == key
    assert ("SseKmsEncryptedObjects" in rule["SourceSelectionCriteria"]) is (key is not None)


@pytest.mark.parametrize(
    "us",
    [
        region(US, encryption=kms(US)),
        region(US, settings={"storage__server_side_encryption": "aws:kms"}),
    ],
)
def test_packages_encrypted_with_kms_need_a_key_where_their_replicas_go(us: Region) -> None:
    with pytest.raises(ConflictError) as caught:
        plan_replication([us, region(EU)])
    assert str(caught.value) == (
        "the packages in the bucket packages-us are encrypted with KMS, and their replicas need a KMS key in"
        " eu-west-1: set one as the default encryption of the bucket packages-eu"
    )


# Object Lock


def test_packages_of_a_bucket_with_object_lock_need_it_where_their_replicas_go() -> None:
    with pytest.raises(ConflictError) as caught:
        plan_replication([region(US, has_object_lock=True), region(EU)])
    assert str(caught.value) == (
        "the bucket packages-us has Object Lock, and S3 replicates its packages only to a bucket that has it"
        " as well: enable Object Lock on the bucket packages-eu"
    )
    with pytest.raises(ConflictError, match="the bucket packages-eu has Object Lock"):
        plan_replication([region(US), region(EU, has_object_lock=True)])
    plan = plan_replication([region(US, has_object_lock=True), region(EU, has_object_lock=True)])
    assert [len(region.rules) for region in applied(plan)] == [1, 1]


# Other accounts


def test_the_owner_of_a_bucket_in_another_account_learns_what_to_allow() -> None:
    us = region(US, encryption=kms(US))
    key = f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/k"
    eu = region(EU, account=OTHER_ACCOUNT, encryption=Encryption("aws:kms", key))
    plan = plan_replication([us, eu])
    rule = applied(plan)[0].rules[0]
    assert rule["Destination"]["Account"] == OTHER_ACCOUNT
    assert [need.resource for need in plan.needs] == [
        "the policy of the bucket packages-eu",
        f"the policy of the KMS key {key}",
        "the policy of the bucket packages-us",
        f"the policy of the KMS key {KEYS[US]}",
    ]
    on_objects, on_bucket = plan.needs[0].statements
    assert on_objects["Principal"] == {"AWS": us.wanted_role.arn}
    assert on_objects["Resource"] == "arn:aws:s3:::packages-eu/*"
    assert "s3:ObjectOwnerOverrideToBucketOwner" in on_objects["Action"]
    assert on_bucket["Resource"] == "arn:aws:s3:::packages-eu"


def test_the_key_that_aws_manages_is_of_no_use_to_another_account() -> None:
    eu = region(EU, account=OTHER_ACCOUNT, encryption=Encryption("aws:kms"))
    with pytest.raises(ConflictError, match="uses the key that AWS manages for S3, which no other account"):
        plan_replication([region(US), eu])


# Settings


def test_different_prefixes_are_refused_because_replication_keeps_keys() -> None:
    with pytest.raises(ConfigError) as caught:
        plan_replication([region(US), region(EU, settings={"storage__prefix": "team/"})])
    assert str(caught.value) == (
        "storage.prefix is '' in packages-us.ini, but 'team/' in packages-eu.ini, and S3 replication does not"
        " rename keys: set the same storage.prefix in all regions"
    )


def test_one_bucket_in_two_inis_is_refused() -> None:
    other = replace(region(US), config="other.ini")
    for plan in (plan_replication, plan_removal):
        with pytest.raises(
            ConfigError, match=r"packages-us.ini and other.ini name the same bucket packages-us"
        ):
            plan([region(US), other])


def test_an_ini_that_is_given_twice_is_refused() -> None:
    us = region(US)
    for plan in (plan_replication, plan_removal):
        with pytest.raises(ConfigError, match=r"packages-us.ini and packages-us.ini name the same bucket"):
            plan([us, replace(us)])


def test_buckets_of_two_partitions_are_refused() -> None:
    eu = region(EU)
    china = replace(eu, identity=replace(eu.identity, partition="aws-cn"))
    with pytest.raises(ConfigError, match="S3 does not replicate between partitions"):
        plan_replication([region(US), china])
