"""What each command of ``ppc-s3sync`` does, once its arguments are parsed; returns the exit status."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..config.settings import SyncSettings, load_ini, read
from ..deploy import Deployment, documents
from ..exceptions import ConfigError
from .console import StepPrinter, make_console, plan_summary, show_plan, show_status


class Command:
    """A command's settings, and where its output goes.

    Parameters
    ----------
    config_uri : str
    variables, overrides : dict
        For the ini, and over its ``s3sync.*`` settings.
    as_json : bool
        Stdout belongs to one JSON document; nothing else is shown.
    verbose : bool
    """

    def __init__(
        self,
        config_uri: str,
        variables: Mapping[str, str],
        overrides: Mapping[str, str | None],
        *,
        as_json: bool,
        verbose: bool,
    ) -> None:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO if verbose else logging.ERROR)
        self.as_json = as_json
        self.console = make_console(quiet=as_json)
        self.settings: SyncSettings = read(load_ini(config_uri, variables), overrides)

    def plan(self, *, force: bool) -> int:
        """Show what enable would change."""
        with self._deployment() as deployment:
            plan = deployment.plan(force=force)
        document = documents.plan_document(plan, "enable")
        return self._show(document, lambda: show_plan(self.console, document))

    def enable(self, *, force: bool) -> int:
        """Make it so."""
        with self._deployment() as deployment:
            done = deployment.enable(force=force)
        document = {"result": "ok", **documents.plan_document(done, "enable")}
        names = done.desired.names
        on = f"S3 sync is on: {names.function} keeps the cache equal to {self.settings.bucket}."
        return self._show(document, lambda: self._say(plan_summary(document) if done.in_sync else on))

    def status(self) -> int:
        """Show what is there; 1 where it differs from the settings."""
        with self._deployment() as deployment:
            document = documents.status_document(deployment.plan(), self.settings)
        self._show(document, lambda: show_status(self.console, document))
        return 0 if document["in_sync"] else 1

    def disable(self) -> int:
        """Remove what enable made."""
        with self._deployment() as deployment:
            done = deployment.disable()
        document = {"result": "ok", **documents.plan_document(done, "disable")}
        said = plan_summary(document) if done.in_sync else "S3 sync is off."
        return self._show(document, lambda: self._say(said))

    def bundle(self, output: str) -> int:
        """Write the function's zip to a file."""
        with self._deployment() as deployment:
            built = deployment.bundle()
        try:
            Path(output).write_bytes(built.data)
        except OSError as error:
            raise ConfigError(
                f"cannot write {output}: {error.strerror}; give another file with -o"
            ) from error
        runtime = self.settings.runtime
        document = {"file": output, "size": built.size, "sha256": built.sha256, "runtime": runtime}
        said = f"{output}: {built.size / 1e6:.1f} MB for {runtime}, SHA-256 {built.sha256}"
        return self._show(document, lambda: self._say(said))

    @contextmanager
    def _deployment(self) -> Iterator[Deployment]:
        """The deployment, its steps shown while it is used."""
        with StepPrinter(self.console) as report:
            yield Deployment(self.settings, report)

    def _show(self, document: Mapping[str, Any], show: Callable[[], None]) -> int:
        if self.as_json:
            click.echo(json.dumps(document, indent=2))
        else:
            show()
        return 0

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)
