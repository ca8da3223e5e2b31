"""``ppc-s3sync``: turns S3 sync on and off from the ini that ``pserve`` takes; the only module that prints.

Exit status: 0 done or healthy; 1 it failed, or the answer is "not in sync"; 2 a usage or configuration error;
130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from . import __version__
from .console import Reporter, make_console, plan_summary, show_plan, show_status
from .deploy import Deployment, documents
from .exceptions import ConfigError, S3SyncError
from .settings import SyncSettings, load_ini, read

PROGRAM = "ppc-s3sync"
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Run:
    """What main needs to know of a command when it fails: how to say it."""

    json: bool = False
    verbose: bool = False


def common(function: Function) -> Function:
    """The arguments and options of every command."""
    for decorate in reversed(
        (
            click.argument("config_uri"),
            click.argument("variables", nargs=-1, metavar="[NAME=VALUE]..."),
            click.option("-n", "--name", help="Name of the function. [default: pypicloud_s3_sync]"),
            click.option("-r", "--region", help="Region of the function. [default: the bucket's]"),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else."),
            click.option("-v", "--verbose", is_flag=True, help="Log what is done; show tracebacks."),
        )
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
def plan(run: Run, /, **arguments: Any) -> None:
    """Show what enable would change, as a diff; change nothing."""
    settings = _settings(run, arguments)
    with Reporter(make_console(quiet=run.json)) as reporter:
        found = Deployment(settings, reporter).plan(force=arguments["force"])
    document = documents.plan_document(found, "enable")
    _show(run, document, lambda: show_plan(reporter.console, document))


@cli.command()
@common
@making
@click.pass_obj
def enable(run: Run, /, **arguments: Any) -> None:
    """Turn S3 sync on, or bring it in line with the settings."""
    settings = _settings(run, arguments)
    with Reporter(make_console(quiet=run.json)) as reporter:
        done = Deployment(settings, reporter).enable(force=arguments["force"])
    document = {"result": "ok", **documents.plan_document(done, "enable")}
    _show(run, document, lambda: reporter.console.print(_enabled(document), markup=False, highlight=False))


def _enabled(document: Mapping[str, Any]) -> str:
    if document["in_sync"]:
        return plan_summary(document)
    return f"S3 sync is on: {document['function']} keeps the cache equal to {document['bucket']}."


@cli.command()
@common
@click.pass_context
def status(context: click.Context, /, **arguments: Any) -> None:
    """Show what is there, and whether it differs from the settings."""
    run = context.obj
    settings = _settings(run, arguments)
    with Reporter(make_console(quiet=run.json)) as reporter:
        document = documents.status_document(Deployment(settings, reporter).plan(force=False), settings)
    _show(run, document, lambda: show_status(reporter.console, document))
    context.exit(0 if document["in_sync"] else 1)


@cli.command()
@common
@click.pass_obj
def disable(run: Run, /, **arguments: Any) -> None:
    """Remove what enable made, and nothing else."""
    settings = _settings(run, arguments)
    with Reporter(make_console(quiet=run.json)) as reporter:
        done = Deployment(settings, reporter).disable()
    document = {"result": "ok", **documents.plan_document(done, "disable")}
    said = plan_summary(document) if done.in_sync else "S3 sync is off."
    _show(run, document, lambda: reporter.console.print(said, markup=False, highlight=False))


@cli.command()
@common
@click.option("-o", "--output", default="output.zip", show_default=True, help="File to write.")
@click.pass_obj
def bundle(run: Run, /, output: str, **arguments: Any) -> None:
    """Build the function's zip, for a function of your own making."""
    settings = _settings(run, arguments)
    with Reporter(make_console(quiet=run.json)) as reporter:
        built = Deployment(settings, reporter).bundle()
    try:
        Path(output).write_bytes(built.data)
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}; give another file with -o") from error
    document = {"file": output, "size": built.size, "sha256": built.sha256, "runtime": settings.runtime}
    said = f"{output}: {built.size / 1e6:.1f} MB for {settings.runtime}, SHA-256 {built.sha256}"
    _show(run, document, lambda: reporter.console.print(said, markup=False, highlight=False))


def _settings(run: Run, arguments: Mapping[str, Any]) -> SyncSettings:
    """Read the settings that a command's arguments name."""
    run.json, run.verbose = arguments["as_json"], arguments["verbose"]
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if run.verbose else logging.ERROR)
    variables = {}
    for variable in arguments["variables"]:
        name, separator, value = variable.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{variable!r} is not NAME=VALUE")
        variables[name] = value
    overrides = {"function_name": arguments["name"], "region": arguments["region"]}
    return read(
        load_ini(arguments["config_uri"], variables), {**overrides, "role_arn": arguments.get("role_arn")}
    )


def _show(run: Run, document: Mapping[str, Any], show: Callable[[], None]) -> None:
    if run.json:
        click.echo(json.dumps(document, indent=2))
    else:
        show()


def main(argv: list[str] | None = None) -> int:
    """Run a command; every error becomes one line on stderr and an exit status here.

    Parameters
    ----------
    argv : list of str, optional
        Default: the process's.
    """
    run = Run()
    try:
        return cli.main(argv, prog_name=PROGRAM, standalone_mode=False, obj=run) or 0
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
    if run.verbose:
        traceback.print_exception(error, file=sys.stderr)
    if run.json:
        click.echo(json.dumps({"result": "failed", "message": message}, indent=2))
    click.echo(f"{PROGRAM}: {' '.join(message.split())}", err=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
