"""Get the code of a deployment: build it from what is installed here, or read a ready zip."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...config.certificates import name_in_bundle
from ...config.settings import SyncSettings
from ...exceptions import BundleError
from ..aws.clients import Clients
from ..aws.errors import is_missing, translated
from ..models import Progress, Reporter
from . import Bundle, BundleSpec, Target, build, fingerprint, load

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STEP = "build bundle"


class BundleSource:
    """Builds or fetches the bundle of a deployment, at most once.

    Parameters
    ----------
    settings : SyncSettings
    clients : callable, optional
        Returns the clients for settings and a region.
    """

    def __init__(
        self, settings: SyncSettings, clients: Callable[[SyncSettings, str | None], Clients] = Clients
    ) -> None:
        self.settings = settings
        self._clients = clients
        self._bundle: Bundle | None = None

    def fingerprint(self) -> str:
        """Return a digest of everything that decides the bundle's bytes, without building or fetching it.

        Raises
        ------
        BundleError, AwsError
            As :meth:`get`, for everything that can be seen so.
        """
        ready = self.settings.bundle
        if ready is None:
            return fingerprint(self._spec)
        if ready.startswith("s3://"):
            return self._fingerprint_of_object(ready)
        # Reading a ready zip has no steps to report.
        return hashlib.sha256(self.get(lambda progress: None).data).hexdigest()

    def get(self, report: Reporter) -> Bundle:
        """Return the bundle; build or fetch it on the first call.

        Parameters
        ----------
        report : callable
            Takes a :class:`.models.Progress` for each step of the build.

        Raises
        ------
        BundleError
            If the bundle cannot be built or read, or does not work.
        AwsError
            If it cannot be fetched from S3.
        """
        if self._bundle is None:
            self._bundle = self._create(report)
        return self._bundle

    def _create(self, report: Reporter) -> Bundle:
        ready = self.settings.bundle
        if ready is None:
            return self._build(report)
        if ready.startswith("s3://"):
            return self._fetch(ready)
        return load(ready, required=self._certificates)

    def _build(self, report: Reporter) -> Bundle:
        def listen(message: str, done: int, total: int) -> None:
            report(Progress(STEP, "running", message, done, total))

        bundle = build(self._spec, listen)
        report(Progress(STEP, "done", f"built the bundle, {bundle.size / 1e6:.1f} MB"))
        return bundle

    def _fingerprint_of_object(self, uri: str) -> str:
        """Return a digest of what S3 says about an object: its ETag changes with its contents.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        """
        bucket, key = _bucket_and_key(uri)
        with self._reading(uri) as s3:
            found = s3.head_object(Bucket=bucket, Key=key)
        return hashlib.sha256(f"{found['ETag']} {found['ContentLength']}".encode()).hexdigest()

    def _fetch(self, uri: str) -> Bundle:
        bucket, key = _bucket_and_key(uri)
        with self._reading(uri) as s3, tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bundle.zip")
            s3.download_file(bucket, key, str(path))
            return load(path, uri, self._certificates)

    @contextmanager
    def _reading(self, uri: str) -> Iterator[S3Client]:
        """Yield a client of S3, and say which object a failure is about."""
        with translated("s3:GetObject", uri, self.settings.endpoint_url):
            try:
                yield self._clients(self.settings, None)["s3"]
            except ClientError as error:
                if is_missing(error):
                    raise BundleError(
                        f"{uri} does not exist: upload the zip, or correct s3sync.bundle"
                    ) from error
                raise

    @property
    def _spec(self) -> BundleSpec:
        settings = self.settings
        target = Target(settings.runtime, settings.architecture)
        files = tuple(self._certificates.items())
        return BundleSpec(target, settings.cache, settings.db_url, settings.extra_packages, files)

    @property
    def _certificates(self) -> dict[str, str]:
        """The paths of the certificates that the function needs, by their names in the zip."""
        return {name_in_bundle(option): path for option, path in self.settings.certificates.items()}


def _bucket_and_key(uri: str) -> tuple[str, str]:
    """Return the parts of an address, which the settings have checked."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
