"""The plan document: what would change."""

from __future__ import annotations

from dataclasses import replace

from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from support.fakes import BUCKET, NOTHING, REGION, deployed, make_desired, not_none

DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)


def test_the_plan_document_lists_the_actions() -> None:
    function = not_none(DEPLOYED.function)
    other_timeout = replace(function, configuration={**function.configuration, "Timeout": 3})
    plan = plan_enable(DESIRED, replace(DEPLOYED, function=other_timeout))
    assert plan_document(plan, "enable") == {
        "command": "enable",
        "function": "sync",
        "region": REGION,
        "bucket": BUCKET,
        "in_sync": False,
        "warnings": [],
        "foreign_notifications": 0,
        "foreign": [],
        "actions": [
            {
                "verb": "update",
                "resource": "function",
                "name": "sync",
                "changes": [{"field": "Timeout", "before": 3, "after": 60, "unit": "s"}],
            }
        ],
    }


def test_a_plan_without_actions_is_in_sync() -> None:
    document = plan_document(plan_disable(DESIRED, NOTHING), "disable")
    assert document["command"] == "disable"
    assert document["in_sync"] is True
    assert document["actions"] == []


def test_documents_contain_the_changes_but_not_the_arguments() -> None:
    """Arguments contain the unmasked environment."""
    for action in plan_document(plan_enable(DESIRED, NOTHING), "enable")["actions"]:
        assert set(action) == {"verb", "resource", "name", "changes"}
