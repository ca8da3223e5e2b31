"""Run the commands of ``ppc-s3sync`` after their arguments have been parsed.

A command imports what only it needs when it runs, so that ``plan`` and ``status`` do not wait for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ..config.settings import SyncSettings, load_ini, read
from ..deploy import Deployment, plan_document, results
from ..deploy.cache import reconciling
from ..exceptions import ReconcileError
from ..reconcile.models import Options, a_tenth
from ..sync.masking import mask
from . import output_file
from .console import make_console, plan_summary, print_line, show_plan, show_replayed, show_status
from .failures import PROGRAM
from .reconciling import show_reconciled
from .steps import StepPrinter
from .text import json_text, one_line


class Command:
    """The settings and the output of a command. Each method runs one command and returns the exit status.

    Parameters
    ----------
    config_uri : str
        The ini file, as ``pserve`` takes it.
    variables : dict
        Values for ``%(NAME)s`` in the ini file.
    overrides : dict
        Values that override the ini file's ``s3sync.*`` settings, by their names without the prefix.
    as_json : bool
        Whether to print one JSON document, and nothing else.
    """

    def __init__(
        self,
        config_uri: str,
        variables: Mapping[str, str],
        overrides: Mapping[str, str | None],
        *,
        as_json: bool,
    ) -> None:
        self.config_uri = config_uri
        self.as_json = as_json
        self.console = make_console(quiet=as_json)
        self.settings: SyncSettings = read(load_ini(config_uri, variables), overrides)

    def plan(self, *, force: bool) -> int:
        """Show what enable would change."""
        with self._deployment() as deployment:
            plan = deployment.plan(force=force)
        document = plan_document(plan, "enable")
        return self._show(document, lambda: show_plan(self.console, document))

    def enable(self, *, force: bool, reconcile: bool) -> int:
        """Turn S3 sync on, or update it to match the settings."""
        with self._deployment() as deployment:
            plan = deployment.enable(force=force, reconcile=reconcile)
            reconciled = deployment.reconciled
        message = results.enabled(plan)
        document = {"result": "ok", "message": message, **plan_document(plan, "enable")}
        if reconciled is not None:
            document["reconcile"] = reconciled.document()
        missed = (
            "" if reconciled is not None and reconciled.report is not None else results.missed_events(plan)
        )
        done = (
            f"S3 sync is on: {plan.desired.names.function} keeps the cache in sync with the bucket"
            f" {self.settings.bucket}. {missed}"
        ).strip()

        def show() -> None:
            self._print(plan_summary(document) if plan.in_sync else done)
            if reconciled is not None:
                self._print(reconciled.message)

        return self._show(document, show)

    def reconcile(
        self,
        *,
        dry_run: bool,
        packages: Sequence[str],
        workers: int,
        max_delete: Callable[[int], int] | None,
        fan_out: bool,
    ) -> int:
        """Compare the bucket with the cache and repair it; the exit status is 1 if they still differ."""
        from pypicloud.util import normalize_name

        options = Options(dry_run, frozenset(map(normalize_name, packages)), max_delete or a_tenth)
        try:
            with self._deployment("listing bucket and cache") as deployment:
                report = deployment.reconcile(options, workers, fan_out=fan_out)
        except ReconcileError as error:
            document, summary, status = error.document, "", 1
            reason = mask(str(error), self.settings.secrets)
            click.echo(f"{PROGRAM}: {one_line(reason)}", err=True)
        else:
            document, summary = report.document(), reconciling.summary(report)
            status = 0 if report.in_sync or report.queued else 1
        self._show(document, lambda: show_reconciled(self.console, document, summary))
        return status

    def wait(self, filename: str, timeout: float) -> int:
        """Wait until the region can serve a file; the exit status is 1 if the time is over."""
        from ..deploy.cache.regions import wait_for

        with StepPrinter(self.console, "reading the bucket and the cache") as report:
            waited = wait_for(self.config_uri, self.settings, filename, timeout, report)
        if not waited.available:
            click.echo(f"{PROGRAM}: {one_line(waited.message)}", err=True)
        self._show(waited.document(), lambda: self._print(waited.message) if waited.available else None)
        return 0 if waited.available else 1

    def status(self) -> int:
        """Show the state of S3 sync; the exit status is 1 unless it is on and works."""
        with self._deployment() as deployment:
            document = deployment.status()
        self._show(document, lambda: show_status(self.console, document))
        return 0 if document["healthy"] else 1

    def doctor(self, *, canary: bool) -> int:
        """Examine the installation; the exit status is 1 if a check failed."""
        from ..doctor.diagnosis import diagnose
        from .doctor import show_examination

        with StepPrinter(self.console, "reading AWS and the cache") as report:
            document = diagnose(self.settings, report, canary=canary).document()
        self._show(document, lambda: show_examination(self.console, document))
        return 0 if document["healthy"] else 1

    def disable(self) -> int:
        """Remove what enable created."""
        with self._deployment() as deployment:
            plan = deployment.disable()
        message = results.disabled(plan)
        document = {"result": "ok", "message": message, **plan_document(plan, "disable")}
        summary = plan_summary(document) if plan.in_sync else message
        return self._show(document, lambda: self._print(summary))

    def replay(self) -> int:
        """Process the failed events again; the exit status is 1 if some failed again."""
        with self._deployment() as deployment:
            result = deployment.replay()
        document = result.document()
        self._show(document, lambda: show_replayed(self.console, document))
        return 1 if result.failed else 0

    def bundle(self, output: str) -> int:
        """Write the function's zip to a file."""
        path = output_file.check(output)
        with self._deployment("looking for the packages to bundle") as deployment:
            bundle = deployment.bundle()
        output_file.write(output, path, bundle.data)
        runtime = self.settings.runtime
        document = {"file": output, "size": bundle.size, "sha256": bundle.sha256, "runtime": runtime}
        summary = f"{output}: {bundle.size / 1e6:.1f} MB for {runtime}, SHA-256 {bundle.sha256}"
        return self._show(document, lambda: self._print(summary))

    def policy(self, purposes: Sequence[str], account: str | None) -> int:
        """Print the minimal IAM policy that an operator needs; it is JSON in any case."""
        from ..deploy.operator.policy import Purpose, operator_policy
        from ..deploy.operator.scope import scope_of

        scope = scope_of(self.settings, account)
        click.echo(json_text(operator_policy(self.settings, [Purpose(name) for name in purposes], scope)))
        return 0

    def template(self, form: str, output: str) -> int:
        """Print the template of the resources, which is JSON in any case, or write it to a file."""
        from ..deploy.template import TOOLS, Format, template

        if output == output_file.STDOUT:
            click.echo(json_text(template(self.settings, Format(form))))
            return 0
        path = output_file.check(output)
        document = template(self.settings, Format(form))
        output_file.write(output, path, f"{json_text(document)}\n".encode())
        summary = f"{output}: deploy it with {TOOLS[Format(form)]}, then run ppc-s3sync enable"
        return self._show({"file": output, "format": form}, lambda: self._print(summary))

    @contextmanager
    def _deployment(self, first: str = "comparing the settings with AWS") -> Iterator[Deployment]:
        """Yield the deployment, and show its steps in the meantime."""
        with StepPrinter(self.console, first) as report:
            yield Deployment(self.settings, report)

    def _show(self, document: Mapping[str, Any], show: Callable[[], None]) -> int:
        if self.as_json:
            click.echo(json_text(document))
        else:
            show()
        return 0

    def _print(self, line: str) -> None:
        print_line(self.console, line)
