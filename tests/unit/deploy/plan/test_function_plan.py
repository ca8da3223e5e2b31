"""Planning the actions on role, log group and function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, DELIVERY_TAG, OWNER_TAG, ROLE_TAG, bundle_tag
from pypicloud_s3sync.deploy.models import Change, Desired, Function, LogGroup, Observed
from pypicloud_s3sync.deploy.plan.function import code_is_known
from pypicloud_s3sync.deploy.plan.planner import plan_enable
from support.fakes import BUCKET, CODE, FINGERPRINT, NOTHING, deployed, make_desired, not_none
from support.plans import (
    DEPLOYED,
    DESIRED,
    FUNCTION,
    GIVEN,
    GIVEN_ARN,
    POLICY,
    ROLE,
    WITH_GIVEN,
    calls,
    changed_fields,
    only_action,
    with_configuration,
    with_tags,
)

NAMES = DESIRED.names
TAGGED = make_desired(s3sync__tags="team=infra")


# The role


OLD, NEW = "AROAOLDEXAMPLE", "AROANEWEXAMPLE"


def function_with_grant_of(unique_id: str) -> Function:
    return replace(FUNCTION, tags={**FUNCTION.tags, ROLE_TAG: unique_id})


def test_a_function_whose_grant_belongs_to_a_deleted_role_gets_its_role_again() -> None:
    observed = deployed(DESIRED, role=replace(ROLE, unique_id=NEW), function=function_with_grant_of(OLD))
    action = only_action(plan_enable(DESIRED, observed))
    assert (action.verb, action.resource, action.call) == ("update", "function", "function.renew_role")
    assert action.changes == (Change("role id", OLD, NEW),)
    assert action.arguments["role_arn"] == ROLE.arn
    assert action.arguments["spare"].policy == ROLE.policy


def test_a_given_role_that_was_created_again_is_assigned_to_the_function_again() -> None:
    given, function = replace(GIVEN, unique_id=NEW), deployed(WITH_GIVEN).function
    function = replace(not_none(function), tags={**not_none(function).tags, ROLE_TAG: OLD})
    action = only_action(
        plan_enable(WITH_GIVEN, deployed(WITH_GIVEN, role=None, given_role=given, function=function))
    )
    assert (action.call, action.arguments["role_arn"]) == ("function.renew_role", GIVEN_ARN)


def test_a_role_that_is_the_same_is_not_assigned_again() -> None:
    observed = deployed(DESIRED, role=replace(ROLE, unique_id=NEW), function=function_with_grant_of(NEW))
    assert plan_enable(DESIRED, observed).in_sync


def test_another_role_is_recorded_after_the_update_that_renews_the_grant() -> None:
    function = function_with_grant_of(OLD)
    function = replace(function, configuration={**function.configuration, "Role": "arn:other"})
    plan = plan_enable(DESIRED, deployed(DESIRED, role=replace(ROLE, unique_id=NEW), function=function))
    assert calls(plan) == ["function.update_configuration", "function.tag"]
    assert plan.actions[-1].arguments["tags"][ROLE_TAG] == NEW


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trust": {"Statement": []}}, "trust"),
        ({"policy": None}, "policy"),
        ({"policy": {"Version": "2012-10-17", "Statement": POLICY["Statement"][:1]}}, "policy"),
    ],
    ids=["trust", "no policy", "less policy"],
)
def test_a_role_that_differs_is_updated_and_the_change_is_shown(change: dict[str, Any], field: str) -> None:
    before = replace(ROLE, **change)
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, role=before)))
    assert (action.verb, action.call) == ("update", "role.update")
    assert action.arguments == {"role": DESIRED.role, "before": before}
    (shown,) = action.changes
    assert (shown.field, shown.before) == (field, getattr(before, field))
    assert shown.after == getattr(ROLE, field)


def test_the_own_role_is_deleted_last_if_a_role_is_given() -> None:
    plan = plan_enable(WITH_GIVEN, deployed(DESIRED, given_role=GIVEN))
    assert calls(plan) == ["function.update_configuration", "role.delete"]
    assert plan.actions[-1].arguments == {"name": NAMES.role}


def test_no_role_is_created_if_a_role_is_given() -> None:
    assert "role.create" not in calls(plan_enable(WITH_GIVEN, replace(NOTHING, given_role=GIVEN)))


def test_a_foreign_role_of_the_same_name_is_kept_if_a_role_is_given() -> None:
    foreign = replace(ROLE, tags={})
    plan = plan_enable(WITH_GIVEN, replace(NOTHING, role=foreign, given_role=GIVEN))
    assert "role.delete" not in calls(plan)


# The log group


WITH_RETENTION = make_desired(s3sync__log_retention_days="30")


@pytest.mark.parametrize("retention", [None, 7, 3653])
def test_the_retention_of_the_settings_is_applied(retention: int | None) -> None:
    for tags in (DESIRED.log_group.tags, {"team": "x"}):
        group = LogGroup(NAMES.log_group, retention, tags)
        action = only_action(plan_enable(WITH_RETENTION, deployed(WITH_RETENTION, log_group=group)))
        assert action.call == "log_group.update"
        assert [(change.field, change.before, change.after) for change in action.changes] == [
            ("retention_days", retention, 30)
        ]


@pytest.mark.parametrize("tags", [DESIRED.log_group.tags, {"team": "x"}], ids=["own", "foreign"])
@pytest.mark.parametrize("retention", [7, 3653])
def test_a_retention_that_someone_chose_stays_without_a_setting(retention: int, tags: dict[str, str]) -> None:
    group = LogGroup(NAMES.log_group, retention, tags)
    assert plan_enable(DESIRED, deployed(DESIRED, log_group=group)).in_sync


def test_a_foreign_log_group_that_keeps_its_events_forever_stays() -> None:
    group = LogGroup(NAMES.log_group, None, {"team": "x"})
    assert plan_enable(DESIRED, deployed(DESIRED, log_group=group)).in_sync


def test_an_interrupted_creation_of_the_log_group_is_finished() -> None:
    group = replace(DESIRED.log_group, retention_days=None)
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, log_group=group)))
    assert [(change.field, change.after) for change in action.changes] == [("retention_days", 30)]


def test_a_boundary_that_someone_put_on_the_role_stays_without_a_setting() -> None:
    role = replace(ROLE, boundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert plan_enable(DESIRED, deployed(DESIRED, role=role)).in_sync
    (update,) = plan_enable(DESIRED, deployed(DESIRED, role=replace(role, policy=None))).actions
    assert update.arguments["role"].boundary == role.boundary


def test_a_dead_letter_target_that_someone_set_stays() -> None:
    target = {"DeadLetterConfig": {"TargetArn": "arn:aws:sns:eu-west-1:111122223333:failures"}}
    assert plan_enable(DESIRED, with_configuration(**target)).in_sync


def test_ipv6_that_someone_allowed_in_the_vpc_stays() -> None:
    desired = make_desired(s3sync__vpc_subnet_ids="subnet-1", s3sync__vpc_security_group_ids="sg-1")
    observed = deployed(desired)
    function = not_none(observed.function)
    network = {**function.configuration["VpcConfig"], "Ipv6AllowedForDualStack": True}
    function = replace(function, configuration={**function.configuration, "VpcConfig": network, "Timeout": 9})
    action = only_action(plan_enable(desired, replace(observed, function=function)))
    assert action.arguments["configuration"]["VpcConfig"] == network
    assert [change.field for change in action.changes] == ["Timeout"]


# Tags


@pytest.mark.parametrize("tags", [{}, {"team": "x"}, {"team": "x", "cost": "12"}], ids=str)
@pytest.mark.parametrize("part", ["role", "log_group"])
def test_the_tags_of_the_settings_are_set_on_role_and_log_group(part: str, tags: dict[str, str]) -> None:
    before = replace(getattr(deployed(TAGGED), part), tags={OWNER_TAG: BUCKET, **tags})
    action = only_action(plan_enable(TAGGED, deployed(TAGGED, **{part: before})))
    assert action.call == f"{part}.update"
    assert [change.field for change in action.changes] == ["tags"]
    assert action.changes[0].after == {OWNER_TAG: BUCKET, "team": "infra"}


@pytest.mark.parametrize("part", ["role", "log_group", "function"])
def test_foreign_tags_make_no_difference(part: str) -> None:
    """Organizations tag resources automatically, and would do so again after each run."""
    resource = getattr(DEPLOYED, part)
    observed = deployed(DESIRED, **{part: replace(resource, tags={**resource.tags, "cost-center": "12"})})
    assert plan_enable(DESIRED, observed).in_sync


@pytest.mark.parametrize(
    "tags",
    [
        {OWNER_TAG: BUCKET},
        {OWNER_TAG: BUCKET, "team": "other", "cost": "12"},
        {OWNER_TAG: BUCKET, "team": "infra"},
    ],
    ids=["none", "another value", "one missing"],
)
def test_missing_tags_are_set_on_the_function(tags: dict[str, str]) -> None:
    desired = make_desired(s3sync__tags="team=infra,cost=12")
    managed = {BUNDLE_TAG: bundle_tag(FINGERPRINT, CODE), DELIVERY_TAG: "direct"}
    function = replace(not_none(deployed(desired).function), tags={**tags, **managed})
    action = only_action(plan_enable(desired, deployed(desired, function=function)))
    assert action.call == "function.tag"
    assert action.arguments["tags"] == desired.function.tags
    assert action.arguments["arn"] == DESIRED.function.arn


# The function's code


def test_code_is_known_by_the_tag_with_its_inputs_and_its_checksum() -> None:
    assert code_is_known(DESIRED, DEPLOYED.function)


@pytest.mark.parametrize(
    "function",
    [
        None,
        replace(FUNCTION, code_sha256=None),
        replace(FUNCTION, code_sha256="foreign code"),
        replace(FUNCTION, tags={OWNER_TAG: BUCKET}),
        replace(FUNCTION, tags={BUNDLE_TAG: bundle_tag("other inputs", CODE)}),
        replace(FUNCTION, tags={BUNDLE_TAG: FINGERPRINT}),
    ],
    ids=["no function", "no checksum", "other code", "no tag", "other inputs", "incomplete tag"],
)
def test_code_is_not_known_if_inputs_or_checksum_differ(function: Function | None) -> None:
    assert not code_is_known(DESIRED, function)


@pytest.mark.parametrize(
    ("tag", "recorded"),
    [
        (bundle_tag("other inputs", CODE), "other inputs"),
        (f"other-layout:{FINGERPRINT}", f"other-layout:{FINGERPRINT}"),
        ("", None),
    ],
    ids=["other inputs", "unknown layout", "no tag"],
)
def test_code_of_other_inputs_is_updated_and_the_inputs_are_shown(tag: str, recorded: str | None) -> None:
    """Whether the zip would be another one is known only after a build, which a plan does not make."""
    action = only_action(plan_enable(DESIRED, with_tags("function", {**FUNCTION.tags, BUNDLE_TAG: tag})))
    assert (action.resource, action.call) == ("code", "function.update_code")
    assert action.changes == (Change("fingerprint", recorded, FINGERPRINT),)
    assert action.arguments == {
        "name": "sync",
        "arn": DESIRED.function.arn,
        "fingerprint": FINGERPRINT,
        "architecture": "x86_64",
        "deployed": CODE,
    }
    assert action.needs_bundle


def test_code_that_was_replaced_by_another_owner_is_updated_and_its_checksum_is_shown() -> None:
    replaced = deployed(DESIRED, function=replace(FUNCTION, code_sha256="foreign code"))
    action = only_action(plan_enable(DESIRED, replaced))
    assert action.changes == (Change("CodeSha256", "foreign code", CODE),)
    assert action.arguments["deployed"] == "foreign code"


def test_force_uploads_unchanged_code() -> None:
    action = only_action(plan_enable(DESIRED, DEPLOYED, force=True))
    assert action.call == "function.update_code"
    assert action.arguments["deployed"] is None
    assert action.changes == (Change("CodeSha256", CODE, "rebuilt"),)


def test_a_different_architecture_uploads_code_for_it_and_is_shown() -> None:
    """Lambda accepts an architecture only together with code, since binaries depend on it."""
    plan = plan_enable(make_desired(s3sync__architecture="arm64"), DEPLOYED)
    action = only_action(plan)
    assert action.call == "function.update_code"
    assert (action.arguments["architecture"], action.arguments["deployed"]) == ("arm64", None)
    assert "arm64" in str([change.after for change in action.changes])


def with_other_code(**changes: Any) -> Observed:
    """Return AWS with other code and another configuration of the function."""
    function = not_none(with_configuration(**changes).function)
    return deployed(DESIRED, function=replace(function, code_sha256="another"))


def test_code_is_uploaded_before_the_configuration_that_may_need_it() -> None:
    plan = plan_enable(DESIRED, with_other_code(Handler="lambda_script.handle_s3_event"))
    assert calls(plan) == ["function.update_code", "function.update_configuration"]


@pytest.mark.parametrize("runtime", ["python3.8", "python3.11"])
def test_the_runtime_is_changed_before_code_is_uploaded_which_lambda_refuses_for_an_old_one(
    runtime: str,
) -> None:
    plan = plan_enable(DESIRED, with_other_code(Runtime=runtime))
    assert calls(plan) == ["function.update_configuration", "function.update_code"]


# The function's configuration


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Description", "x"),
        ("Role", GIVEN_ARN),
        ("Runtime", "python3.9"),
        ("Handler", "x.y"),
        ("MemorySize", 128),
        ("Timeout", 3),
        ("VpcConfig", {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}),
        ("Environment", {}),
        ("Environment", {"PYPICLOUD_SETTINGS": "{}"}),
    ],
)
def test_a_different_configuration_is_updated_and_shown(field: str, value: Any) -> None:
    plan = plan_enable(DESIRED, with_configuration(**{field: value}))
    action = only_action(plan)
    assert (action.verb, action.call) == ("update", "function.update_configuration")
    assert changed_fields(plan) == [field]
    assert action.arguments["configuration"][field] == DESIRED.function.configuration[field]


def test_a_failed_function_is_updated_even_if_nothing_differs() -> None:
    failed = replace(FUNCTION, failure="the subnet is full")
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, function=failed)))
    assert action.call == "function.update_configuration"
    assert [(change.field, change.before) for change in action.changes] == [
        ("state", "failed: the subnet is full")
    ]


def test_a_configuration_update_never_contains_the_architecture() -> None:
    action = only_action(plan_enable(DESIRED, with_configuration(Timeout=3)))
    assert "Architectures" not in action.arguments["configuration"]
    assert set(action.arguments["configuration"]) == set(DESIRED.function.configuration) - {"Architectures"}


def test_foreign_variables_make_no_difference_and_are_kept() -> None:
    own = DESIRED.function.configuration["Environment"]
    assert plan_enable(DESIRED, with_configuration(Environment={**own, "PPC_X": "1"})).in_sync
    observed = with_configuration(Environment={"PYPICLOUD_SETTINGS": "{}", "PPC_X": "1"})
    action = only_action(plan_enable(DESIRED, observed))
    assert action.arguments["configuration"]["Environment"] == {**own, "PPC_X": "1"}


def with_password(password: str) -> Desired:
    return make_desired(
        pypi__db="redis",
        db__region_name=None,
        db__url=f"redis://:{password}@cache.example:6379/0",
        s3sync__secrets="environment",
    )


def test_a_changed_password_is_updated_but_not_shown() -> None:
    plan = plan_enable(with_password("new-word"), deployed(with_password("old-word")))
    action = only_action(plan)
    assert action.call == "function.update_configuration"
    assert changed_fields(plan) == ["Environment"]
    assert "word" not in str(action.changes)
    assert "new-word" in action.arguments["configuration"]["Environment"]["PYPICLOUD_SETTINGS"]


def test_a_changed_password_is_listed_besides_other_changes() -> None:
    old = deployed(with_password("old-word"))
    function = not_none(old.function)
    slower = replace(function, configuration={**function.configuration, "Timeout": 3})
    plan = plan_enable(with_password("new-word"), replace(old, function=slower))
    assert sorted(changed_fields(plan)) == ["Environment", "Timeout"]


def test_the_environment_never_appears_in_a_repr() -> None:
    secret = with_password("hunter2")
    function = Function("f", "arn", {"Environment": {"X": "hunter2"}}, {})
    for value in (secret, plan_enable(secret, NOTHING), plan_enable(secret, deployed(secret)), function):
        assert "hunter2" not in repr(value)
