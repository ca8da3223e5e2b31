"""The state of the simulated AWS, and what its services have in common."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from support.fakes import ACCOUNT, REGION, FakeTime, refusal

Resources = dict[str, dict[str, Any]]
T = TypeVar("T")


def copied(value: T) -> T:
    """Return a deep copy. pickle makes one several times faster than ``copy``, and tests need thousands."""
    copy: T = pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
    return copy


@dataclass
class State:
    """Every resource, by its name."""

    roles: Resources = field(default_factory=dict)
    groups: Resources = field(default_factory=dict)
    functions: Resources = field(default_factory=dict)
    mappings: Resources = field(default_factory=dict)
    queues: Resources = field(default_factory=dict)
    rules: Resources = field(default_factory=dict)
    buckets: Resources = field(default_factory=dict)
    parameters: Resources = field(default_factory=dict)
    tables: Resources = field(default_factory=dict)
    #: The times at which queues were deleted, by name.
    deleted_queues: dict[str, float] = field(default_factory=dict)
    numbers: int = 0

    def number(self) -> int:
        """Return a number that was not used before."""
        self.numbers += 1
        return self.numbers

    def comparable(self) -> dict[str, Any]:
        """Return everything that is the same after two runs with the same result: without ids."""
        found = {name: copied(value) for name, value in vars(self).items() if name not in INTERNAL}
        for role in found["roles"].values():
            role.pop("RoleId")
        for function in found["functions"].values():
            function["Tags"].pop("pypicloud-s3sync:role", None)
            _without_numbers(function)
        for bucket in found["buckets"].values():
            for version in bucket["versions"]:
                version.pop("VersionId")
        found["mappings"] = [
            {key: value for key, value in mapping.items() if key != "UUID"}
            for mapping in found["mappings"].values()
            if mapping["State"] != "Deleting"
        ]
        return found


def _without_numbers(function: dict[str, Any]) -> None:
    """Leave out the numbers of versions, of which a run that was interrupted may have used some."""
    del function["Number"]
    places = {version.pop("Version"): place for place, version in enumerate(function["Versions"])}
    for version in function["Versions"]:
        # The descriptions contain the ids of roles.
        del version["States"], version["Description"], version["Of"]
    for alias in function["Aliases"].values():
        alias["FunctionVersion"] = places[alias["FunctionVersion"]]


INTERNAL = ("deleted_queues", "numbers")


class Service:
    """A client of a service.

    Parameters
    ----------
    state : State
    time : FakeTime
    """

    name = ""

    def __init__(self, state: State, time: FakeTime) -> None:
        self.state = state
        self.time = time

    def arn(self, resource: str) -> str:
        return f"arn:aws:{self.name}:{REGION}:{ACCOUNT}:{resource}"


def found(resources: Resources, name: str, code: str, status: int = 404) -> dict[str, Any]:
    """Return a resource, or raise the service's error for a missing one."""
    if name not in resources:
        raise refusal(code, f"{name} does not exist", status)
    return resources[name]


def refuse_existing(resources: Mapping[str, Any], name: str, code: str, status: int = 409) -> None:
    """Raise the service's error for a resource that exists."""
    if name in resources:
        raise refusal(code, f"{name} already exists", status)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
