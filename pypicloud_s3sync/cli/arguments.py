"""Turn the parsed arguments of a command into its settings, and decide how its failures are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ..config.secrets import secrets_of_ini
from . import logs
from .failures import Run

if TYPE_CHECKING:
    from .commands import Command
    from .configurations import Configuration


def command_of(
    run: Run,
    *,
    config_uri: str,
    variables: tuple[str, ...],
    name: str | None,
    region: str | None,
    as_json: bool,
    verbose: bool,
    role_arn: str | None = None,
) -> Command:
    """Return a command with the settings that its arguments name."""
    pairs = [variable.partition("=") for variable in variables]
    for (key, separator, _), variable in zip(pairs, variables, strict=True):
        if not key or not separator:
            raise click.UsageError(f"Invalid value {variable!r}: expected NAME=VALUE.")
    variables_by_name = {key: value for key, _, value in pairs}
    _begin(run, [config_uri], variables_by_name, as_json=as_json, verbose=verbose)
    # boto3, Pyramid and pypicloud take a second to import, which --help and usage errors need not wait for.
    from .commands import Command

    return Command(
        config_uri,
        variables_by_name,
        {"function_name": name, "region": region, "role_arn": role_arn},
        as_json=run.json,
    )


def configurations_of(
    run: Run,
    *,
    arguments: tuple[str, ...],
    name: str | None,
    region: str | None,
    as_json: bool,
    verbose: bool,
) -> list[Configuration]:
    """Return the configurations of a command that takes one for each of several regions."""
    from .configurations import read_configurations, split

    uris, variables = split(arguments)
    _begin(run, uris, variables, as_json=as_json, verbose=verbose)
    if len(uris) < 2:
        raise click.UsageError("Expected two or more CONFIG_URIs, one for each region.")
    return read_configurations(uris, variables, {"function_name": name, "region": region})


def _begin(
    run: Run, uris: Sequence[str], variables: Mapping[str, str], *, as_json: bool, verbose: bool
) -> None:
    """Set how failures are reported, and print log messages without the secrets of the ini files."""
    run.json, run.verbose = run.json or as_json, run.verbose or verbose
    run.secrets = [secret for uri in uris for secret in secrets_of_ini(uri, variables)]
    click.get_current_context().with_resource(logs.to_stderr(run.secrets, verbose=run.verbose))
