"""From what is wanted and what is there to what is done: values in, values out."""

import copy
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.models import (
    BUNDLE_TAG,
    DELIVERY_TAG,
    OWNER_TAG,
    Function,
    LogGroup,
    Role,
    bundle_tag,
)
from pypicloud_s3sync.deploy.plan.function import code_is_known
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.exceptions import ConfigError, ConflictError
from support.fakes import (
    ACCOUNT,
    BUCKET,
    CODE,
    FINGERPRINT,
    NOTHING,
    REGION,
    deployed,
    make_desired,
    statement_of,
)

DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)
NAMES = DESIRED.names
GIVEN_ARN = f"arn:aws:iam::{ACCOUNT}:role/given"
WITH_GIVEN = make_desired(s3sync__role_arn=GIVEN_ARN)
GIVEN = Role("given", "/", GIVEN_ARN, DESIRED.role.trust, policy=None, boundary=None, tags={})
OTHER_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"
FOREIGN_FUNCTION = replace(
    DEPLOYED.function, tags={"team": "x"}, configuration={**DESIRED.function.configuration, "Timeout": 3}
)


def calls(plan):
    return [action.call for action in plan.actions]


def changed_fields(plan):
    return [change.field for action in plan.actions for change in action.changes]


def only_action(plan):
    (action,) = plan.actions
    return action


def lambdas(*items):
    return {"LambdaFunctionConfigurations": list(items)}


def with_configuration(**changes):
    configuration = {**DEPLOYED.function.configuration, **changes}
    return deployed(DESIRED, function=replace(DEPLOYED.function, configuration=configuration))


def with_tags(part, tags):
    return deployed(DESIRED, **{part: replace(getattr(DEPLOYED, part), tags=tags)})


# Enabling where there is nothing


def test_everything_is_made_in_the_order_that_is_safe():
    """S3 checks the function when the notification is put, and Lambda the role when the function is made."""
    assert calls(plan_enable(DESIRED, NOTHING)) == [
        "role.create",
        "log_group.create",
        "function.create",
        "permission.add",
        "notification.put",
    ]


def test_where_all_is_as_wanted_nothing_is_done():
    plan = plan_enable(DESIRED, DEPLOYED)
    assert plan.actions == ()
    assert plan.in_sync


def test_each_action_says_what_it_makes_by_name():
    made = {action.resource: action.name for action in plan_enable(DESIRED, NOTHING).actions}
    assert made == {
        "role": NAMES.role,
        "log group": NAMES.log_group,
        "function": NAMES.function,
        "permission": NAMES.statement,
        "notification": NAMES.notification,
    }


def test_what_is_made_is_shown_whole():
    shown = {
        action.resource: {change.field: change.after for change in action.changes}
        for action in plan_enable(DESIRED, NOTHING).actions
    }
    assert shown["role"] == {"trust": DESIRED.role.trust, "policy": DESIRED.role.policy}
    assert shown["log group"] == {"retention_days": 30}
    assert set(shown["function"]) == set(DESIRED.function.configuration)
    assert set(shown["permission"]) == {"Principal", "SourceArn", "SourceAccount"}
    assert shown["notification"] == {"entry": DESIRED.subscription.entry}


def test_planning_changes_none_of_its_values():
    desired, observed = copy.deepcopy(DESIRED), copy.deepcopy(with_configuration(Timeout=3))
    plan_enable(desired, observed, "other", force=True)
    plan_disable(desired, observed)
    assert desired == DESIRED
    assert observed == with_configuration(Timeout=3)


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ({"role": None}, "role.create"),
        ({"log_group": None}, "log_group.create"),
        ({"statements": ()}, "permission.add"),
        ({"notifications": {}}, "notification.put"),
    ],
    ids=lambda value: str(value),
)
def test_only_what_is_missing_is_made(missing, call):
    assert calls(plan_enable(DESIRED, deployed(DESIRED, **missing))) == [call]


def test_a_function_that_is_gone_took_its_permission_along():
    plan = plan_enable(DESIRED, deployed(DESIRED, function=None, statements=()))
    assert calls(plan) == ["function.create", "permission.add"]


def test_the_function_is_made_with_its_fingerprint_and_the_bundle():
    (action,) = [a for a in plan_enable(DESIRED, NOTHING).actions if a.resource == "function"]
    assert action.arguments == {"function": DESIRED.function, "fingerprint": FINGERPRINT}
    assert action.needs_bundle


# What is in the way


def test_a_given_role_that_does_not_exist_is_refused():
    with pytest.raises(ConflictError, match=f"the role {GIVEN_ARN} does not exist: correct the ARN"):
        plan_enable(WITH_GIVEN, NOTHING)


def test_a_given_role_that_lambda_may_not_assume_is_refused():
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    with pytest.raises(ConflictError, match=r"does not let Lambda assume it.*lambda\.amazonaws\.com"):
        plan_enable(WITH_GIVEN, replace(NOTHING, given_role=replace(GIVEN, trust=trust)))


@pytest.mark.parametrize("tags", [{}, {"team": "x"}, {OWNER_TAG: "another-bucket"}], ids=str)
@pytest.mark.parametrize("force", [False, True])
def test_a_role_of_our_name_that_is_not_ours_is_refused_even_with_force(tags, force):
    with pytest.raises(ConflictError, match=f"a role {DESIRED.role.arn} exists that this tool did not make"):
        plan_enable(DESIRED, with_tags("role", tags), force=force)


def test_a_role_of_our_name_does_not_matter_where_one_is_given():
    foreign = replace(DESIRED.role, tags={})
    observed = deployed(WITH_GIVEN, role=foreign, given_role=GIVEN)
    assert plan_enable(WITH_GIVEN, observed).in_sync


def test_somebody_elses_function_is_refused_with_both_ways_out():
    with pytest.raises(ConflictError, match=r"a function sync exists in eu-west-1.*with -n.*with -f"):
        plan_enable(DESIRED, deployed(DESIRED, function=FOREIGN_FUNCTION), CODE)


@pytest.mark.parametrize("force", [False, True])
def test_another_buckets_function_is_refused_even_with_force(force):
    observed = with_tags("function", {OWNER_TAG: "another-bucket"})
    with pytest.raises(ConflictError, match="serves the bucket another-bucket: give another name with -n"):
        plan_enable(DESIRED, observed, CODE, force=force)


@pytest.mark.parametrize("force", [False, True])
def test_an_overlapping_notification_is_refused_and_named_even_with_force(force):
    item = {"Id": "theirs", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectCreated:Put"]}
    with pytest.raises(ConflictError) as refused:
        plan_enable(DESIRED, replace(NOTHING, notifications=lambdas(item)), force=force)
    for said in (BUCKET, "theirs (s3:ObjectCreated:Put)", OTHER_ARN, "narrow or remove"):
        assert said in str(refused.value)


def sized(size):
    """A function whose environment has another variable, so that all of it will have this many bytes."""
    ours = DESIRED.function.configuration["Environment"]
    free = size - sum(len(name) + len(value) for name, value in ours.items())
    return with_configuration(Environment={**ours, "X": "x" * (free - 1)})


def test_an_environment_that_lambda_would_refuse_is_refused_before_anything_is_made():
    with pytest.raises(ConfigError, match=r"sync would have 4097 bytes, and Lambda takes 4096: shorten"):
        plan_enable(DESIRED, sized(4097))
    assert plan_enable(DESIRED, sized(4096)).in_sync


def test_an_environment_is_measured_in_bytes():
    long = make_desired(storage__prefix="ü" * 2000)
    with pytest.raises(ConfigError, match="Lambda takes 4096"):
        plan_enable(long, NOTHING)


def test_each_refusal_is_one_line():
    item = {"Id": "theirs", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectCreated:Put"]}
    for desired, observed in (
        (WITH_GIVEN, NOTHING),
        (WITH_GIVEN, replace(NOTHING, given_role=replace(GIVEN, trust={}))),
        (DESIRED, with_tags("role", {})),
        (DESIRED, with_tags("function", {})),
        (DESIRED, with_tags("function", {OWNER_TAG: "x"})),
        (DESIRED, replace(NOTHING, notifications=lambdas(item))),
    ):
        with pytest.raises(ConflictError) as refused:
            plan_enable(desired, observed)
        assert "\n" not in str(refused.value)


# The role


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trust": {"Statement": []}}, "trust"),
        ({"policy": None}, "policy"),
        ({"policy": {"Version": "2012-10-17", "Statement": DESIRED.role.policy["Statement"][:1]}}, "policy"),
        ({"boundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, "boundary"),
    ],
    ids=["trust", "no policy", "less policy", "boundary"],
)
def test_a_role_that_differs_is_updated_and_says_where(change, field):
    before = replace(DESIRED.role, **change)
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, role=before)))
    assert (action.verb, action.call) == ("update", "role.update")
    assert action.arguments == {"role": DESIRED.role, "before": before}
    (shown,) = action.changes
    assert (shown.field, shown.before) == (field, getattr(before, field))
    assert shown.after == getattr(DESIRED.role, field)


def test_with_a_given_role_ours_goes_once_nothing_uses_it():
    plan = plan_enable(WITH_GIVEN, deployed(DESIRED, given_role=GIVEN))
    assert calls(plan) == ["function.update_configuration", "role.delete"]
    assert plan.actions[-1].arguments == {"name": NAMES.role}


def test_with_a_given_role_none_is_made():
    assert "role.create" not in calls(plan_enable(WITH_GIVEN, replace(NOTHING, given_role=GIVEN)))


def test_with_a_given_role_one_of_our_name_that_is_not_ours_stays():
    foreign = replace(DESIRED.role, tags={})
    plan = plan_enable(WITH_GIVEN, replace(NOTHING, role=foreign, given_role=GIVEN))
    assert "role.delete" not in calls(plan)


# The log group


@pytest.mark.parametrize("retention", [None, 7, 3653])
def test_another_retention_is_changed(retention):
    group = replace(DESIRED.log_group, retention_days=retention)
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, log_group=group)))
    assert action.call == "log_group.update"
    assert [(c.field, c.before, c.after) for c in action.changes] == [("retention_days", retention, 30)]


def test_a_log_group_that_was_there_keeps_its_tags_and_gets_our_retention():
    group = LogGroup(NAMES.log_group, None, {"team": "x"})
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, log_group=group)))
    assert [change.field for change in action.changes] == ["retention_days"]
    assert action.arguments["ours"] is False


def test_a_log_group_that_was_there_and_fits_is_left_alone():
    group = LogGroup(NAMES.log_group, 30, {"team": "x"})
    assert plan_enable(DESIRED, deployed(DESIRED, log_group=group)).in_sync


TAGGED = make_desired(s3sync__tags="team=infra")


@pytest.mark.parametrize("tags", [{}, {"team": "x"}, {"team": "x", "cost": "12"}], ids=str)
@pytest.mark.parametrize("part", ["role", "log_group"])
def test_tags_of_the_settings_are_put_on_role_and_log_group(part, tags):
    before = replace(getattr(TAGGED, part), tags={OWNER_TAG: BUCKET, **tags})
    action = only_action(plan_enable(TAGGED, deployed(TAGGED, **{part: before})))
    assert action.call == f"{part}.update"
    assert [change.field for change in action.changes] == ["tags"]
    assert action.changes[0].after == {OWNER_TAG: BUCKET, "team": "infra"}


@pytest.mark.parametrize("part", ["role", "log_group", "function"])
def test_tags_that_somebody_added_are_no_difference(part):
    """An organization tags what it has, and would do so again after each run."""
    tagged = getattr(DEPLOYED, part)
    observed = deployed(DESIRED, **{part: replace(tagged, tags={**tagged.tags, "cost-center": "12"})})
    assert plan_enable(DESIRED, observed).in_sync


# The function's code


def test_code_is_known_by_the_tag_of_its_inputs_and_its_checksum():
    assert code_is_known(DESIRED, DEPLOYED.function)


@pytest.mark.parametrize(
    "function",
    [
        None,
        replace(DEPLOYED.function, code_sha256=None),
        replace(DEPLOYED.function, code_sha256="sent by somebody else"),
        replace(DEPLOYED.function, tags={OWNER_TAG: BUCKET}),
        replace(DEPLOYED.function, tags={BUNDLE_TAG: bundle_tag("other inputs", CODE)}),
        replace(DEPLOYED.function, tags={BUNDLE_TAG: FINGERPRINT}),
    ],
    ids=["no function", "no checksum", "other code", "no tag", "other inputs", "half a tag"],
)
def test_code_is_not_known_where_inputs_or_checksum_say_otherwise(function):
    assert not code_is_known(DESIRED, function)


def test_other_code_is_sent():
    plan = plan_enable(DESIRED, DEPLOYED, "another")
    action = only_action(plan)
    assert (action.resource, action.call) == ("code", "function.update_code")
    assert [(c.field, c.before, c.after) for c in action.changes] == [("CodeSha256", CODE, "another")]
    assert action.arguments == {
        "name": "sync",
        "arn": DESIRED.function.arn,
        "fingerprint": FINGERPRINT,
        "architecture": "x86_64",
    }
    assert action.needs_bundle


def test_the_same_code_of_other_inputs_is_only_tagged():
    tags = {**DEPLOYED.function.tags, BUNDLE_TAG: bundle_tag("other inputs", CODE)}
    action = only_action(plan_enable(DESIRED, with_tags("function", tags), CODE))
    assert action.call == "function.tag_bundle"
    assert action.needs_bundle


def test_force_sends_the_code_though_nothing_changed():
    assert calls(plan_enable(DESIRED, DEPLOYED, force=True)) == ["function.update_code"]


def test_another_architecture_sends_the_code_for_it():
    """Lambda takes the architecture with the code only, and binaries of the other one would not run."""
    desired = make_desired(s3sync__architecture="arm64")
    plan = plan_enable(desired, deployed(DESIRED))
    assert calls(plan) == ["function.update_code"]
    assert plan.actions[0].arguments["architecture"] == "arm64"


def test_another_architecture_is_shown():
    """A reader of the plan must see what is about to change."""
    plan = plan_enable(make_desired(s3sync__architecture="arm64"), deployed(DESIRED))
    assert "arm64" in str([change.after for action in plan.actions for change in action.changes])


def test_code_is_sent_before_the_configuration_that_may_need_it():
    observed = with_configuration(Handler="lambda_script.handle_s3_event", Runtime="python3.9")
    plan = plan_enable(DESIRED, observed, "another")
    assert calls(plan) == ["function.update_code", "function.update_configuration"]


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
def test_a_setting_that_differs_is_updated_and_shown(field, value):
    plan = plan_enable(DESIRED, with_configuration(**{field: value}))
    action = only_action(plan)
    assert (action.verb, action.call) == ("update", "function.update_configuration")
    assert changed_fields(plan) == [field]
    assert action.arguments["configuration"][field] == DESIRED.function.configuration[field]


def test_a_function_that_failed_is_configured_anew_though_nothing_differs():
    failed = replace(DEPLOYED.function, failure="the subnet is full")
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, function=failed)))
    assert action.call == "function.update_configuration"
    assert [(c.field, c.before) for c in action.changes] == [("state", "failed: the subnet is full")]


def test_the_architecture_is_no_part_of_a_configuration_update():
    action = only_action(plan_enable(DESIRED, with_configuration(Timeout=3)))
    assert "Architectures" not in action.arguments["configuration"]
    assert set(action.arguments["configuration"]) == set(DESIRED.function.configuration) - {"Architectures"}


def test_variables_that_somebody_added_are_no_difference_and_stay():
    ours = DESIRED.function.configuration["Environment"]
    assert plan_enable(DESIRED, with_configuration(Environment={**ours, "PPC_X": "1"})).in_sync
    observed = with_configuration(Environment={"PYPICLOUD_SETTINGS": "{}", "PPC_X": "1"})
    action = only_action(plan_enable(DESIRED, observed))
    assert action.arguments["configuration"]["Environment"] == {**ours, "PPC_X": "1"}


URL = {"pypi__db": "redis", "db__region_name": None, "db__url": "redis://:{}@cache.example:6379/0"}


def with_password(word):
    return make_desired(**{**URL, "db__url": URL["db__url"].format(word)})


def test_a_password_that_changed_is_a_change_though_it_is_not_shown():
    plan = plan_enable(with_password("new-word"), deployed(with_password("old-word")))
    action = only_action(plan)
    assert action.call == "function.update_configuration"
    assert changed_fields(plan) == ["Environment"]
    assert "word" not in str(action.changes)
    assert "new-word" in action.arguments["configuration"]["Environment"]["PYPICLOUD_SETTINGS"]


def test_a_password_that_changed_beside_something_else_is_named_too():
    new = with_password("new-word")
    old = deployed(with_password("old-word"))
    slower = replace(old.function, configuration={**old.function.configuration, "Timeout": 3})
    plan = plan_enable(new, replace(old, function=slower))
    assert sorted(changed_fields(plan)) == ["Environment", "Timeout"]


@pytest.mark.parametrize(
    "tags",
    [
        {OWNER_TAG: BUCKET},
        {OWNER_TAG: BUCKET, "team": "other", "cost": "12"},
        {OWNER_TAG: BUCKET, "team": "infra"},
    ],
    ids=["none", "another value", "one missing"],
)
def test_missing_tags_are_put_on_the_function(tags):
    desired = make_desired(s3sync__tags="team=infra,cost=12")
    code = {BUNDLE_TAG: bundle_tag(FINGERPRINT, CODE), DELIVERY_TAG: "direct"}
    observed = deployed(desired)
    observed = replace(observed, function=replace(observed.function, tags={**tags, **code}))
    action = only_action(plan_enable(desired, observed))
    assert action.call == "function.tag"
    assert action.arguments["tags"] == desired.function.tags
    assert action.arguments["arn"] == DESIRED.function.arn


# Taking over


def test_force_takes_over_a_function_with_code_configuration_and_tag():
    plan = plan_enable(DESIRED, replace(NOTHING, function=FOREIGN_FUNCTION), "another", force=True)
    assert calls(plan) == [
        "role.create",
        "log_group.create",
        "function.update_code",
        "function.update_configuration",
        "function.tag",
        "permission.add",
        "notification.put",
    ]
    assert plan.actions[4].arguments["tags"] == DESIRED.function.tags


def test_the_two_entries_that_pypicloud_left_are_replaced_and_shown():
    left = [
        {"Id": "a", "LambdaFunctionArn": DESIRED.function.arn, "Events": ["s3:ObjectCreated:*"]},
        {"Id": "b", "LambdaFunctionArn": DESIRED.function.arn, "Events": ["s3:ObjectRemoved:*"]},
    ]
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, notifications=lambdas(*left))))
    assert (action.verb, action.call) == ("update", "notification.put")
    assert action.changes[0].before == left


# The permission


def changed_statement(**changes):
    return deployed(DESIRED, statements=({**statement_of(DESIRED), **changes},))


def condition(**operators):
    return {"Condition": {name: dict(pairs) for name, pairs in operators.items()}}


ARN = f"arn:aws:s3:::{BUCKET}"
SAME_STATEMENTS = {
    "as Lambda spells it": {},
    "one operator": condition(
        StringEquals={"aws:SourceArn": ARN, "aws:SourceAccount": ACCOUNT},
    ),
    "lower case": condition(
        StringEquals={"aws:sourceaccount": ACCOUNT},
        ArnLike={"aws:sourcearn": ARN},
    ),
    "principal as a string": {"Principal": "s3.amazonaws.com"},
}
OTHER_STATEMENTS = {
    "no SourceAccount": condition(ArnLike={"AWS:SourceArn": ARN}),
    "no SourceArn": condition(StringEquals={"AWS:SourceAccount": ACCOUNT}),
    "no condition": {"Condition": {}},
    "another bucket": condition(
        StringEquals={"AWS:SourceAccount": ACCOUNT}, ArnLike={"AWS:SourceArn": f"{ARN}-2"}
    ),
    "another account": condition(
        StringEquals={"AWS:SourceAccount": "444455556666"}, ArnLike={"AWS:SourceArn": ARN}
    ),
    "a condition more": condition(
        StringEquals={"AWS:SourceAccount": ACCOUNT, "aws:PrincipalOrgID": "o-1"},
        ArnLike={"AWS:SourceArn": ARN},
    ),
    "any action": {"Action": "lambda:*"},
    "another service": {"Principal": {"Service": "sns.amazonaws.com"}},
    "anybody": {"Principal": "*"},
    "denied": {"Effect": "Deny"},
}


@pytest.mark.parametrize("changes", SAME_STATEMENTS.values(), ids=SAME_STATEMENTS)
def test_a_permission_in_another_spelling_is_left_alone(changes):
    assert plan_enable(DESIRED, changed_statement(**changes)).in_sync


@pytest.mark.parametrize("changes", OTHER_STATEMENTS.values(), ids=OTHER_STATEMENTS)
def test_a_permission_that_differs_is_replaced(changes):
    action = only_action(plan_enable(DESIRED, changed_statement(**changes)))
    assert (action.verb, action.call) == ("update", "permission.replace")
    assert action.arguments == {"permission": DESIRED.permission}


def test_other_statements_of_the_functions_policy_do_not_matter():
    other = {**statement_of(DESIRED), "Sid": "somebody-elses"}
    assert plan_enable(DESIRED, deployed(DESIRED, statements=(other, statement_of(DESIRED)))).in_sync
    assert calls(plan_enable(DESIRED, deployed(DESIRED, statements=(other,)))) == ["permission.add"]


# The notification


@pytest.mark.parametrize(
    "item",
    [
        {"Filter": {}},
        {"Filter": {"Key": {"FilterRules": []}}},
        {"Events": list(reversed(DESIRED.subscription.entry["Events"]))},
    ],
    ids=str,
)
def test_a_notification_in_another_spelling_is_left_alone(item):
    observed = deployed(DESIRED, notifications=lambdas({**DESIRED.subscription.entry, **item}))
    assert plan_enable(DESIRED, observed).in_sync


def test_a_prefix_that_s3_spells_in_capitals_is_left_alone():
    desired = make_desired(storage__prefix="pkgs/")
    rules = {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "pkgs/"}]}}
    observed = deployed(desired, notifications=lambdas({**desired.subscription.entry, "Filter": rules}))
    assert plan_enable(desired, observed).in_sync


@pytest.mark.parametrize(
    "item",
    [
        {"Events": ["s3:ObjectCreated:*"]},
        {"Events": [*DESIRED.subscription.entry["Events"], "s3:ObjectTagging:*"]},
        {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "x/"}]}}},
    ],
    ids=["fewer events", "more events", "a prefix"],
)
def test_a_notification_that_differs_is_put_again_and_shown(item):
    before = {**DESIRED.subscription.entry, **item}
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, notifications=lambdas(before))))
    assert (action.verb, action.call) == ("update", "notification.put")
    assert action.changes[0].before == [before]
    assert action.changes[0].after == DESIRED.subscription.entry


def test_foreign_notifications_are_no_difference():
    theirs = {"Id": "x", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectTagging:*"]}
    observed = {**lambdas(theirs, DESIRED.subscription.entry), "EventBridgeConfiguration": {}}
    assert plan_enable(DESIRED, deployed(DESIRED, notifications=observed)).in_sync


# Disabling


def test_what_enable_made_is_removed_in_the_opposite_order():
    assert calls(plan_disable(DESIRED, DEPLOYED)) == [
        "notification.remove",
        "permission.remove",
        "function.delete",
        "log_group.delete",
        "role.delete",
    ]
    assert {action.verb for action in plan_disable(DESIRED, DEPLOYED).actions} == {"delete"}


def test_where_nothing_is_left_nothing_is_removed():
    assert plan_disable(DESIRED, NOTHING).in_sync


PARTS = {
    "notifications": ({}, "notification.remove"),
    "statements": ((), "permission.remove"),
    "function": (None, "function.delete"),
    "log_group": (None, "log_group.delete"),
    "role": (None, "role.delete"),
}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_gone_already_is_not_removed_and_the_rest_is(part):
    gone, call = PARTS[part]
    left = calls(plan_disable(DESIRED, deployed(DESIRED, **{part: gone})))
    assert call not in left
    assert len(left) == len(PARTS) - 1


@pytest.mark.parametrize("tags", [{}, {"team": "x"}, {OWNER_TAG: "another-bucket"}], ids=str)
@pytest.mark.parametrize("part", ["function", "log_group", "role"])
def test_what_this_tool_did_not_make_for_the_bucket_stays(part, tags):
    left = calls(plan_disable(DESIRED, with_tags(part, tags)))
    assert PARTS[part][1] not in left
    assert len(left) == len(PARTS) - 1


def test_somebody_elses_function_loses_our_permission_and_notification_and_stays():
    plan = plan_disable(DESIRED, deployed(DESIRED, function=FOREIGN_FUNCTION, role=None, log_group=None))
    assert calls(plan) == ["notification.remove", "permission.remove"]
    assert plan.actions[0].arguments == {"owner": DESIRED.owner, "eventbridge": None}
    assert plan.actions[1].arguments == {"function": "sync", "statement": NAMES.statement}


def test_what_pypicloud_made_by_hand_stays():
    """Until enable adopted it, it is none of ours."""
    left = [{"Id": "a", "LambdaFunctionArn": DESIRED.function.arn, "Events": ["s3:ObjectCreated:*"]}]
    by_hand = {**statement_of(DESIRED), "Sid": "lambda-invoke-permission"}
    observed = replace(
        NOTHING, function=FOREIGN_FUNCTION, statements=(by_hand,), notifications=lambdas(*left)
    )
    assert plan_disable(DESIRED, observed).in_sync


def test_foreign_notifications_and_statements_are_no_reason_to_remove_anything():
    theirs = {"Id": "x", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectCreated:*"]}
    other = {**statement_of(DESIRED), "Sid": "somebody-elses"}
    observed = replace(NOTHING, statements=(other,), notifications=lambdas(theirs))
    assert plan_disable(DESIRED, observed).in_sync


def test_a_role_that_was_given_stays():
    plan = plan_disable(WITH_GIVEN, deployed(WITH_GIVEN, given_role=GIVEN))
    assert "role.delete" not in calls(plan)
    assert "function.delete" in calls(plan)


def test_our_role_of_before_goes_where_one_is_given_now():
    plan = plan_disable(WITH_GIVEN, deployed(WITH_GIVEN, role=DESIRED.role, given_role=GIVEN))
    assert calls(plan)[-1] == "role.delete"


def test_a_changed_setting_does_not_keep_disable_from_finding_what_was_made():
    """Whoever disables has perhaps changed the ini since."""
    changed = make_desired(s3sync__memory_size="1024", storage__prefix="x/", s3sync__tags="a=b")
    assert len(plan_disable(changed, DEPLOYED).actions) == len(PARTS)


def test_removing_needs_no_bundle():
    assert not any(action.needs_bundle for action in plan_disable(DESIRED, DEPLOYED).actions)


def test_a_plan_and_its_values_never_show_the_environment_in_their_repr():
    secret = with_password("hunter2")
    function = Function("f", "arn", {"Environment": {"X": "hunter2"}}, {})
    for value in (secret, plan_enable(secret, NOTHING), plan_enable(secret, deployed(secret)), function):
        assert "hunter2" not in repr(value)
