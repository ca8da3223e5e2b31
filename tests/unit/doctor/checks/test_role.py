"""The check of the function's role, with a table of everything that can be wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import ROLE_TAG
from pypicloud_s3sync.doctor.models import (
    Decision,
    Facts,
)
from support.examinations import FUNCTION, assert_right, assert_wrong, cases, denied, facts, function_with
from support.fakes import ACCOUNT, REDIS, REGION, make_desired, not_none


def role(**changes: Any) -> Any:
    return replace(not_none(facts().role.value), **changes)


SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:cache-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"
ENCRYPTED = replace(not_none(make_desired(**REDIS).parameter), key=KEY)

#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    ("role", facts(role=None), "failed", "does not exist", "`ppc-s3sync enable`"),
    (
        "role",
        facts(role=role(trust={"Statement": []})),
        "failed",
        "Lambda cannot assume",
        "`ppc-s3sync enable`",
    ),
    (
        "role",
        facts(function=function_with(tags={**FUNCTION.tags, ROLE_TAG: "AROA0"})),
        *("failed", "was deleted and created again", "assigns it to the function again"),
    ),
    (
        "role",
        facts(decisions=[Decision("s3:GetObject", "arn:aws:s3:::b/x", "implicitDeny")]),
        *("failed", "lacks s3:GetObject on arn:aws:s3:::b/x", '"Action": ["s3:GetObject"]'),
    ),
    (
        "role",
        facts(
            decisions=[Decision(f"s3:{number}", "*", "implicitDeny") for number in range(5)],
            role=role(policy={"Statement": []}),
        ),
        *("failed", "s3:2 on * and 2 more", "`ppc-s3sync enable`"),
    ),
    (
        "role",
        facts(decisions=[Decision("s3:GetObject", "*", "explicitDeny")]),
        *("failed", "a policy explicitly denies", "ask the administrator"),
    ),
    (
        "role",
        facts(decisions=denied("iam:SimulatePrincipalPolicy"), role=role(policy={"Statement": []})),
        *("failed", "lacks s3:GetObject on", "`ppc-s3sync enable`"),
    ),
    (
        "role",
        facts(decisions=denied("iam:SimulatePrincipalPolicy"), role=role(tags={})),
        *("warning", "differs from the role that the function needs", "`ppc-s3sync plan`"),
    ),
    (
        "role",
        facts(
            settings={"s3sync__role_arn": f"arn:aws:iam::{ACCOUNT}:role/own"},
            role=role(),
            decisions=denied("iam:SimulatePrincipalPolicy"),
        ),
        *("warning", "it is unknown whether", '"iam:SimulatePrincipalPolicy"'),
    ),
    (
        "role",
        facts(REDIS, parameter=ENCRYPTED),
        *("failed", f"lacks kms:Decrypt on {KEY}", "`ppc-s3sync enable`"),
    ),
    (
        "role",
        facts(REDIS, parameter=ENCRYPTED, decisions=denied("iam:SimulatePrincipalPolicy")),
        *("failed", f"lacks kms:Decrypt on {KEY}", "`ppc-s3sync enable`"),
    ),
    (
        "role",
        facts({**REDIS, "s3sync__secrets": SECRET}, secret_key=KEY),
        *("failed", f"lacks kms:Decrypt on {KEY}", "`ppc-s3sync enable`"),
    ),
    ("role", facts(REDIS, parameter=denied("ssm:DescribeParameters")), *("warning", "unknown", '"ssm:Desc')),
]
#: The check, what is right in another way, and a part of the evidence.
RIGHT: list[tuple[str, Facts, str]] = [
    (
        "role",
        facts(decisions=denied("iam:SimulatePrincipalPolicy")),
        "has the policy that the function needs",
    ),
]


@pytest.mark.parametrize("case", cases(WRONG))
def test_what_is_wrong_is_found_with_what_to_do(case: tuple[str, Facts, str, str, str]) -> None:
    assert_wrong(*case)


@pytest.mark.parametrize("case", cases(RIGHT))
def test_what_is_right_is_shown_with_its_evidence(case: tuple[str, Facts, str]) -> None:
    assert_right(*case)
