"""Describe how a function is published for SnapStart: as versions, with an alias for the current one.

Lambda takes a snapshot of a published version only. S3, the queue and this tool therefore invoke an alias,
which moves to the next version once its snapshot exists:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .desired.tags import SNAP_START_TAG

if TYPE_CHECKING:
    from ..config.settings import SyncSettings
    from .models import Function

#: The alias. It has no tags: on a function of this tool, its name identifies it.
ALIAS = "pypicloud-s3sync"
ALIAS_DESCRIPTION = "The version that handles the bucket's events (pypicloud-s3sync)"
#: Begins the description of a version that this tool has published, and may therefore delete.
PUBLISHED = "Published by pypicloud-s3sync"
#: Lambda's values of SnapStart in a function's configuration.
ON: Mapping[str, str] = {"ApplyOn": "PublishedVersions"}
OFF: Mapping[str, str] = {"ApplyOn": "None"}
#: The part of a description that names the role whose grant the version's environment has.
_ROLE = re.compile(r" for the role (\w+)")


@dataclass(frozen=True)
class Version:
    """A published version of the function, or ``$LATEST``.

    ``content`` is what Lambda freezes in a version: the checksum of its code and its configuration, which may
    hold secrets.
    """

    number: str
    description: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def is_own(self) -> bool:
        """Return whether this tool published the version."""
        return self.description.startswith(PUBLISHED)

    @property
    def role_id(self) -> str | None:
        """The unique id of the role for which it was published, if that is known."""
        found = _ROLE.search(self.description)
        return found and found[1]


@dataclass(frozen=True)
class Alias:
    """An alias of the function; ``weights`` are the versions that get a part of its invocations as well."""

    name: str
    version: str
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def versions(self) -> tuple[str, ...]:
        """The numbers of all versions that it invokes."""
        return (self.version, *self.weights)


@dataclass(frozen=True)
class Published:
    """The versions and the aliases of a function.

    Parameters
    ----------
    latest : Version
        ``$LATEST``, as the versions are listed.
    versions : tuple of Version
        The published ones, the oldest first.
    aliases : tuple of Alias
    statements : tuple of dict
        The statements of the policy of this tool's alias.
    state : str
        Lambda's state of the version that this tool's alias points to.
    failure : str or None
        Why that version cannot run.
    """

    latest: Version
    versions: tuple[Version, ...] = ()
    aliases: tuple[Alias, ...] = ()
    statements: tuple[Mapping[str, Any], ...] = ()
    state: str = ""
    failure: str | None = None

    @property
    def alias(self) -> Alias | None:
        """The alias of this tool."""
        return next((alias for alias in self.aliases if alias.name == ALIAS), None)

    @property
    def current(self) -> Version | None:
        """The version that this tool's alias points to."""
        alias = self.alias
        numbers = {version.number: version for version in self.versions}
        return None if alias is None else numbers.get(alias.version)

    def is_used(self, number: str) -> bool:
        """Return whether an alias points to a version; Lambda does not delete such a version."""
        return any(number in alias.versions for alias in self.aliases)


def description(role_id: str | None) -> str:
    """Return the description of a version that this tool publishes for a role."""
    return f"{PUBLISHED} for the role {role_id}" if role_id else PUBLISHED


def invoked(settings: SyncSettings) -> str:
    """Return the name by which this tool invokes the function: with the alias, if the settings want one."""
    return qualified(settings.function_name) if settings.snap_start else settings.function_name


def qualified(function: str) -> str:
    """Return the name or the ARN of the alias of a function."""
    return f"{function}:{ALIAS}"


def is_recorded(function: Function | None) -> bool:
    """Return whether the function's tags say that the alias may exist."""
    return function is not None and bool(function.tags.get(SNAP_START_TAG))
