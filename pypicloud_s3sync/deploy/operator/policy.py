"""Build the minimal IAM policy of an operator, who runs the commands or whose server shows the admin UI.

Statements whose ``Sid`` begins with ``Read`` change nothing. Nothing here calls AWS: an administrator can
print the policy before the operator has any credentials.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import AwsError
from ..desired.policy import VERSION
from ..models import Identity
from .scope import ANY, Patterns, Scope
from .statements import Statements


class Purpose(enum.StrEnum):
    """A task of an operator, which needs rights of its own."""

    #: ``plan``, ``enable``, ``status``, ``doctor``, ``replay`` and ``disable``, on the command line or in the
    #: admin UI.
    ENABLE = "enable"
    #: ``plan``, ``status`` and ``doctor``.
    STATUS = "status"
    #: All that the admin UI shows.
    PANEL = "panel"
    #: ``replicate``, for the bucket of these settings; each bucket needs such a policy.
    REPLICATE = "replicate"
    #: ``compare`` and ``wait``.
    COMPARE = "compare"


def operator_policy(
    settings: SyncSettings,
    purposes: Collection[Purpose],
    scope: Scope,
    patterns: Patterns | None = None,
) -> dict[str, Any]:
    """Return the minimal policy for some purposes.

    Parameters
    ----------
    settings : SyncSettings
        The function, the bucket, the tables, and the features that need rights.
    purposes : collection of Purpose
    scope : Scope
    patterns : Patterns, optional
        The names of resources. The default is exact names if the region is known.
    """
    if patterns is None:
        known = scope.region != ANY
        patterns = (
            Patterns.exact(settings, scope.region) if known else Patterns.of_function(settings.function_name)
        )
    statements = Statements(settings, scope, patterns)
    # These need nothing of a function.
    alone = {Purpose.REPLICATE, Purpose.COMPARE}
    chosen = [] if alone.issuperset(purposes) else [*statements.reading()]
    if Purpose.PANEL in purposes:
        chosen += statements.reading_the_log()
    if not {Purpose.ENABLE, Purpose.STATUS}.isdisjoint(purposes):
        chosen += statements.examining()
    if Purpose.ENABLE in purposes:
        chosen += [*statements.writing(), *statements.reconciling(), *statements.replaying()]
    if Purpose.COMPARE in purposes:
        chosen += statements.comparing()
    if Purpose.REPLICATE in purposes:
        chosen += [*statements.reading_replication(), *statements.writing_replication()]
    # Two purposes may need the same statement, whose id must be unique.
    found = {each["Sid"]: each for each in chosen}
    if Purpose.ENABLE in purposes:
        # Other statements of it allow all that these do.
        covered = {"ListPackages", "LookAtPackages"} if Purpose.COMPARE in purposes else {"ReadRows"}
        found = {sid: statement for sid, statement in found.items() if sid not in covered}
    return {"Version": VERSION, "Statement": list(found.values())}


def policy_for_reading(
    settings: SyncSettings,
    identity: Identity,
    region: str,
    error: AwsError,
    purposes: Collection[Purpose] = (Purpose.PANEL,),
) -> dict[str, Any]:
    """Return all rights that reading needs, and what a denial names besides, for example ``kms:Decrypt``.

    If KMS does not name the key, it is one of the account and the region.
    """
    scope = Scope(identity.partition, identity.account, region)
    policy = operator_policy(settings, purposes, scope)
    reading = [statement for statement in policy["Statement"] if statement["Sid"].startswith("Read")]
    policy = {**policy, "Statement": reading}
    if any(error.action in statement["Action"] for statement in policy["Statement"]):
        return policy
    unnamed = scope.arn("kms", "key/*") if error.action.startswith("kms:") else "*"
    also = {"Effect": "Allow", "Action": [error.action], "Resource": [error.resource or unnamed]}
    return {**policy, "Statement": [*policy["Statement"], also]}
