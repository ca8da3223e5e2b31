"""A run of replicate that any call to AWS disturbs in any way is finished by the next run.

A simulated AWS stands for the real one, because only that can throttle, deny or lose one particular call.
Here, each call has one of the faults in turn; `make soak` tries every fault at every call.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.faults import FAULTS
from support.replication_faults import Matrix, Scenario, scenarios

pytestmark = pytest.mark.untraced

SCENARIOS = tuple(scenarios())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_next_run_finishes_and_foreign_rules_stay_whatever_happens_at_any_call(
    scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    matrix = Matrix(scenario)
    first = SCENARIOS.index(scenario)
    cases = [(number, FAULTS[(first + number) % len(FAULTS)]) for number in range(1, len(matrix.calls) + 1)]
    problems = [problem for case in cases if (problem := matrix.problem(*case))]
    assert not problems, "\n".join(problems)
    assert len(cases) > len(FAULTS)
    record_property("faults", len(cases))
