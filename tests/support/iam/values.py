"""A permission that AWS checks, and what the resource of a call depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: The parameters of a call.
Parameters = Mapping[str, Any]
#: Returns the path of a role by its name, or None if there is no such role.
RolePath = Callable[[str], str | None]


@dataclass(frozen=True)
class Request:
    """A permission that AWS checks.

    Parameters
    ----------
    action : str
    resource : str
        An ARN, or an asterisk if the action does not support resource-level permissions.
    context : mapping of str to str
        The values of condition keys.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """The account and the region of the calls, and what AWS knows of its resources.

    Parameters
    ----------
    number : str
    region : str
    role_path : callable
        Returns the path of a role by its name. AWS checks the ARN without a path if there is no such role.
    mapped_functions : mapping of str to str
        The ARN of the function of each event source mapping, by the mapping's id.
    """

    number: str
    region: str
    role_path: RolePath
    mapped_functions: Mapping[str, str]

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Return the ARN of a resource of the account."""
        return f"arn:aws:{service}:{self.region if region is None else region}:{self.number}:{resource}"

    def role(self, name: str, path: str | None = None) -> str:
        """Return the ARN of a role, with a given path if it is being created."""
        return self.arn("iam", f"role{path or self.role_path(name) or '/'}{name}", "")

    def function(self, name: str, qualifier: str | None = None) -> str:
        """Return the ARN of a function, a version or an alias; the name may be an ARN."""
        arn = name if name.startswith("arn:") else self.arn("lambda", f"function:{name}")
        return f"{arn}:{qualifier}" if qualifier else arn


def distinct(requests: Iterable[Request]) -> list[Request]:
    """Return each of some requests once."""
    return list(
        {(each.action, each.resource, *sorted(each.context.items())): each for each in requests}.values()
    )


#: Returns the resource of a call.
ResourceOf = Callable[[Parameters, Account], str]
