"""A run of replicate that any call to AWS disturbs in any way is finished by the next run.

A simulated AWS stands for the real one, because only that can throttle, deny or lose one particular call.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.replication_faults import Matrix, Scenario, scenarios

# Other tests cover the code; tracing it takes longer than running it.
pytestmark = pytest.mark.no_cover


@pytest.mark.parametrize("scenario", tuple(scenarios()), ids=lambda scenario: scenario.name)
def test_the_next_run_finishes_and_foreign_rules_stay_whatever_happens_at_any_call(
    scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    matrix = Matrix(scenario)
    cases = list(matrix.cases())
    problems = [problem for case in cases if (problem := matrix.problem(*case))]
    assert not problems, "\n".join(problems)
    assert len(cases) > 100
    record_property("faults", len(cases))
