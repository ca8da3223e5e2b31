"""Refusing a deployment that conflicts with foreign resources or with Lambda's limits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG
from pypicloud_s3sync.deploy.models import Observed
from pypicloud_s3sync.deploy.plan.conflicts import environment_size
from pypicloud_s3sync.deploy.plan.planner import plan_enable
from pypicloud_s3sync.exceptions import ConfigError, ConflictError
from support.fakes import ACCOUNT, BUCKET, NOTHING, deployed, make_desired
from support.notifications import for_functions
from support.plans import (
    DESIRED,
    FOREIGN_FUNCTION,
    GIVEN,
    GIVEN_ARN,
    OTHER_ARN,
    ROLE,
    WITH_GIVEN,
    with_configuration,
    with_tags,
)

OVERLAPPING = for_functions(
    {"Id": "foreign", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectCreated:Put"]}
)


def test_a_given_role_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConflictError, match=f"the role {GIVEN_ARN} does not exist: correct the ARN"):
        plan_enable(WITH_GIVEN, NOTHING)


def test_a_given_role_that_lambda_cannot_assume_is_refused() -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    with pytest.raises(
        ConflictError, match=f"Lambda cannot assume the role {GIVEN_ARN}: .* lambda.amazonaws.com"
    ):
        plan_enable(WITH_GIVEN, replace(NOTHING, given_role=replace(GIVEN, trust=trust)))


@pytest.mark.parametrize("tags", [{}, {"team": "x"}, {OWNER_TAG: "another-bucket"}], ids=str)
@pytest.mark.parametrize("force", [False, True])
def test_a_foreign_role_of_the_same_name_is_refused_even_with_force(
    tags: dict[str, str], force: bool
) -> None:
    expected = f"the role {ROLE.arn} already exists and was not created by this tool: .* with -a"
    with pytest.raises(ConflictError, match=expected):
        plan_enable(DESIRED, with_tags("role", tags), force=force)


def test_a_foreign_role_of_the_same_name_does_not_matter_with_a_given_role() -> None:
    foreign = replace(ROLE, tags={})
    observed = deployed(WITH_GIVEN, role=foreign, given_role=GIVEN)
    assert plan_enable(WITH_GIVEN, observed).in_sync


def test_a_foreign_function_is_refused_with_both_remedies() -> None:
    expected = "the function sync already exists in eu-west-1 and was not created .* with -n.* with -f"
    with pytest.raises(ConflictError, match=expected):
        plan_enable(DESIRED, deployed(DESIRED, function=FOREIGN_FUNCTION))


@pytest.mark.parametrize("force", [False, True])
def test_the_function_of_another_bucket_is_refused_even_with_force(force: bool) -> None:
    observed = with_tags("function", {OWNER_TAG: "another-bucket"})
    expected = "already serves the bucket another-bucket: choose another name with -n"
    with pytest.raises(ConflictError, match=expected):
        plan_enable(DESIRED, observed, force=force)


@pytest.mark.parametrize("force", [False, True])
def test_an_overlapping_notification_is_refused_and_named_even_with_force(force: bool) -> None:
    with pytest.raises(ConflictError) as refused:
        plan_enable(DESIRED, replace(NOTHING, notifications=OVERLAPPING), force=force)
    for fragment in (BUCKET, "foreign (s3:ObjectCreated:Put)", OTHER_ARN, "narrow or remove"):
        assert fragment in str(refused.value)


def with_environment_of(size: int) -> Observed:
    """Return AWS with a foreign variable on the function, so that its environment will have this size."""
    own: dict[str, str] = DESIRED.function.configuration["Environment"]
    free = size - len(json.dumps({**own, "X": ""}, separators=(",", ":")))
    return with_configuration(Environment={**own, "X": "x" * free})


def test_an_environment_that_is_too_large_for_lambda_is_refused() -> None:
    with pytest.raises(ConfigError, match="sync would be 4097 bytes, but Lambda allows 4096: shorten"):
        plan_enable(DESIRED, with_environment_of(4097))
    assert plan_enable(DESIRED, with_environment_of(4096)).in_sync


@pytest.mark.parametrize(
    ("variables", "measured"),
    [
        ({}, "{}"),
        ({"A": "b", "C": ""}, '{"A":"b","C":""}'),
        ({"A": '{"b": "c"}'}, r'{"A":"{\"b\": \"c\"}"}'),
        ({"A": "back\\slash\n"}, r'{"A":"back\\slash\n"}'),
    ],
    ids=["empty", "plain", "quotes", "escapes"],
)
def test_the_size_of_an_environment_is_that_of_the_json_which_lambda_measures(
    variables: dict[str, str], measured: str
) -> None:
    assert environment_size(variables) == len(measured)


def test_quotes_inside_a_variable_count_twice() -> None:
    """The settings of the cache are JSON, so a sum of names and values is far too small."""
    value = json.dumps({"a": ["b"] * 600})
    assert len(value) < 4096
    with pytest.raises(ConfigError, match="Lambda allows 4096"):
        plan_enable(DESIRED, with_configuration(Environment={"X": value}))


def test_the_size_of_an_environment_is_measured_in_bytes() -> None:
    with pytest.raises(ConfigError, match="Lambda allows 4096"):
        plan_enable(make_desired(storage__prefix="ü" * 2000), NOTHING)


@pytest.mark.parametrize(
    ("desired", "observed"),
    [
        (WITH_GIVEN, NOTHING),
        (WITH_GIVEN, replace(NOTHING, given_role=replace(GIVEN, trust={}))),
        (DESIRED, with_tags("role", {})),
        (DESIRED, with_tags("function", {})),
        (DESIRED, with_tags("function", {OWNER_TAG: "x"})),
        (DESIRED, replace(NOTHING, notifications=OVERLAPPING)),
    ],
    ids=["missing role", "trust", "foreign role", "foreign function", "another bucket", "overlap"],
)
def test_each_message_is_one_line(desired: Any, observed: Observed) -> None:
    with pytest.raises(ConflictError) as refused:
        plan_enable(desired, observed)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("tags", [{}, {OWNER_TAG: BUCKET}, {OWNER_TAG: "x"}], ids=["no tag", "own", "other"])
def test_a_container_image_is_refused_before_anything_is_created(force: bool, tags: dict[str, str]) -> None:
    observed = replace(NOTHING, function=replace(FOREIGN_FUNCTION, package="Image", tags=tags))
    with pytest.raises(ConflictError, match=r"is a container image: it takes no zip: .* with -n|with -n"):
        plan_enable(DESIRED, observed, force=force)
