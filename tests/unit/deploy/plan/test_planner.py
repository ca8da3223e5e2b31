"""Planning enable and disable as a whole: which actions, in which order."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG
from pypicloud_s3sync.deploy.models import DeliveryResources
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from support.fakes import FINGERPRINT, NOTHING, deployed, make_desired, permission_statement
from support.notifications import for_functions
from support.plans import (
    DEPLOYED,
    DESIRED,
    ENTRY,
    FOREIGN_FUNCTION,
    GIVEN,
    OTHER_ARN,
    ROLE,
    WITH_GIVEN,
    actions,
    calls,
    with_configuration,
    with_tags,
)

NAMES = DESIRED.names


# Enable


def test_everything_is_created_in_a_safe_order() -> None:
    """S3 checks the function when the notification is put, and Lambda checks the queue with the function."""
    assert calls(plan_enable(DESIRED, NOTHING)) == [
        "role.create",
        "log_group.create",
        "queue.create",
        "queue.create",
        "function.create",
        "mapping.create",
        "permission.add",
        "notification.put",
    ]


def test_nothing_is_done_if_everything_is_as_desired() -> None:
    plan = plan_enable(DESIRED, DEPLOYED)
    assert plan.actions == ()
    assert plan.in_sync


def test_each_action_names_its_resource() -> None:
    created = {action.resource: action.name for action in plan_enable(DESIRED, NOTHING).actions}
    assert created == {
        "role": NAMES.role,
        "log group": NAMES.log_group,
        "dead-letter queue": NAMES.dead_letters,
        "queue": NAMES.queue,
        "function": NAMES.function,
        "event source mapping": NAMES.queue,
        "permission": NAMES.statement,
        "notification": NAMES.notification,
    }


def test_created_resources_are_shown_completely() -> None:
    shown = {
        action.resource: {change.field: change.after for change in action.changes}
        for action in plan_enable(DESIRED, NOTHING).actions
    }
    assert shown["role"] == {"trust": ROLE.trust, "policy": ROLE.policy}
    assert shown["log group"] == {"retention_days": 30}
    assert set(shown["function"]) == set(DESIRED.function.configuration)
    assert set(shown["permission"]) == {"Principal", "SourceArn", "SourceAccount"}
    assert shown["notification"] == {"entry": ENTRY}


def test_planning_does_not_modify_its_arguments() -> None:
    desired, observed = copy.deepcopy(DESIRED), copy.deepcopy(with_configuration(Timeout=3))
    plan_enable(desired, observed, force=True)
    plan_disable(desired, observed)
    assert desired == DESIRED
    assert observed == with_configuration(Timeout=3)


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ({"log_group": None}, "log_group.create"),
        ({"statements": ()}, "permission.add"),
        ({"notifications": {}}, "notification.put"),
    ],
    ids=lambda value: str(value),
)
def test_only_a_missing_resource_is_created(missing: dict[str, Any], call: str) -> None:
    assert calls(plan_enable(DESIRED, deployed(DESIRED, **missing))) == [call]


def test_a_missing_role_is_created_and_assigned_to_the_function_again() -> None:
    plan = plan_enable(DESIRED, deployed(DESIRED, role=None))
    assert calls(plan) == ["role.create", "function.renew_role"]


def test_a_missing_function_is_created_with_its_permission() -> None:
    """Deleting a function deletes its policy as well."""
    plan = plan_enable(DESIRED, deployed(DESIRED, function=None, statements=()))
    assert calls(plan) == ["function.create", "permission.add"]


def test_the_function_is_created_with_its_fingerprint_and_the_bundle() -> None:
    (action,) = actions(plan_enable(DESIRED, NOTHING), "function.create")
    assert action.arguments == {"function": DESIRED.function, "fingerprint": FINGERPRINT}
    assert action.needs_bundle


def test_force_takes_over_a_foreign_function() -> None:
    plan = plan_enable(DESIRED, replace(NOTHING, function=FOREIGN_FUNCTION), force=True)
    assert calls(plan) == [
        *("role.create", "log_group.create", "queue.create", "queue.create"),
        *("function.update_code", "function.update_configuration", "function.renew_role", "function.tag"),
        *("mapping.create", "permission.add", "notification.put"),
    ]
    (tag,) = actions(plan, "function.tag")
    assert tag.arguments["tags"] == DESIRED.function.tags


# Disable


def test_created_resources_are_removed_in_the_reverse_order() -> None:
    assert calls(plan_disable(DESIRED, DEPLOYED)) == [
        "notification.remove",
        "permission.remove",
        "mapping.delete",
        "function.delete",
        "queue.delete",
        "queue.delete",
        "log_group.delete",
        "role.delete",
    ]
    assert {action.verb for action in plan_disable(DESIRED, DEPLOYED).actions} == {"delete"}


def test_a_function_leaves_its_vpc_before_it_is_deleted_with_its_role() -> None:
    """Lambda needs the role to delete the network interfaces."""
    network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    removal = calls(plan_disable(DESIRED, with_configuration(VpcConfig=network)))
    assert removal[3:5] == ["function.leave_vpc", "function.delete"]
    assert removal.index("function.delete") < removal.index("role.delete")
    foreign = replace(FOREIGN_FUNCTION, configuration={"VpcConfig": network})
    assert "function.leave_vpc" not in calls(plan_disable(DESIRED, deployed(DESIRED, function=foreign)))


def test_the_spare_role_that_an_interrupted_run_left_is_removed() -> None:
    observed = deployed(DESIRED, spare_role=DESIRED.spare_role)
    names = [action.name for action in actions(plan_disable(DESIRED, observed), "role.delete")]
    assert names == [NAMES.role, NAMES.spare_role]
    foreign = replace(DESIRED.spare_role, tags={})
    assert len(actions(plan_disable(DESIRED, deployed(DESIRED, spare_role=foreign)), "role.delete")) == 1


def test_nothing_is_removed_if_nothing_exists() -> None:
    assert plan_disable(DESIRED, NOTHING).in_sync


#: For each field of Observed: its value if the resource is missing, and the call that removes the resource.
REMOVALS: dict[str, tuple[Any, str]] = {
    "notifications": ({}, "notification.remove"),
    "statements": ((), "permission.remove"),
    "function": (None, "function.delete"),
    "log_group": (None, "log_group.delete"),
    "role": (None, "role.delete"),
}


@pytest.mark.parametrize("part", REMOVALS)
def test_a_missing_resource_is_not_removed_and_the_others_are(part: str) -> None:
    missing, call = REMOVALS[part]
    removals = calls(plan_disable(DESIRED, deployed(DESIRED, **{part: missing})))
    assert call not in removals
    assert len(removals) == len(plan_disable(DESIRED, DEPLOYED).actions) - 1


@pytest.mark.parametrize("tags", [{}, {"team": "x"}, {OWNER_TAG: "another-bucket"}], ids=str)
@pytest.mark.parametrize("part", ["function", "log_group", "role"])
def test_a_foreign_resource_is_kept(part: str, tags: dict[str, str]) -> None:
    removals = calls(plan_disable(DESIRED, with_tags(part, tags)))
    assert REMOVALS[part][1] not in removals
    kept = {REMOVALS[part][1], "notification.remove"} if part == "function" else {REMOVALS[part][1]}
    expected = [call for call in calls(plan_disable(DESIRED, DEPLOYED)) if call not in kept]
    assert removals == expected


def test_the_notification_of_a_foreign_function_is_kept_without_the_own_permission() -> None:
    """An entry belongs to the owner of its receiver."""
    observed = deployed(DESIRED, function=FOREIGN_FUNCTION, role=None, log_group=None)
    plan = plan_disable(DESIRED, replace(observed, delivery_resources=DeliveryResources()))
    assert calls(plan) == ["permission.remove"]
    assert plan.actions[0].arguments == {"function": "sync", "statement": NAMES.statement}


def test_an_entry_of_a_function_that_was_deleted_by_hand_is_removed() -> None:
    """S3 would refuse every later write because of it."""
    observed = replace(NOTHING, notifications=for_functions({**ENTRY, "Id": ""}))
    assert calls(plan_disable(DESIRED, observed)) == ["notification.remove"]


def test_the_resources_of_ppc_create_s3_sync_are_kept() -> None:
    """They belong to this tool only after enable replaced them."""
    entry = {"Id": "a", "LambdaFunctionArn": DESIRED.function.arn, "Events": ["s3:ObjectCreated:*"]}
    statement = {**permission_statement(DESIRED), "Sid": "lambda-invoke-permission"}
    observed = replace(
        NOTHING, function=FOREIGN_FUNCTION, statements=(statement,), notifications=for_functions(entry)
    )
    assert plan_disable(DESIRED, observed).in_sync


def test_foreign_notifications_and_statements_are_kept() -> None:
    entry = {"Id": "x", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectCreated:*"]}
    statement = {**permission_statement(DESIRED), "Sid": "foreign"}
    observed = replace(NOTHING, statements=(statement,), notifications=for_functions(entry))
    assert plan_disable(DESIRED, observed).in_sync


def test_a_given_role_is_kept() -> None:
    plan = plan_disable(WITH_GIVEN, deployed(WITH_GIVEN, given_role=GIVEN))
    assert "role.delete" not in calls(plan)
    assert "function.delete" in calls(plan)


def test_an_obsolete_own_role_is_deleted_if_a_role_is_given() -> None:
    plan = plan_disable(WITH_GIVEN, deployed(WITH_GIVEN, role=ROLE, given_role=GIVEN))
    assert calls(plan)[-1] == "role.delete"


def test_disable_finds_the_resources_after_the_settings_have_changed() -> None:
    changed = make_desired(s3sync__memory_size="1024", storage__prefix="x/", s3sync__tags="a=b")
    assert calls(plan_disable(changed, DEPLOYED)) == calls(plan_disable(DESIRED, DEPLOYED))


def test_disable_needs_no_bundle() -> None:
    assert not any(action.needs_bundle for action in plan_disable(DESIRED, DEPLOYED).actions)
