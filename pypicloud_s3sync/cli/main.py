"""Run the command line of ``ppc-s3sync``, and turn errors into exit statuses.

The exit status is 0 if the command succeeded, 1 if it failed or found a difference, 2 for a usage or
configuration error, and 130 if it was interrupted.
"""

from __future__ import annotations

import sys

import click

from ..exceptions import ConfigError, S3SyncError
from .definitions import cli
from .failures import PROGRAM, Run, discard_stdout, report


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status; print an error as one line on stderr.

    Parameters
    ----------
    argv : list of str, optional
        The arguments. The default is those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Whether an error is reported as JSON must be known before the arguments are parsed: they may be wrong.
    run = Run(json="--json" in arguments)
    try:
        # Not cli.main, which prints an empty line before it passes an interrupt on.
        with cli.make_context(PROGRAM, arguments, obj=run) as context:
            return int(cli.invoke(context))
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return report(run, 2, f"{error.format_message()} See {_command_path(error)} --help.", error)
    except (click.Abort, KeyboardInterrupt) as error:
        return report(run, 130, "interrupted: run the command again to continue", error)
    except ConfigError as error:
        return report(run, 2, str(error), error)
    except S3SyncError as error:
        return report(run, 1, str(error), error)
    except BrokenPipeError:
        # The reader of stdout has gone away, so there is nowhere to report anything.
        discard_stdout()
        return 1
    except OSError as error:
        place, reason = error.filename or "the output", error.strerror or str(error)
        message = f"{place} cannot be read or written ({reason}): check the disk and the permissions"
        return report(run, 1, message, error)
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error}: run it with -v and report the traceback"
        return report(run, 1, message, error)


def _command_path(error: click.ClickException) -> str:
    """Return the command whose help explains a usage error."""
    context = getattr(error, "ctx", None)
    return PROGRAM if context is None else str(context.command_path)
