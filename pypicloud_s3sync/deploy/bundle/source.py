"""Where a deployment's code comes from: built from what is installed here, or a ready zip of the user's."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from ...config.settings import SyncSettings
from ...exceptions import BundleError
from ..aws import Clients
from ..aws_errors import translated
from ..models import Progress
from . import Bundle, BundleSpec, Target, build, fingerprint, load

STEP = "build bundle"


class BundleSource:
    """Builds or fetches the bundle that the settings ask for, at most once.

    Parameters
    ----------
    settings : SyncSettings
    report : callable
        Takes a :class:`.models.Progress` while it is built.
    """

    def __init__(self, settings: SyncSettings, report: Callable[[Progress], None]) -> None:
        self.settings = settings
        self.report = report

    def fingerprint(self) -> str:
        """What decides the bundle's bytes, in short; found without building it."""
        if self.settings.bundle is None:
            return fingerprint(self._spec)
        return hashlib.sha256(self._bundle.data).hexdigest()

    def build(self) -> Bundle:
        """The bundle.

        Raises
        ------
        BundleError
            It cannot be built, is no bundle, or does not work.
        """
        return self._bundle

    @cached_property
    def _bundle(self) -> Bundle:
        ready = self.settings.bundle
        if ready is None:
            built = build(self._spec, self._progress)
            self.report(Progress(STEP, "done", f"built the bundle, {built.size / 1e6:.1f} MB"))
            return built
        if ready.startswith("s3://"):
            return self._fetch(ready)
        return load(ready)

    def _fetch(self, uri: str) -> Bundle:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not key:
            raise BundleError(f"s3sync.bundle = {uri} names no object: write s3://bucket/key")
        with (
            translated("s3:GetObject", uri, self.settings.endpoint_url),
            tempfile.TemporaryDirectory() as folder,
        ):
            path = Path(folder, "bundle.zip")
            Clients(self.settings)["s3"].download_file(bucket, key, str(path))
            return load(path, uri)

    def _progress(self, message: str, done: int, total: int) -> None:
        self.report(Progress(STEP, "running", message, done, total))

    @property
    def _spec(self) -> BundleSpec:
        settings = self.settings
        target = Target(settings.runtime, settings.architecture)
        return BundleSpec(target, settings.cache, settings.db_url, settings.extra_packages)
