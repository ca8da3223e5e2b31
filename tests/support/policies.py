"""Read and change IAM policies; ``python -m support.policies`` writes those that the documentation shows."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.operator.policy import Purpose, operator_policy
from pypicloud_s3sync.deploy.operator.scope import Patterns, Scope

from .fakes import make_settings

DIRECTORY = Path(__file__).parents[1] / "policies"
#: The names that a reader of the documentation replaces.
PLACEHOLDERS = {"account": "ACCOUNT", "region": "REGION", "bucket": "BUCKET", "function": "FUNCTION"}


def documented_policies() -> dict[str, str]:
    """Return the IAM documents of the documentation by their file names.

    The first one is the whole policy for direct delivery and DynamoDB. The others list further statements.
    """
    direct = _documented()
    documents: dict[str, Any] = {"operator_policy.json": direct}
    password: dict[str, str | None] = {"pypi__db": "redis", "db__url": "redis://:password@cache.example"}
    features: dict[str, dict[str, str | None]] = {
        "eventbridge": {"s3sync__delivery": Delivery.EVENTBRIDGE},
        "secrets": password,
        "schedule": {"s3sync__reconcile_schedule": "rate(1 day)"},
        "snap_start": {"s3sync__snap_start": "true"},
    }
    for name, changes in features.items():
        statements = _documented(**changes)["Statement"]
        further = [statement for statement in statements if statement not in direct["Statement"]]
        documents[f"operator_policy_{name}.json"] = further
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()}


def _documented(**changes: str | None) -> dict[str, Any]:
    settings = make_settings(
        s3sync__function_name=PLACEHOLDERS["function"],
        storage__bucket=PLACEHOLDERS["bucket"],
        **changes,
    )
    cache = {**settings.cache_settings, "db.region_name": PLACEHOLDERS["region"]}
    settings = dataclasses.replace(settings, cache_settings=cache)
    scope = Scope("aws", PLACEHOLDERS["account"], PLACEHOLDERS["region"])
    patterns = Patterns.of_function(settings.function_name)
    return operator_policy(settings, [Purpose.ENABLE, Purpose.PANEL], scope, patterns)


def as_list(value: Any) -> list[Any]:
    """Return an element of a policy as a list, since IAM accepts a single value as well."""
    return value if isinstance(value, list) else [value]


def actions_of(statement: dict[str, Any]) -> list[str]:
    """Return the actions of a statement."""
    return as_list(statement["Action"])


def without(policy: dict[str, Any], action: str, sid: str | None = None) -> dict[str, Any]:
    """Return a copy of a policy without an action, in one statement or in all."""
    policy = copy.deepcopy(policy)
    for statement in policy["Statement"]:
        if sid in (None, statement["Sid"]):
            statement["Action"] = [allowed for allowed in actions_of(statement) if allowed != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy


if __name__ == "__main__":
    for name, text in documented_policies().items():
        (DIRECTORY / name).write_text(text)
