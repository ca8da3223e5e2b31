"""Plan the actions on the permission to invoke the function, or its alias, which has a policy of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..models import Action, Change, Desired, Names, Observed
from ..snap_start import ALIAS

#: The arguments of AddPermission that become conditions of the statement.
SOURCES = ("SourceArn", "SourceAccount")
PERMISSION_FIELDS = ("Principal", *SOURCES)


def statements_of(observed: Observed, alias: str | None) -> tuple[Mapping[str, Any], ...]:
    """Return the statements of the function's own policy, or of that of its alias."""
    if alias is None:
        return observed.statements
    return () if observed.published is None else observed.published.statements


def permission_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that creates or updates the permission to invoke the function, or its alias."""
    wanted = desired.permission
    if wanted is None:
        return
    statements = statements_of(observed, wanted.get("Qualifier"))
    name = wanted["StatementId"]
    shown = tuple(Change(key, None, value) for key, value in wanted.items() if key in PERMISSION_FIELDS)
    found = find_statement(statements, name)
    if found is None and any(permits(statement, wanted) for statement in statements):
        # CloudFormation chooses the ids of its statements.
        return
    if found is None:
        yield Action("create", "permission", name, "permission.add", {"permission": wanted}, shown)
    elif not permits(found, wanted):
        before = json.dumps(found, sort_keys=True)
        changes = (Change("statement", before, dict(wanted)),)
        yield Action("update", "permission", name, "permission.replace", {"permission": wanted}, changes)


def permission_removal_actions(
    names: Names,
    statements: tuple[Mapping[str, Any], ...],
    kept: Mapping[str, Any] | None = None,
    alias: str | None = None,
) -> Iterator[Action]:
    """Yield the actions that remove this tool's statements, except the ``kept`` one, from a policy."""
    for name in (names.statement, names.alias_statement, names.rule_statement):
        if (kept is None or kept["StatementId"] != name) and find_statement(statements, name) is not None:
            arguments = {"function": names.function, "statement": name}
            arguments |= {"alias": alias} if alias else {}
            yield Action("delete", "permission", name, "permission.remove", arguments)


def find_statement(statements: tuple[Mapping[str, Any], ...], sid: str) -> Mapping[str, Any] | None:
    """Return a statement of a function's policy by its id."""
    return next((statement for statement in statements if statement.get("Sid") == sid), None)


def permits(statement: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a statement is what AddPermission creates from the arguments ``wanted``."""
    conditions = {
        key.lower(): value
        for operator in statement.get("Condition", {}).values()
        for key, value in operator.items()
    }
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Action") == wanted["Action"]
        and statement.get("Principal") in ({"Service": wanted["Principal"]}, wanted["Principal"])
        and conditions == {f"aws:{key.lower()}": wanted[key] for key in SOURCES if key in wanted}
    )


def obsolete_permission_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that remove every statement of this tool but the wanted one."""
    names, wanted = desired.names, desired.permission
    if not desired.snap_start:
        # The policy of an alias goes with it.
        yield from permission_removal_actions(names, observed.statements, wanted)
        return
    yield from permission_removal_actions(names, observed.statements)
    yield from permission_removal_actions(names, statements_of(observed, ALIAS), wanted, ALIAS)
