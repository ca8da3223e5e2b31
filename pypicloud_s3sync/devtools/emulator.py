"""Run ministack, an AWS emulator, in a separate process."""

from __future__ import annotations

import importlib.util
import json
import sys
import urllib.request
from types import TracebackType
from typing import Any

import boto3

from ..exceptions import S3SyncError
from .ports import free_port, is_in_use
from .processes import SupervisedProcess, clean_environment, wait_until

#: The access key and the secret of ministack's root user.
ROOT_KEY = "test"
ACCOUNT_ID = "123456789012"
START_TIMEOUT = 60.0
#: The variables that ministack and its Lambda functions inherit. It has dozens of others that change its
#: behavior.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")


class EmbeddedAws:
    """An AWS emulator that enforces IAM, in a process that cannot outlive this one.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The access key is that of the root
    user, who may do everything.

    Examples
    --------
    >>> with EmbeddedAws() as aws:
    ...     aws.client("s3", "eu-west-1").list_buckets()
    """

    account_id = ACCOUNT_ID
    access_key_id = ROOT_KEY
    secret_access_key = ROOT_KEY
    port = 0
    #: Python's arguments that run the emulator.
    arguments: tuple[str, ...] = ("-m", f"{__package__}.ministack_process")

    def __init__(self) -> None:
        self._process: SupervisedProcess | None = None

    @property
    def endpoint_url(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int | None = None) -> EmbeddedAws:
        """Start the emulator and wait until it answers.

        Parameters
        ----------
        port : int, optional
            The port to listen on. The default is a free one.

        Raises
        ------
        S3SyncError
            If ministack is not installed, the port is in use, or ministack does not start.
        """
        if self._process is not None:
            raise S3SyncError(f"the embedded AWS is already running on port {self.port}")
        if importlib.util.find_spec("ministack") is None:
            raise S3SyncError(
                "the embedded AWS needs ministack, which is not installed:"
                " pip install 'pypicloud-s3sync[demo]'"
            )
        if port is not None and is_in_use(port):
            raise S3SyncError(f"the embedded AWS cannot start: port {port} is in use; choose another one")
        self.port = port or free_port()
        self._process = SupervisedProcess([sys.executable, *self.arguments], self._environment())
        try:
            wait_until(self._is_up, f"the embedded AWS answers at {self.endpoint_url}", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the emulator and its Lambda workers, and remove its files. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Return a boto3 client of the root user."""
        return make_client(service, region, self.endpoint_url, self.access_key_id, self.secret_access_key)

    @property
    def running(self) -> bool:
        """Whether the emulator is running."""
        return self._process is not None and self._process.running

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the emulator's log."""
        return self._process.log_tail(lines) if self._process is not None else ""

    def _environment(self) -> dict[str, str]:
        clean = clean_environment()
        inherited = {name: clean[name] for name in clean if name in INHERITED or name.startswith("AWS_")}
        return {
            **inherited,
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "LAMBDA_EXECUTOR": "local",
            # These two would listen on fixed ports of every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "INFO",
            # Relative to its private working directory, so that nothing is written to a shared /tmp.
            "STATE_DIR": "state",
            "S3_DATA_DIR": "s3",
        }

    def _is_up(self) -> bool:
        if not self.running:
            raise S3SyncError(f"the embedded AWS ended while starting; its log ends:\n{self.log_tail()}")
        return is_emulator(self.endpoint_url)

    def __enter__(self) -> EmbeddedAws:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def make_client(service: str, region: str, endpoint_url: str, key_id: str, secret: str) -> Any:
    """Return a boto3 client for an endpoint, with explicit credentials."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


def is_emulator(endpoint_url: str) -> bool:
    """Return whether ministack or LocalStack answers at an endpoint: both have this path."""
    # No proxy: the endpoint is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint_url.rstrip('/')}/_localstack/health", timeout=2) as response:
            return "services" in json.load(response)
    except (OSError, ValueError):
        return False
