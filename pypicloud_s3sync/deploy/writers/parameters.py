"""Create, update and delete the SSM parameter that holds the function's secrets."""

from __future__ import annotations

from typing import Any

from ..desired.tags import tag_list
from ..models import Parameter
from ..readers.parameters import read_parameter
from .calls import Calls


class ParameterWriter:
    """Actions on the parameter."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, parameter: Parameter) -> None:
        """Create the parameter, encrypted with the account's key of Parameter Store."""
        self.calls.create(
            lambda: self._put(parameter, Tags=tag_list(parameter.tags)), lambda: self._is_created(parameter)
        )

    def _is_created(self, parameter: Parameter) -> bool:
        """Return whether the existing parameter is the one that a call with a lost response has created."""
        return read_parameter(self.calls, parameter.name) == parameter

    def update(self, parameter: Parameter, before: Parameter) -> None:
        """Update the value and the tags, as far as they differ."""
        if parameter.value != before.value or not before.secure:
            self._put(parameter, Overwrite=True, **before.kept)
        if not parameter.tags.items() <= before.tags.items():
            self.calls.do(
                *("ssm", "add_tags_to_resource", _resource(parameter.name)),
                ResourceType="Parameter",
                ResourceId=parameter.name,
                Tags=tag_list(parameter.tags),
            )

    def _put(self, parameter: Parameter, **arguments: Any) -> None:
        wanted = {
            "Name": parameter.name,
            "Value": parameter.value,
            "Type": "SecureString",
            "Tier": "Standard",
        }
        self.calls.do("ssm", "put_parameter", _resource(parameter.name), **{**wanted, **arguments})

    def delete(self, name: str) -> None:
        """Delete the parameter."""
        self.calls.delete_if_exists("ssm", "delete_parameter", _resource(name), Name=name)


def _resource(name: str) -> str:
    return f"the SSM parameter {name}"
