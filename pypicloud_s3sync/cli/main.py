"""Parse the command line of ``ppc-s3sync`` and turn errors into exit statuses.

The exit status is 0 if the command succeeded, 1 if it failed or found a difference, 2 for a usage or
configuration error, and 130 if it was interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import __version__
from ..exceptions import ConfigError, S3SyncError

if TYPE_CHECKING:
    from .commands import Command

PROGRAM = "ppc-s3sync"
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Run:
    """The options that decide how :func:`main` reports a failure."""

    json: bool = False
    verbose: bool = False


def common_options(function: Function) -> Function:
    """Add the arguments and options that every command has."""
    for decorate in (
        click.option("-v", "--verbose", is_flag=True, help="Print log messages, and tracebacks of errors."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
        click.option("-r", "--region", help="Region of the function. [default: the bucket's region]"),
        click.option("-n", "--name", help="Name of the function. [default: pypicloud_s3_sync]"),
        click.argument("variables", nargs=-1, metavar="[NAME=VALUE]..."),
        click.argument("config_uri"),
    ):
        function = decorate(function)
    return function


def provisioning_options(function: Function) -> Function:
    """Add the options of the commands that create or update the function."""
    role = click.option(
        "-a", "--role-arn", help="ARN of an existing IAM role for the function. No role is created."
    )
    force = click.option(
        *("-f", "--force"),
        is_flag=True,
        help="Upload the code even if nothing changed; take over a function that this tool did not create.",
    )
    return role(force(function))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Keep a pypicloud cache in sync with its S3 bucket, with a Lambda function.

    CONFIG_URI is what pserve takes: file.ini or file.ini#section. NAME=VALUE sets %(NAME)s in the file.
    """


@cli.command()
@common_options
@provisioning_options
@click.pass_obj
def plan(run: Run, /, force: bool, **arguments: Any) -> int:
    """Show what enable would change, as a diff. Nothing is changed."""
    return _command(run, **arguments).plan(force=force)


@cli.command()
@common_options
@provisioning_options
@click.pass_obj
def enable(run: Run, /, force: bool, **arguments: Any) -> int:
    """Turn S3 sync on, or update it to match the settings."""
    return _command(run, **arguments).enable(force=force)


@cli.command()
@common_options
@click.pass_obj
def status(run: Run, /, **arguments: Any) -> int:
    """Show the state of S3 sync, and whether it differs from the settings."""
    return _command(run, **arguments).status()


@cli.command()
@common_options
@click.pass_obj
def disable(run: Run, /, **arguments: Any) -> int:
    """Turn S3 sync off: remove what enable created, and nothing else."""
    return _command(run, **arguments).disable()


@cli.command()
@common_options
@click.option("-o", "--output", default="output.zip", show_default=True, help="File to write.")
@click.pass_obj
def bundle(run: Run, /, output: str, **arguments: Any) -> int:
    """Build the zip of a function that you manage yourself."""
    return _command(run, **arguments).bundle(output)


def _command(
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
    run.json, run.verbose = as_json, verbose
    pairs = [variable.partition("=") for variable in variables]
    for (key, separator, _), variable in zip(pairs, variables, strict=True):
        if not key or not separator:
            raise click.UsageError(f"Invalid value {variable!r}: expected NAME=VALUE.")
    # boto3, Pyramid and pypicloud take a second to import, which --help and usage errors need not wait for.
    from .commands import Command

    return Command(
        config_uri,
        {key: value for key, _, value in pairs},
        {"function_name": name, "region": region, "role_arn": role_arn},
        as_json=as_json,
        verbose=verbose,
    )


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status; print an error as one line on stderr.

    Parameters
    ----------
    argv : list of str, optional
        The arguments. The default is those of the process.
    """
    run = Run()
    try:
        # Not cli.main, which prints an empty line before it passes an interrupt on.
        with cli.make_context(PROGRAM, list(sys.argv[1:] if argv is None else argv), obj=run) as context:
            return int(cli.invoke(context))
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(run, 2, f"{error.format_message()} See {PROGRAM} --help.", error)
    except (click.Abort, KeyboardInterrupt) as error:
        return _fail(run, 130, "interrupted: run the command again to continue", error)
    except ConfigError as error:
        return _fail(run, 2, str(error), error)
    except S3SyncError as error:
        return _fail(run, 1, str(error), error)
    except BrokenPipeError:
        # The reader of stdout has gone away, so there is nowhere to report anything.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error}: run it with -v and report the traceback"
        return _fail(run, 1, message, error)


def _fail(run: Run, status: int, message: str, error: BaseException) -> int:
    message = " ".join(message.split())
    if run.verbose:
        traceback.print_exception(error, file=sys.stderr)
    if run.json:
        click.echo(json.dumps({"result": "failed", "message": message}, indent=2))
    click.echo(f"{PROGRAM}: {message}", err=True)
    return status
