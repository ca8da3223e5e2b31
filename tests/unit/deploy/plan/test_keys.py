"""The customer-managed keys that the role may use: exactly those that encrypt what the function uses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import Desired, Observed
from pypicloud_s3sync.deploy.plan.keys import with_key_of_queue, with_keys
from pypicloud_s3sync.deploy.plan.planner import plan_enable
from support.fakes import ACCOUNT, REDIS, REGION, created, deployed, make_desired, not_none

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"
SECRET = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:prod/cache-AbCdEf"


def updated_role(desired: Desired, observed: Observed) -> dict[str, Any]:
    """Return the last statement of the role's policy, which is all that is updated."""
    (action,) = plan_enable(desired, observed).actions
    assert action.call == "role.update"
    statement: dict[str, Any] = action.arguments["role"].policy["Statement"][-1]
    return statement


@pytest.mark.parametrize(
    ("key", "resource", "alias"),
    [
        (KEY, KEY, None),
        ("1234abcd", KEY, None),
        ("alias/mine", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*", "alias/mine"),
        (
            f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine",
            f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*",
            "alias/mine",
        ),
    ],
    ids=["arn", "id", "alias", "arn of an alias"],
)
def test_the_role_may_use_the_key_that_another_owner_set_on_the_queue(
    key: str, resource: str, alias: str | None
) -> None:
    desired = make_desired()
    queue = not_none(created(desired.delivery_resources).queue)
    resources = replace(
        created(desired.delivery_resources),
        queue=replace(queue, attributes={**queue.attributes, "KmsMasterKeyId": key}),
    )
    statement = updated_role(desired, deployed(desired, delivery_resources=resources))
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Resource"] == resource
    condition = statement["Condition"]
    assert condition["StringLike"] == {"kms:ViaService": f"sqs.{REGION}.*"}
    assert condition.get("ForAnyValue:StringEquals") == (alias and {"kms:ResourceAliases": alias})


@pytest.mark.parametrize("key", [None, "", "alias/aws/sqs", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sqs"])
def test_a_queue_without_a_customer_key_needs_no_right(key: str | None) -> None:
    desired = make_desired()
    role, queue = not_none(desired.role), not_none(desired.delivery_resources.queue)
    observed = deployed(
        desired,
        delivery_resources=replace(
            desired.delivery_resources, queue=replace(queue, attributes={"KmsMasterKeyId": key})
        ),
    )
    assert with_key_of_queue(role, observed) == with_keys(role, desired, observed) == role


def test_the_role_may_decrypt_only_the_parameter_with_the_key_that_another_owner_chose() -> None:
    desired = make_desired(**REDIS)
    parameter = replace(not_none(desired.parameter), key=KEY)
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{parameter.name}"
    assert updated_role(desired, deployed(desired, parameter=parameter)) == {
        "Sid": "DecryptParameter",
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": KEY,
        "Condition": {
            "StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arn},
            "StringLike": {"kms:ViaService": f"ssm.{REGION}.*"},
        },
    }


def test_the_role_may_decrypt_only_the_secret_with_its_key() -> None:
    desired = make_desired(**REDIS, s3sync__secrets=SECRET)
    assert updated_role(desired, deployed(desired, secret_key=KEY)) == {
        "Sid": "DecryptSecret",
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": KEY,
        "Condition": {
            "StringEquals": {"kms:EncryptionContext:SecretARN": SECRET},
            "StringLike": {"kms:ViaService": "secretsmanager.us-east-2.*"},
        },
    }


@pytest.mark.parametrize("secrets", ["ssm", SECRET])
def test_a_right_on_a_key_that_is_no_longer_used_is_removed(secrets: str) -> None:
    desired = make_desired(**REDIS, s3sync__secrets=secrets)
    with_key = deployed(
        desired,
        secret_key=KEY,
        parameter=desired.parameter and replace(desired.parameter, key=KEY),
    )
    role = with_keys(not_none(desired.role), desired, with_key)
    assert role != desired.role
    (action,) = plan_enable(desired, deployed(desired, role=role)).actions
    assert action.arguments["role"].policy == not_none(desired.role).policy


def test_the_key_of_a_parameter_that_the_settings_no_longer_use_is_not_allowed() -> None:
    with_parameter, desired = make_desired(**REDIS), make_desired(**REDIS, s3sync__secrets="environment")
    left = replace(not_none(with_parameter.parameter), key=KEY)
    role = not_none(desired.role)
    assert with_keys(role, desired, deployed(desired, parameter=left)) == role


def test_the_spare_role_may_use_the_same_keys() -> None:
    """The function runs with it for a moment while its role is assigned again."""
    desired = make_desired(**REDIS)
    observed = deployed(desired, parameter=replace(not_none(desired.parameter), key=KEY))
    observed = replace(observed, role=replace(not_none(observed.role), unique_id="AROA2"))
    actions = {action.call: action for action in plan_enable(desired, observed).actions}
    spare = actions["function.renew_role"].arguments["spare"]
    assert [each["Sid"] for each in spare.policy["Statement"]][-1] == "DecryptParameter"
