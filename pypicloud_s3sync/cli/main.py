"""``ppc-s3sync``: turns S3 sync on and off from the ini that ``pserve`` takes.

Exit status: 0 done or healthy; 1 it failed, or the answer is "not in sync"; 2 a usage or configuration error;
130 interrupted. This is the one place where errors become exit statuses.
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
    """What main needs to know of a command when it fails: how to say it."""

    json: bool = False
    verbose: bool = False


def common(function: Function) -> Function:
    """The arguments and options of every command."""
    for decorate in (
        click.option("-v", "--verbose", is_flag=True, help="Log what is done; show tracebacks."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else."),
        click.option("-r", "--region", help="Region of the function. [default: the bucket's]"),
        click.option("-n", "--name", help="Name of the function. [default: pypicloud_s3_sync]"),
        click.argument("variables", nargs=-1, metavar="[NAME=VALUE]..."),
        click.argument("config_uri"),
    ):
        function = decorate(function)
    return function


def making(function: Function) -> Function:
    """The options of the commands that make the function."""
    role = click.option("-a", "--role-arn", help="Run the function as this role and make none.")
    force = click.option(
        *("-f", "--force"),
        is_flag=True,
        help="Redeploy where nothing changed; take over a function that this tool did not make.",
    )
    return role(force(function))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Keep a pypicloud cache equal to its S3 bucket, through a Lambda function.

    CONFIG_URI is what pserve takes: file.ini or file.ini#section, with NAME=VALUE for %(NAME)s.
    """


@cli.command()
@common
@making
@click.pass_obj
def plan(run: Run, /, force: bool, **arguments: Any) -> int:
    """Show what enable would change, as a diff; change nothing."""
    return _command(run, **arguments).plan(force=force)


@cli.command()
@common
@making
@click.pass_obj
def enable(run: Run, /, force: bool, **arguments: Any) -> int:
    """Turn S3 sync on, or bring it in line with the settings."""
    return _command(run, **arguments).enable(force=force)


@cli.command()
@common
@click.pass_obj
def status(run: Run, /, **arguments: Any) -> int:
    """Show what is there, and whether it differs from the settings."""
    return _command(run, **arguments).status()


@cli.command()
@common
@click.pass_obj
def disable(run: Run, /, **arguments: Any) -> int:
    """Remove what enable made, and nothing else."""
    return _command(run, **arguments).disable()


@cli.command()
@common
@click.option("-o", "--output", default="output.zip", show_default=True, help="File to write.")
@click.pass_obj
def bundle(run: Run, /, output: str, **arguments: Any) -> int:
    """Build the function's zip, for a function of your own making."""
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
    """Read the settings that a command's arguments name."""
    run.json, run.verbose = as_json, verbose
    pairs = [variable.partition("=") for variable in variables]
    for (key, separator, _), variable in zip(pairs, variables, strict=True):
        if not key or not separator:
            raise click.UsageError(f"{variable!r} is not NAME=VALUE.")
    # boto3, Pyramid and pypicloud take a second to import: --help and a typing error need not wait for them.
    from .commands import Command

    return Command(
        config_uri,
        {key: value for key, _, value in pairs},
        {"function_name": name, "region": region, "role_arn": role_arn},
        as_json=as_json,
        verbose=verbose,
    )


def main(argv: list[str] | None = None) -> int:
    """Run a command; every error becomes one line on stderr and an exit status here.

    Parameters
    ----------
    argv : list of str, optional
        Default: the process's.
    """
    run = Run()
    try:
        # Not cli.main: it prints an empty line before it passes an interrupt on.
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
        return _fail(run, 130, "interrupted: run it again to go on from here", error)
    except ConfigError as error:
        return _fail(run, 2, str(error), error)
    except S3SyncError as error:
        return _fail(run, 1, str(error), error)
    except BrokenPipeError:
        # Whoever read stdout has gone: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        text = f"unexpected {type(error).__name__}: {error}; run it with -v and report what it shows"
        return _fail(run, 1, text, error)


def _fail(run: Run, status: int, message: str, error: BaseException) -> int:
    message = " ".join(message.split())
    if run.verbose:
        traceback.print_exception(error, file=sys.stderr)
    if run.json:
        click.echo(json.dumps({"result": "failed", "message": message}, indent=2))
    click.echo(f"{PROGRAM}: {message}", err=True)
    return status
