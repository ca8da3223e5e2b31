from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, SNAP_START_TAG
from pypicloud_s3sync.deploy.models import Observed, Plan
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.deploy.runs.results import missed_events
from pypicloud_s3sync.deploy.snap_start import ALIAS, Alias, Published, Version, description
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import CONTENT, NOTHING, deployed, make_desired, make_settings, not_none
from support.plans import only_action

ON = make_desired(s3sync__snap_start="true")
OFF = make_desired()
QUEUED = make_desired(s3sync__snap_start="true", s3sync__delivery="sqs")
ALIAS_ARN = f"{ON.function.arn}:{ALIAS}"
OLD = {**CONTENT, "CodeSha256": "old"}


def own(number: str, content: dict[str, Any] = CONTENT, role_id: str | None = None) -> Version:
    """Return a version that this tool has published."""
    return Version(number, description(role_id), content)


def foreign(number: str, content: dict[str, Any] = CONTENT) -> Version:
    """Return a version that someone else has published."""
    return Version(number, "release 7", content)


def published(*versions: Version, alias: Alias | None = None, others: tuple[Alias, ...] = ()) -> Observed:
    """Return AWS with other versions and aliases; by default, the alias points to the last version."""
    observed = deployed(ON)
    alias = alias or Alias(ALIAS, versions[-1].number)
    found = replace(not_none(observed.published), versions=versions, aliases=(alias, *others))
    return replace(observed, published=found)


def steps(plan: Plan) -> list[str]:
    return [f"{action.verb} {action.resource}" for action in plan.actions]


def calls(plan: Plan, *names: str) -> list[tuple[str, Any]]:
    """Return the arguments of the calls to some writers, in order."""
    return [
        (action.call, dict(action.arguments))
        for action in plan.actions
        if action.call.partition(".")[0] in names
    ]


def test_a_deployment_that_is_equal_needs_nothing() -> None:
    assert plan_enable(ON, deployed(ON)).in_sync
    assert plan_enable(QUEUED, deployed(QUEUED)).in_sync


def test_without_the_setting_there_is_no_alias() -> None:
    assert not any(step.endswith(("alias", "version")) for step in steps(plan_enable(OFF, NOTHING)))
    assert SNAP_START_TAG not in OFF.function.tags
    assert "SnapStart" not in OFF.function.configuration


def test_the_alias_is_created_after_the_function_and_before_what_refers_to_it() -> None:
    plan = plan_enable(ON, NOTHING)
    order = [
        *("create function", "create alias", "create event source mapping"),
        *("create permission", "create notification"),
    ]
    assert [step for step in steps(plan) if step in order] == order
    assert ON.function.tags[SNAP_START_TAG] == "created"
    assert ON.function.configuration["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert not_none(ON.permission)["Qualifier"] == ALIAS
    assert not_none(ON.subscription.entry)["LambdaFunctionArn"] == ALIAS_ARN
    assert not_none(ON.delivery_resources.mapping).function_arn == ALIAS_ARN


def test_new_code_is_published_and_the_version_before_is_left() -> None:
    observed = deployed(ON)
    function = not_none(observed.function)
    outdated = replace(function, tags={**function.tags, BUNDLE_TAG: "older/code"})
    plan = plan_enable(ON, replace(observed, function=outdated))
    assert steps(plan) == ["update code", "update alias"]
    (call,) = calls(plan, "alias")
    assert call == (
        "alias.update",
        {"function": "sync", "role_arn": ON.role_arn, "version": None, "invalid": (), "left": ("1",)},
    )


@pytest.mark.parametrize("change", [{"Timeout": 9}, {"Role": "another"}])
def test_a_changed_configuration_is_published(change: dict[str, Any]) -> None:
    observed = deployed(ON)
    function = not_none(observed.function)
    changed = replace(function, configuration={**function.configuration, **change})
    assert "update alias" in steps(plan_enable(ON, replace(observed, function=changed)))


def test_a_tag_is_no_reason_to_publish() -> None:
    observed = deployed(ON)
    function = not_none(observed.function)
    tags = {key: value for key, value in function.tags.items() if key != SNAP_START_TAG}
    assert steps(plan_enable(ON, replace(observed, function=replace(function, tags=tags)))) == [
        "update function"
    ]


def test_an_alias_that_was_moved_returns_to_the_version_that_is_up_to_date() -> None:
    observed = published(own("1", OLD), own("2"), alias=Alias(ALIAS, "1"))
    plan = plan_enable(ON, observed)
    (call, arguments) = only_action(plan).call, only_action(plan).arguments
    assert (call, arguments["version"], arguments["left"]) == ("alias.update", "2", ("1",))
    changes = {change.field: (change.before, change.after) for change in only_action(plan).changes}
    assert changes["version"] == ("1", "2")
    assert changes["code"] == ("older than the function's", "the function's")
    document = status_document(plan, make_settings(s3sync__snap_start="true"))
    (alias,) = (resource for resource in document["resources"] if resource["resource"] == "alias")
    assert (document["state"], alias["state"], alias["name"]) == ("differs", "differs", f"sync:{ALIAS}")
    fields = [difference["field"] for difference in alias["differences"]]
    assert fields == ["version", "code"]


def test_an_alias_of_latest_or_of_a_version_that_is_gone_gets_a_version() -> None:
    for number in ("$LATEST", "7"):
        action = only_action(plan_enable(ON, published(own("2"), alias=Alias(ALIAS, number))))
        assert (action.call, action.arguments["version"], action.arguments["left"]) == (
            "alias.update",
            "2",
            (),
        )


def test_weights_that_give_events_to_another_version_are_removed() -> None:
    observed = published(own("1", OLD), own("2"), alias=Alias(ALIAS, "2", {"1": 0.1}))
    action = only_action(plan_enable(ON, observed))
    assert (action.arguments["version"], action.arguments["left"]) == ("2", ("1",))
    assert [change.field for change in action.changes if change.before] == ["version", "weights"]


def test_versions_that_an_interrupted_run_has_left_are_deleted() -> None:
    plan = plan_enable(ON, published(own("1", OLD), own("2"), own("3"), alias=Alias(ALIAS, "3")))
    assert calls(plan, "alias") == [
        ("alias.delete_version", {"function": "sync", "number": "1"}),
        ("alias.delete_version", {"function": "sync", "number": "2"}),
    ]
    assert [action.name for action in plan.actions] == ["sync:1", "sync:2"]


def test_a_version_of_someone_else_and_one_that_another_alias_uses_stay() -> None:
    others = (Alias("live", "1"), Alias("beta", "9", {"2": 0.5}))
    versions = own("1", OLD), own("2", OLD), foreign("3", OLD), own("4")
    assert plan_enable(ON, published(*versions, others=others)).in_sync
    plan = plan_disable(ON, published(*versions, others=others))
    assert calls(plan, "alias") == [
        ("alias.delete", {"function": "sync"}),
        ("alias.delete_version", {"function": "sync", "number": "4"}),
    ]


def test_a_version_of_someone_else_that_is_up_to_date_is_used_and_not_deleted() -> None:
    observed = published(own("1", OLD), foreign("2"), alias=Alias(ALIAS, "1"))
    action = only_action(plan_enable(ON, observed))
    assert (action.arguments["version"], action.arguments["left"]) == ("2", ("1",))
    moved = published(own("1", OLD), foreign("2", OLD), own("3"), alias=Alias(ALIAS, "2"))
    assert (
        only_action(
            plan_enable(
                ON,
                replace(
                    moved,
                    published=replace(
                        not_none(moved.published), versions=not_none(moved.published).versions[1:]
                    ),
                ),
            )
        ).arguments["left"]
        == ()
    )


def test_a_version_that_was_published_for_a_role_that_is_gone_is_not_used() -> None:
    observed = published(own("1", role_id="AROAOLD"))
    role = replace(not_none(observed.role), unique_id="AROANEW")
    action = [
        action
        for action in plan_enable(ON, replace(observed, role=role)).actions
        if action.resource == "alias"
    ]
    assert [(found.arguments["version"], found.arguments["invalid"]) for found in action] == [(None, ("1",))]


def test_a_version_that_has_failed_is_not_used() -> None:
    observed = published(own("1"))
    failed = replace(not_none(observed.published), state="Failed", failure="no KMS key")
    action = only_action(plan_enable(ON, replace(observed, published=failed)))
    assert (action.arguments["version"], action.arguments["invalid"]) == (None, ("1",))
    assert ("state", "failed: no KMS key") in [(change.field, change.before) for change in action.changes]


def switched(to_alias: bool) -> tuple[Plan, list[str]]:
    """Return the plan of turning SnapStart on or off, with direct delivery."""
    if to_alias:
        before = deployed(OFF)
        found = Published(latest=Version("$LATEST", "", CONTENT))
        plan = plan_enable(ON, replace(before, published=found))
    else:
        plan = plan_enable(OFF, deployed(ON))
    return plan, [f"{action.verb} {action.resource}" for action in plan.actions]


def test_turning_it_on_leaves_no_moment_without_a_receiver() -> None:
    plan, found = switched(True)
    assert found == [
        *("update function", "update function"),
        *("create alias", "update event source mapping", "create permission", "update notification"),
        "delete permission",
    ]
    assert [action.delay for action in plan.actions] == [0] * 6 + [ON.propagation]
    mapping, last = plan.actions[3], plan.actions[-1]
    assert mapping.arguments["moves"] is True
    assert last.arguments == {"function": "sync", "statement": ON.names.statement}


def test_turning_it_off_leaves_no_moment_without_a_receiver() -> None:
    plan, found = switched(False)
    assert found == [
        *("update function", "update event source mapping", "create permission", "update notification"),
        *("delete alias", "delete version", "update function"),
    ]
    assert [action.delay for action in plan.actions] == [0, 0, 0, 0, OFF.propagation, 0, 0]
    assert "Qualifier" not in plan.actions[2].arguments["permission"]
    assert plan.actions[0].arguments["configuration"]["SnapStart"] == {"ApplyOn": "None"}
    assert plan.actions[-1].arguments["tags"] == {SNAP_START_TAG: ""}


@pytest.mark.parametrize("to_alias", [True, False])
def test_turning_it_on_or_off_misses_no_event(to_alias: bool) -> None:
    plan, _ = switched(to_alias)
    assert missed_events(plan) == ""
    # The alias has lost its permission.
    published = plan.observed.published
    lost = replace(plan.observed, statements=(), published=replace(not_none(published), statements=()))
    assert "permission" in missed_events(plan_enable(plan.desired, lost))


def test_a_snap_start_that_someone_else_turned_on_stays() -> None:
    observed = deployed(OFF)
    function = not_none(observed.function)
    configuration = {**function.configuration, "SnapStart": {"ApplyOn": "PublishedVersions"}}
    observed = replace(observed, function=replace(function, configuration=configuration))
    assert plan_enable(OFF, observed).in_sync


def test_another_delivery_removes_the_permission_on_the_alias() -> None:
    plan = plan_enable(QUEUED, deployed(ON))
    (removal,) = (action for action in plan.actions if action.call == "permission.remove")
    assert removal.arguments == {"function": "sync", "statement": ON.names.alias_statement, "alias": ALIAS}
    assert QUEUED.delivery is Delivery.SQS


def test_disable_deletes_alias_and_versions_before_the_function_and_nothing_of_a_foreign_one() -> None:
    found = steps(plan_disable(ON, deployed(ON)))
    assert found.index("delete alias") < found.index("delete version") < found.index("delete function")
    observed = deployed(ON)
    other = replace(observed, function=replace(not_none(observed.function), tags={"team": "x"}))
    assert calls(plan_disable(ON, other), "alias", "function") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"FileSystemConfigs": [{"Arn": "efs"}]}, "has a file system (EFS), which SnapStart"),
        ({"EphemeralStorage": {"Size": 1024}}, "has more than 512 MB of ephemeral storage, which SnapStart"),
    ],
)
def test_what_snap_start_does_not_support_is_named(content: dict[str, Any], message: str) -> None:
    observed = deployed(OFF, published=Published(latest=Version("$LATEST", "", {**CONTENT, **content})))
    with pytest.raises(ConflictError) as caught:
        plan_enable(ON, observed)
    assert message in str(caught.value)
    assert compare(ON, observed).actions
    assert plan_enable(OFF, observed).in_sync
