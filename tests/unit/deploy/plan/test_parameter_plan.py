"""Planning the SSM parameter that holds the function's secrets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.desired.tags import PARAMETER_TAG
from pypicloud_s3sync.deploy.models import Desired, Parameter
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.exceptions import ConfigError, ConflictError
from support.fakes import NOTHING, deployed, make_desired, make_settings, not_none

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:cache-AbCdEf"
URL = "redis://:{}@cache.example:6379/0"


def changes_for(password: str, **more: str | None) -> dict[str, str | None]:
    return {"pypi__db": "redis", "db__region_name": None, "db__url": URL.format(password), **more}


def desired(password: str = "old-word", /, **more: str | None) -> Desired:
    return make_desired(**changes_for(password, **more))


def environment_of(wanted: Desired) -> dict[str, str]:
    settings: dict[str, str] = json.loads(wanted.function.configuration["Environment"]["PYPICLOUD_SETTINGS"])
    return settings


@pytest.mark.parametrize("password", ["a{{ssm:x}}b", "{{", "}}}", "{{{{x}}}}", "{a}{b}}", "ü\\{{"])
def test_double_braces_which_systems_manager_refuses_are_escaped(password: str) -> None:
    """Verified in botocore's model of ssm, PutParameter: a value can't include them."""
    value = not_none(desired(password).parameter).value
    assert "{{" not in value
    assert "}}" not in value
    assert json.loads(value) == {"db.url": URL.format(password)}


def test_only_the_settings_with_a_secret_are_in_the_parameter() -> None:
    wanted = make_desired(
        pypi__db="sql",
        db__region_name=None,
        db__url="postgresql://u:p-word@cache.example/pypi",
        db__pool_recycle="60",
        db__password="other-word",
    )
    parameter = not_none(wanted.parameter)
    assert json.loads(parameter.value) == {
        "db.url": "postgresql://u:p-word@cache.example/pypi",
        "db.password": "other-word",
    }
    settings = environment_of(wanted)
    assert settings["db.pool_recycle"] == "60"
    assert settings["s3sync.secrets"] == parameter.name
    assert not {"db.url", "db.password"} & settings.keys()


@pytest.mark.parametrize(
    "more",
    [
        {"pypi__db": "dynamo", "db__url": None, "db__region_name": "eu-west-1"},
        {"db__url": "redis://cache.example:6379/0"},
        {"s3sync__secrets": "environment"},
        {"s3sync__secrets": ARN},
    ],
    ids=["DynamoDB", "no password", "environment", "Secrets Manager"],
)
def test_without_a_secret_to_keep_there_is_no_parameter(more: dict[str, str | None]) -> None:
    wanted = desired(**more)
    assert wanted.parameter is None
    assert "parameter" not in [action.resource for action in plan_enable(wanted, NOTHING).actions]


def test_a_secret_of_the_user_is_named_and_the_password_left_out() -> None:
    settings = environment_of(desired(s3sync__secrets=ARN))
    assert settings["s3sync.secrets"] == ARN
    assert "db.url" not in settings


def test_the_parameter_is_created_before_the_function_without_showing_its_value() -> None:
    actions = plan_enable(desired(), NOTHING).actions
    resources = [action.resource for action in actions]
    assert resources.index("role") < resources.index("parameter") < resources.index("function")
    assert "old-word" not in repr(actions)


def test_a_changed_password_updates_the_parameter_only() -> None:
    plan = plan_enable(desired("new-word"), deployed(desired()))
    (action,) = plan.actions
    assert (action.call, [change.field for change in action.changes]) == ("parameter.update", ["value"])
    assert "new-word" in action.arguments["parameter"].value
    assert "word" not in str(action.changes)


def test_a_parameter_that_is_not_encrypted_is_encrypted() -> None:
    wanted = desired()
    plain = replace(not_none(wanted.parameter), secure=False)
    (action,) = plan_enable(wanted, deployed(wanted, parameter=plain)).actions
    assert [(change.before, change.after) for change in action.changes] == [("String", "SecureString")]


def test_a_parameter_that_is_no_longer_needed_is_deleted_after_the_function_has_moved() -> None:
    actions = plan_enable(desired(s3sync__secrets="environment"), deployed(desired())).actions
    assert [action.call for action in actions] == [
        *("role.update", "function.update_configuration", "parameter.delete", "function.tag")
    ]
    assert actions[-1].arguments["tags"] == {PARAMETER_TAG: ""}


def test_a_parameter_that_the_function_does_not_refer_to_is_deleted_first() -> None:
    """An interrupted run has created it. Later, nothing would show that it exists."""
    wanted = desired(s3sync__secrets="environment")
    interrupted = deployed(wanted, role=desired().role, parameter=desired().parameter)
    calls = [action.call for action in plan_enable(wanted, interrupted).actions]
    assert calls == ["parameter.delete", "role.update"]


def test_disable_deletes_an_own_parameter_and_no_other() -> None:
    wanted = desired()
    assert "parameter.delete" in [action.call for action in plan_disable(wanted, deployed(wanted)).actions]
    foreign = deployed(wanted, parameter=Parameter(wanted.names.parameter, "x", {}))
    assert "parameter.delete" not in [action.call for action in plan_disable(wanted, foreign).actions]


def test_a_foreign_parameter_is_a_conflict() -> None:
    wanted = desired()
    foreign = deployed(wanted, parameter=Parameter(wanted.names.parameter, "x", {"team": "other"}))
    with pytest.raises(ConflictError, match="was not created by this tool"):
        plan_enable(wanted, foreign)


def test_secrets_that_do_not_fit_into_a_parameter_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"an SSM parameter holds 4096: .*Secrets Manager"):
        plan_enable(desired("x" * 4096), NOTHING)


def test_the_status_lists_the_parameter() -> None:
    wanted, settings = desired(), make_settings(**changes_for("old-word"))
    status = status_document(compare(wanted, deployed(wanted, parameter=None)), settings)
    (resource,) = [each for each in status["resources"] if each["resource"] == "parameter"]
    assert (resource["name"], resource["state"]) == (wanted.names.parameter, "missing")
    assert status["state"] == "partial"
