"""Retries while changes propagate inside AWS."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.writers.functions import ROLE_PROPAGATION
from pypicloud_s3sync.deploy.writers.notifications import INVALID_DESTINATION
from pypicloud_s3sync.deploy.writers.retries import PROPAGATION_INTERVAL, PROPAGATION_TIMEOUT
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeCalls, FakeTime, refusal

NOT_YET = refusal(
    "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."
)


def get_role(calls: FakeCalls, messages: tuple[str, ...]) -> Any:
    return calls.retry_on(messages, lambda: calls.do("iam", "get_role", "the role r", RoleName="r"))


@pytest.mark.parametrize("message", [*ROLE_PROPAGATION, INVALID_DESTINATION])
def test_a_call_is_retried_until_the_change_has_propagated(message: str) -> None:
    time = FakeTime()
    calls = FakeCalls({"get_role": [refusal("X", f"It {message} yet.")] * 3 + ["response"]}, time)
    assert get_role(calls, (message,)) == "response"
    assert calls.clients.operations == ["get_role"] * 4
    assert time.pauses == [PROPAGATION_INTERVAL] * 3


def test_retries_end_with_the_error_of_aws_after_the_timeout() -> None:
    time = FakeTime()
    with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
        get_role(FakeCalls({"get_role": NOT_YET}, time), ROLE_PROPAGATION)
    assert PROPAGATION_TIMEOUT <= time.now <= PROPAGATION_TIMEOUT + 2 * PROPAGATION_INTERVAL


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "InvalidParameterValueException", "ThrottlingException"]
)
def test_any_other_error_is_raised_immediately(code: str) -> None:
    time = FakeTime()
    calls = FakeCalls({"get_role": refusal(code, "The runtime is not supported.")}, time)
    with pytest.raises(AwsError, match="The runtime is not supported"):
        get_role(calls, (*ROLE_PROPAGATION, INVALID_DESTINATION))
    assert calls.clients.operations == ["get_role"]
    assert time.pauses == []


def test_a_successful_call_is_not_retried() -> None:
    time = FakeTime()
    assert FakeCalls(time=time).retry_on(("x",), lambda: "response") == "response"
    assert time.pauses == []


def test_retries_end_with_the_first_error_for_another_reason() -> None:
    calls = FakeCalls({"get_role": [NOT_YET, refusal("ServiceException", "broken")]})
    with pytest.raises(AwsError, match="broken"):
        get_role(calls, ROLE_PROPAGATION)
    assert calls.clients.operations == ["get_role", "get_role"]
