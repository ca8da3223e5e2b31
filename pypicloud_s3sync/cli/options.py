"""Define the arguments and options that several commands share, and check the values of options."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from .option_types import NOT_BLANK

Function = TypeVar("Function", bound=Callable[..., Any])


def options_of_all(function: Function) -> Function:
    """Add the options that every command has."""
    for decorate in (
        click.option("-v", "--verbose", is_flag=True, help="Print log messages, and tracebacks of errors."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
        click.option(
            *("-r", "--region"),
            type=NOT_BLANK,
            metavar="REGION",
            help="Region of the function. [default: the bucket's region]",
        ),
        click.option(
            *("-n", "--name"),
            type=NOT_BLANK,
            metavar="NAME",
            help="Name of the function. [default: pypicloud_s3_sync]",
        ),
    ):
        function = decorate(function)
    return function


def common_options(function: Function) -> Function:
    """Add the arguments and options of a command that takes one configuration."""
    variables = click.argument("variables", nargs=-1, metavar="[NAME=VALUE]...")
    return click.argument("config_uri")(variables(options_of_all(function)))


def options_of_regions(function: Function) -> Function:
    """Add the arguments and options of a command that takes a configuration for each of several regions."""
    metavar = "CONFIG_URI CONFIG_URI... [NAME=VALUE]..."
    arguments = click.argument("arguments", nargs=-1, metavar=metavar, required=True)
    return arguments(options_of_all(function))


role_option = click.option(
    *("-a", "--role-arn"),
    type=NOT_BLANK,
    metavar="ARN",
    help="ARN of an existing IAM role for the function. No role is created.",
)


def provisioning_options(function: Function) -> Function:
    """Add the options of the commands that create or update the function."""
    force = click.option(
        *("-f", "--force"),
        is_flag=True,
        help="Upload the code even if nothing changed; take over a function that this tool did not create.",
    )
    return role_option(force(function))


def seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Return a number of seconds, if it is one."""
    if math.isnan(value):
        raise click.BadParameter("'nan' is not a number of seconds")
    return value


def account_id(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return the id of an AWS account, if it has the right format."""
    if value is not None and re.fullmatch(r"\d{12}", value) is None:
        raise click.BadParameter(f"{value!r} is not the 12 digits of an AWS account")
    return value
