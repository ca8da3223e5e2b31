"""Define the commands of ``ppc-s3sync``, with their arguments, their options and their help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .. import __version__
from .arguments import command_of, configurations_of
from .failures import PROGRAM, Run
from .option_types import NOT_BLANK, MaxDelete
from .options import (
    account_id,
    common_options,
    options_of_all,
    options_of_regions,
    provisioning_options,
    role_option,
    seconds,
)
from .output_file import STDOUT


class Commands(click.Group):
    """Lists the commands in the order in which people need them, not by the alphabet."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of the commands in the order of their definitions."""
        return list(self.commands)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 success; 1 failure, or not in sync; 2 wrong command line or configuration.",
)
@click.version_option(__version__, prog_name=PROGRAM)
# Also before the command, where people who know other programs write them.
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, hidden=True)
@click.pass_obj
def cli(run: Run, /, *, as_json: bool, verbose: bool) -> None:
    """Keep a pypicloud cache in sync with its S3 bucket, with a Lambda function.

    Run it in the virtual environment of the pypicloud server, with the server's ini file:

    \b
      ppc-s3sync plan production.ini      see what would be created
      ppc-s3sync enable production.ini    create it
      ppc-s3sync status production.ini    check it

    CONFIG_URI is what pserve takes: file.ini or file.ini#section. NAME=VALUE sets %(NAME)s in the file.
    `ppc-s3sync COMMAND --help` describes a command and its options.
    """
    run.json, run.verbose = run.json or as_json, verbose


@cli.command()
@common_options
@provisioning_options
@click.pass_obj
def plan(run: Run, /, force: bool, **arguments: Any) -> int:
    """Show what enable would change, as a diff. Nothing is changed.

    Before a resource, + means that it would be created, ~ updated, - deleted. The exit status is 0 even if
    there is a difference.
    """
    return command_of(run, **arguments).plan(force=force)


@cli.command()
@common_options
@provisioning_options
@click.option("--no-reconcile", is_flag=True, help="Do not compare the bucket with the cache afterwards.")
@click.pass_obj
def enable(run: Run, /, force: bool, no_reconcile: bool, **arguments: Any) -> int:
    """Turn S3 sync on, or update it to match the settings.

    Each step is printed. A run that failed or was interrupted is continued by the next one. If nothing
    differs, nothing is changed, so it can be a part of every deployment. At the end, the bucket is compared
    with the cache, as reconcile does, and packages that were uploaded before are added to the cache.
    """
    return command_of(run, **arguments).enable(force=force, reconcile=not no_reconcile)


@cli.command()
@common_options
@click.pass_obj
def status(run: Run, /, **arguments: Any) -> int:
    """Show the state of S3 sync, and whether it differs from the settings.

    The exit status is 0 if S3 sync is on and works, and 1 otherwise.
    """
    return command_of(run, **arguments).status()


@cli.command()
@common_options
@click.pass_obj
def disable(run: Run, /, **arguments: Any) -> int:
    """Turn S3 sync off: remove what enable created, and nothing else.

    The packages and the cache are not changed.
    """
    return command_of(run, **arguments).disable()


@cli.command()
@common_options
@click.option("--dry-run", is_flag=True, help="Only count the differences.")
@click.option(
    "--package",
    "packages",
    type=NOT_BLANK,
    multiple=True,
    metavar="NAME",
    help="Only this project. Can be repeated.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=32, show_default=True, help="Parallel requests to S3."
)
@click.option(
    "--max-delete",
    type=MaxDelete(),
    help="If more rows have no object, delete none. [default: 10%, at least 100]",
)
@click.option(
    "--fan-out",
    is_flag=True,
    help="Put the files that differ into the function's queue, and let it repair them.",
)
@click.pass_obj
def reconcile(
    run: Run,
    /,
    *,
    dry_run: bool,
    packages: tuple[str, ...],
    workers: int,
    max_delete: Callable[[int], int] | None,
    fan_out: bool,
    **arguments: Any,
) -> int:
    """Compare the bucket with the cache, and repair the cache.

    Bucket and cache are listed, and only the files that differ are read and repaired, as if an event had come
    for them. It can run at any time, also during uploads and events, and a run that was stopped is completed
    by the next one. Run it on a host that can reach the cache.

    The exit status is 0 if bucket and cache are in sync in the end. It is 1 if something could not be
    repaired, or if --dry-run found a difference. With --fan-out it is 0 if everything was queued.
    """
    if fan_out and dry_run:
        raise click.UsageError("--dry-run changes nothing, so it cannot be used with --fan-out.")
    command = command_of(run, **arguments)
    return command.reconcile(
        dry_run=dry_run, packages=packages, workers=workers, max_delete=max_delete, fan_out=fan_out
    )


@cli.command()
@common_options
@click.option("--canary", is_flag=True, help="Upload, overwrite and delete a test package; time each step.")
@click.pass_obj
def doctor(run: Run, /, canary: bool, **arguments: Any) -> int:
    """Check everything that S3 sync needs, and say what to do about what is wrong.

    This covers the credentials, the bucket and its replication, its notifications, the function and its role,
    the cache, and failed and late events. Nothing is changed. The function is invoked once, for a file that
    does not exist, to see whether it reaches the cache.

    --canary uploads, overwrites and deletes a small package, and waits each time until the cache shows it.
    The package is deleted in any case, and no list of projects shows it. This needs more permissions; see the
    documentation.

    The exit status is 1 if a check failed, and 0 if there are only warnings.
    """
    return command_of(run, **arguments).doctor(canary=canary)


@cli.command()
@options_of_regions
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be changed.")
@click.option(
    "--remove",
    is_flag=True,
    help="Remove the rules that this command created among these buckets. Versioning stays on.",
)
@click.pass_obj
def replicate(run: Run, /, *, only_plan: bool, remove: bool, **arguments: Any) -> int:
    """Set up S3 replication among the buckets of several regions, from every one to every other.

    Each bucket gets versioning, and a rule for each of the other buckets that replicates packages and
    deletions; its rules get a role. Foreign rules are not changed. A run that failed or was interrupted
    is continued by the next one. -r applies to ini files that name no region.

    The exit status is 0 if the regions replicate in the end. It is 1 if --plan found something to do.
    """
    configurations = configurations_of(run, **arguments)
    from .replicating import replicate as run_replicate

    return run_replicate(configurations, only_plan=only_plan, remove=remove, as_json=run.json)


@cli.command()
@options_of_regions
@click.pass_obj
def compare(run: Run, /, **arguments: Any) -> int:
    """Show whether two or more regions are equal, and where something was lost.

    The buckets and the caches of all regions are listed, and each difference is shown with the region that
    lacks the file or has another one, and what to do about it. Nothing is changed. Run it on a host that can
    reach all of the caches.

    The exit status is 0 if the regions are equal, and 1 if they are not.
    """
    configurations = configurations_of(run, **arguments)
    from .comparing import compare

    return compare(configurations, as_json=run.json)


@cli.command()
@options_of_all
@click.argument("config_uri")
@click.argument("arguments", nargs=-1, metavar="FILENAME [NAME=VALUE]...", required=True)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    callback=seconds,
    default=300,
    show_default=True,
    metavar="S",
    help="Seconds to wait.",
)
@click.pass_obj
def wait(run: Run, /, *, arguments: tuple[str, ...], timeout: float, **others: Any) -> int:
    """Wait until the region can serve a file, for example after an upload in another region.

    FILENAME is that of a package: acme-1.0-py3-none-any.whl. The command returns as soon as the bucket has
    the file, and the cache has its row and lists it. The exit status is 1 if the time is over: the error says
    which of them lacks the file.
    """
    variables = tuple(argument for argument in arguments if "=" in argument)
    filenames = [argument for argument in arguments if "=" not in argument]
    command = command_of(run, variables=variables, **others)
    if len(filenames) != 1:
        raise click.UsageError(f"Expected one FILENAME, got {len(filenames)}.")
    return command.wait(filenames[0], timeout)


@cli.command()
@common_options
@click.pass_obj
def replay(run: Run, /, **arguments: Any) -> int:
    """Process the failed events again: those in the dead-letter queue.

    Those that succeed are deleted. The exit status is 1 if some failed again.
    """
    return command_of(run, **arguments).replay()


@cli.command()
@common_options
@click.option(
    *("-o", "--output"),
    type=NOT_BLANK,
    metavar="FILE",
    default="output.zip",
    show_default=True,
    help="File to write.",
)
@click.pass_obj
def bundle(run: Run, /, output: str, **arguments: Any) -> int:
    """Build the zip of a function that you manage yourself.

    Its handler is pypicloud_s3sync.handler.handle_s3_event. Building it needs no access to AWS. An existing
    FILE is replaced once the zip is complete.
    """
    return command_of(run, **arguments).bundle(output)


@cli.command()
@common_options
@role_option
@click.option(
    *("--for", "purposes"),
    type=click.Choice(["enable", "status", "panel", "replicate", "compare"]),
    multiple=True,
    default=["enable"],
    show_default=True,
    help="enable: also plan, status, doctor and disable. status: only plan, status and doctor. panel: all"
    " that the admin UI shows. replicate: replicate, for this bucket. compare: also wait. Repeat it to allow"
    " several.",
)
@click.option(
    "--account",
    metavar="ID",
    callback=account_id,
    help="Account of the operator, 12 digits. [default: any account]",
)
@click.pass_obj
def policy(run: Run, /, purposes: tuple[str, ...], account: str | None, **arguments: Any) -> int:
    """Print the minimal IAM policy that an operator needs, as JSON.

    An operator is a user or a role that runs these commands, or the role of the server whose admin UI shows
    S3 sync. The policy is limited to the function, the bucket and the other resources that CONFIG_URI names,
    and to the features that it uses. AWS is not asked, so no credentials are needed: an account or a region
    that neither the file nor an option names is "*" in the policy.
    """
    return command_of(run, **arguments).policy(purposes, account)


@cli.command()
@common_options
@role_option
@click.option(
    *("--format", "form"),
    type=click.Choice(["cloudformation", "terraform"]),
    default="cloudformation",
    show_default=True,
    help="Format of the template; Terraform's is its JSON syntax.",
)
@click.option(
    *("-o", "--output"),
    type=NOT_BLANK,
    metavar="FILE",
    default=STDOUT,
    show_default=True,
    help="File to write; - is standard output.",
)
@click.pass_obj
def template(run: Run, /, form: str, output: str, **arguments: Any) -> int:
    """Print what enable would create as a template, as JSON.

    It is for teams whose changes are reviewed before they are deployed. It has everything but the bucket's
    notifications, which other tools share: enable adds its own after the template has been deployed. AWS is
    not asked, so no credentials are needed.
    """
    return command_of(run, **arguments).template(form, output)
