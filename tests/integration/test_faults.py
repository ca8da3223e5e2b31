"""A command that any call to AWS disturbs in any way is finished by the next run, and nothing is left over.

A simulated AWS stands for the real one, because only that can throttle, deny or lose one particular call.
Here, each call has one of the faults in turn; `make soak` tries every fault at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.desired.parameters import refers_to
from pypicloud_s3sync.deploy.readers import parameters
from support.faults import FAULTS, Matrix, Scenario, scenarios
from support.sites import zip_of

pytestmark = pytest.mark.untraced

SCENARIOS = tuple(scenarios())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(zip_of("def handle_s3_event(event, context):\n    return {}\n"))
    return path


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_next_run_finishes_a_command_with_a_fault_at_any_call(
    scenario: Scenario, bundle: Path, record_property: Callable[[str, object], None]
) -> None:
    matrix = Matrix(scenario, bundle)
    first = SCENARIOS.index(scenario)
    cases = [(number, FAULTS[(first + number) % len(FAULTS)]) for number in range(1, len(matrix.calls) + 1)]
    problems = [problem for case in cases if (problem := matrix.problem(*case))]
    assert not problems, "\n".join(problems)
    record_property("faults", len(cases))


def test_a_parameter_that_an_interrupted_move_would_leave_is_found(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the function's tag, the next run does not know of the parameter."""
    monkeypatch.setattr(parameters, "may_exist", lambda function, role, name: refers_to(function, name))
    (move,) = (scenario for scenario in SCENARIOS if scenario.name.startswith("from Redis"))
    matrix = Matrix(move, bundle)
    changed = matrix.calls.index("lambda:update_function_configuration") + 1
    problem = matrix.problem(changed, "killed after")
    assert problem is not None
    assert "parameters are" in problem
