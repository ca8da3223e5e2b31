"""Foreign resources next to a deployment: they are refused, adopted or kept, and never changed silently."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.exceptions import ConflictError
from support.foreign import (
    create_function,
    create_notifications,
    create_policy,
    create_role,
    put_notifications,
)
from support.sites import Site

pytestmark = pytest.mark.untraced

PYPICLOUD_EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")


# Notifications


def test_foreign_notifications_keep_ids_and_filters(site: Site) -> None:
    foreign = create_notifications(site)
    site.deployment().enable()
    own = [
        item
        for item in site.notifications()["LambdaFunctionConfigurations"]
        if item not in foreign["LambdaFunctionConfigurations"]
    ]
    assert len(own) == 1
    for kind, entries in foreign.items():
        found = site.notifications()[kind]
        assert found == entries or [item for item in found if item not in own] == entries, kind
    site.deployment().enable(force=True)
    assert len(site.notifications()["LambdaFunctionConfigurations"]) == 2
    site.deployment().disable()
    assert site.notifications() == foreign


def test_an_overlapping_notification_is_refused(site: Site) -> None:
    arn = create_function(site, f"other-{site.bucket}")
    entry = {"Id": "overlap", "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    put_notifications(site, {"LambdaFunctionConfigurations": [entry]})
    with pytest.raises(ConflictError, match=r"overlap \(s3:ObjectCreated:Put\) to arn:aws:lambda"):
        site.deployment().enable()
    assert site.watch.mutations == []


def test_disable_is_not_prevented_by_a_foreign_destination_that_is_missing(site: Site) -> None:
    foreign = create_notifications(site)
    site.deployment().enable()
    sqs = site.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"queue-{site.bucket}")["QueueUrl"])
    site.deployment().disable()
    assert site.notifications() == foreign


# The resources of ppc-create-s3-sync


def test_enable_replaces_the_two_entries_of_pypicloud(site: Site) -> None:
    site.deployment().enable()
    arn = site.client("lambda").get_function(FunctionName=site.function)["Configuration"]["FunctionArn"]
    entries = [{"LambdaFunctionArn": arn, "Events": [event]} for event in PYPICLOUD_EVENTS]
    put_notifications(site, {"LambdaFunctionConfigurations": entries})
    site.deployment().enable()
    assert len(site.notifications()["LambdaFunctionConfigurations"]) == 1
    site.deployment().disable()
    assert site.notifications() == {}


def test_disable_keeps_the_function_and_the_entries_of_pypicloud_until_enable_adopts_them(site: Site) -> None:
    arn = create_function(site, site.function)
    entries = [{"LambdaFunctionArn": arn, "Events": [event]} for event in PYPICLOUD_EVENTS]
    put_notifications(site, {"LambdaFunctionConfigurations": entries})
    before = site.notifications()
    assert site.deployment().disable().in_sync
    assert site.notifications() == before
    site.deployment().enable(force=True)
    assert len(site.notifications()["LambdaFunctionConfigurations"]) == 1


# Functions, roles, log groups and tags


def test_a_foreign_function_is_refused_and_taken_over_with_force(site: Site) -> None:
    create_function(site, site.function)
    with pytest.raises(ConflictError, match="take it over with -f"):
        site.deployment().enable()
    assert site.watch.mutations == []
    site.deployment().enable(force=True)
    assert site.deployment().plan().in_sync


def test_disable_keeps_a_foreign_function(site: Site) -> None:
    create_function(site, site.function)
    site.deployment().disable()
    assert site.remains()["functions"] == [site.function]


def test_a_foreign_role_of_the_same_name_is_refused(site: Site) -> None:
    create_role(site, site.deployment().plan().desired.names.role)
    with pytest.raises(ConflictError, match=r"was not created by this tool: .* another role with -a"):
        site.deployment().enable()
    assert site.watch.mutations == []


def test_disable_keeps_a_foreign_log_group(site: Site) -> None:
    logs, name = site.client("logs"), f"/aws/lambda/{site.function}"
    logs.create_log_group(logGroupName=name)
    site.deployment().enable()
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group
    site.deployment().disable()
    assert site.remains()["log groups"] == [name]


def test_disable_deletes_a_role_with_a_foreign_policy_and_keeps_the_policy(site: Site) -> None:
    site.deployment().enable()
    iam, policy = site.client("iam"), create_policy(site, f"policy-{site.bucket}")
    iam.attach_role_policy(RoleName=site.role_names()[0], PolicyArn=policy)
    site.deployment().disable()
    assert site.role_names() == []
    assert iam.get_policy(PolicyArn=policy)["Policy"]["Arn"] == policy


def test_foreign_tags_are_kept_and_make_no_difference(site: Site) -> None:
    site.deployment().enable()
    iam, role = site.client("iam"), site.role_names()[0]
    foreign = {"Key": "CostCenter", "Value": "7"}
    iam.tag_role(RoleName=role, Tags=[foreign])
    assert site.deployment().plan().in_sync
    site.deployment(s3sync__tags="team=infra").enable()
    tags = iam.list_role_tags(RoleName=role)["Tags"]
    assert foreign in tags
    assert {"Key": "team", "Value": "infra"} in tags
