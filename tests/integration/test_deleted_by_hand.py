"""Whichever one or two parts someone deletes, ``disable`` removes the rest and ``enable`` restores all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fakes import BUCKET
from support.faults import CACHES, DELIVERIES, Matrix, Scenario
from support.simulated_aws.base import Resources, State
from support.sites import zip_of

pytestmark = pytest.mark.untraced


def delete(kind: str, prefix: str = "") -> Callable[[State], None]:
    """Return a function that deletes this tool's resources of a kind whose names begin with the prefix."""

    def deleting(state: State) -> None:
        resources: Resources = getattr(state, kind)
        for name in list(resources):
            if "foreign" not in name and name.startswith(prefix):
                del resources[name]

    return deleting


def delete_notification(state: State) -> None:
    notifications = state.buckets[BUCKET]["Notifications"]
    notifications.pop("LambdaFunctionConfigurations", None)
    entries = notifications["QueueConfigurations"]
    notifications["QueueConfigurations"] = [entry for entry in entries if entry["Id"] == "foreign"]


def delete_permission(state: State) -> None:
    for function in state.functions.values():
        function["Policy"] = []


PARTS: dict[str, Callable[[State], None]] = {
    "role": delete("roles"),
    "log group": delete("groups"),
    "function": delete("functions"),
    "mapping": delete("mappings"),
    "queue": delete("queues", "sync"),
    "dead-letter queue": delete("queues", "failed"),
    "rule": delete("rules"),
    "parameter": delete("parameters"),
    "notification": delete_notification,
    "permission": delete_permission,
}


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_the_next_command_copes_with_parts_that_were_deleted_by_hand(
    delivery: str, cache: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(zip_of("def handle_s3_event(event, context):\n    return {}\n"))
    settings = {**CACHES[cache], "s3sync__delivery": delivery}
    matrix = Matrix(Scenario("enable", "enable", settings), bundle)
    deployed, enabled = matrix.aws.snapshot(), matrix.aws.state.comparable()
    matrix.run("disable", settings)
    results = {"enable": enabled, "disable": matrix.aws.state.comparable()}
    for parts in [*itertools.combinations(PARTS, 1), *itertools.combinations(PARTS, 2)]:
        for command, wanted in results.items():
            matrix.aws.restore(deployed)
            for part in parts:
                PARTS[part](matrix.aws.state)
            matrix.run(command, settings)
            assert matrix.aws.state.comparable() == wanted, f"{command} without {' and '.join(parts)}"
