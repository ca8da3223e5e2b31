"""Report why a command failed: on stderr, and with ``--json`` as a document on stdout too."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from ..exceptions import AwsError
from ..sync.masking import mask, secrets_in_environment
from . import text

PROGRAM = "ppc-s3sync"


@dataclass
class Run:
    """The options that decide how a failure is reported, set once the arguments have been parsed.

    Parameters
    ----------
    json, verbose : bool
        Whether ``--json`` and ``-v`` were given.
    secrets : list of str
        The secrets of the ini file, which no output may contain.
    """

    json: bool = False
    verbose: bool = False
    secrets: list[str] = field(default_factory=list)


def report(run: Run, status: int, message: str, error: BaseException) -> int:
    """Report a failure and return the exit status.

    Parameters
    ----------
    run : Run
    status : int
    message : str
        What failed, on what, and what to do.
    error : BaseException
        The source of the traceback.
    """
    secrets = [*run.secrets, *secrets_in_environment(os.environ)]
    policy = _policy(error)
    if policy and len(_actions(policy)) > 1:
        message += f"; reading needs all of {', '.join(_actions(policy))}"
    message = text.one_line(mask(" ".join(message.split()), secrets))
    if run.verbose:
        trace = "".join(traceback.format_exception(error))
        click.echo(text.lines(mask(trace, secrets)), err=True, nl=False)
    click.echo(f"{PROGRAM}: {message}", err=True)
    if run.json:
        try:
            document = {"result": "failed", "message": message, **({"policy": policy} if policy else {})}
            click.echo(text.json_text(document))
        except OSError:
            discard_stdout()
    return status


def _policy(error: BaseException) -> dict[str, Any] | None:
    """Return an IAM policy that allows what AWS denied, or None."""
    if not isinstance(error, AwsError):
        return None
    # boto3 takes long to import, and has been imported if AWS was called.
    from ..deploy import policy_that_allows

    return policy_that_allows(error)


def _actions(policy: Mapping[str, Any]) -> list[str]:
    listed = (statement["Action"] for statement in policy["Statement"])
    return sorted({action for item in listed for action in ([item] if isinstance(item, str) else item)})


def discard_stdout() -> None:
    """Let the interpreter end without a message about a stdout that cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
