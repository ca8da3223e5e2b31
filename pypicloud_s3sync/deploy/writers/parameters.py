"""Create, update and delete the SSM parameter that holds the function's secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import AwsError, ConflictError
from ..models import OWNER_TAG, Parameter
from .calls import Calls


class ParameterWriter:
    """Actions on the parameter."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, parameter: Parameter) -> None:
        """Create the parameter, encrypted with the account's key of Parameter Store."""
        try:
            self._put(parameter, Tags=_tag_list(parameter.tags))
        except AwsError as error:
            if error.code != "ParameterAlreadyExists":
                raise
            # The response to a call that succeeded may have been lost.
            self._put_over_own(parameter, error)

    def _put_over_own(self, parameter: Parameter, cause: AwsError) -> None:
        arguments = {"ResourceType": "Parameter", "ResourceId": parameter.name}
        response = self.calls.do("ssm", "list_tags_for_resource", _resource(parameter.name), **arguments)
        tags = {tag["Key"]: tag["Value"] for tag in response.get("TagList", [])}
        if tags.get(OWNER_TAG) != parameter.tags[OWNER_TAG]:
            raise ConflictError(
                f"{_resource(parameter.name)} already exists and was not created by this tool: remove it"
            ) from cause
        self._put(parameter, Overwrite=True)

    def update(self, parameter: Parameter, before: Parameter) -> None:
        """Update the value and the tags, as far as they differ."""
        if parameter.value != before.value or not before.secure:
            self._put(parameter, Overwrite=True)
        if not parameter.tags.items() <= before.tags.items():
            self.calls.do(
                *("ssm", "add_tags_to_resource", _resource(parameter.name)),
                ResourceType="Parameter",
                ResourceId=parameter.name,
                Tags=_tag_list(parameter.tags),
            )

    def _put(self, parameter: Parameter, **arguments: Any) -> None:
        self.calls.do(
            *("ssm", "put_parameter", _resource(parameter.name)),
            Name=parameter.name,
            Value=parameter.value,
            Type="SecureString",
            Tier="Standard",
            **arguments,
        )

    def delete(self, name: str) -> None:
        """Delete the parameter."""
        self.calls.delete_if_exists("ssm", "delete_parameter", _resource(name), Name=name)


def _resource(name: str) -> str:
    return f"the SSM parameter {name}"


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
