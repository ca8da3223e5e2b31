"""A whole AWS on this machine, for development, tests and the demo: ``ministack``, on 127.0.0.1 only.

In an ini, before the add-on itself, so that it is up when pypicloud connects::

    pyramid.includes = pypicloud_s3sync.embedded pypicloud_s3sync
    s3sync.endpoint_url = http://localhost:4566

It ends with the process that started it, and all in it is lost then. To keep it over restarts of the server
(``pserve --reload``), run it in a terminal of its own: ``python -m pypicloud_s3sync.embedded 4566``.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pypicloud.util import EnvironSettings

from .devtools.processes import END_SIGNALS, SupervisedProcess, clean_environment, wait_until
from .exceptions import ConfigError, S3SyncError

__all__ = ["EmbeddedAws", "free_port", "includeme", "wait_until"]

DEFAULT_PORT = 4566
#: ministack's gateway takes a key of this name for its root user.
ROOT = "test"
ACCOUNT_ID = "123456789012"
START_TIMEOUT = 60.0
#: ministack has dozens of switches in the environment, so it gets no more of ours than it needs to run.
#: Its Lambda functions inherit what it has.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")


class EmbeddedAws:
    """An AWS emulator in a process of its own that enforces IAM and can't outlive us.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The access key is the root user's,
    to whom everything is allowed.

    Examples
    --------
    >>> with EmbeddedAws() as aws:
    ...     aws.client("s3", "eu-west-1").list_buckets()
    """

    account_id = ACCOUNT_ID
    access_key_id = ROOT
    secret_access_key = ROOT
    port = 0
    #: What Python runs as the emulator.
    arguments: tuple[str, ...] = ("-m", "ministack")

    def __init__(self) -> None:
        self._process: SupervisedProcess | None = None

    @property
    def endpoint_url(self) -> str:
        """Where every service answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int | None = None) -> EmbeddedAws:
        """Start the emulator and wait until it answers.

        Parameters
        ----------
        port : int, optional
            A free one where not given.

        Raises
        ------
        S3SyncError
            ministack is not installed, the port is taken, or ministack did not come up.
        """
        if self._process is not None:
            raise S3SyncError(f"the embedded AWS runs already, on port {self.port}")
        if importlib.util.find_spec("ministack") is None:
            raise S3SyncError(
                "the embedded AWS needs ministack, which is not installed:"
                " pip install 'pypicloud-s3sync[demo]'"
            )
        if port is not None and _is_taken(port):
            raise S3SyncError(f"the embedded AWS cannot start: port {port} is taken; give another one")
        self.port = port or free_port()
        self._process = SupervisedProcess([sys.executable, *self.arguments], self._environment())
        try:
            wait_until(self._is_up, f"the embedded AWS answers at {self.endpoint_url}", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it, its Lambda workers and its files. Doing it twice is no error."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of the root user."""
        return _client(service, region, self.endpoint_url, self.access_key_id, self.secret_access_key)

    @property
    def running(self) -> bool:
        """Whether it is there still."""
        return self._process is not None and self._process.running

    def log_tail(self, lines: int = 20) -> str:
        """The end of the emulator's log."""
        return self._process.log_tail(lines) if self._process is not None else ""

    def _environment(self) -> dict[str, str]:
        clean = clean_environment()
        passed_on = {name: clean[name] for name in clean if name in PASSED_ON or name.startswith("AWS_")}
        return {
            **passed_on,
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "LAMBDA_EXECUTOR": "local",
            # These would listen on fixed ports of every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "INFO",
            # Its working directory is the private one: nothing lands in a shared /tmp.
            "STATE_DIR": "state",
            "S3_DATA_DIR": "s3",
        }

    def _is_up(self) -> bool:
        if not self.running:
            raise S3SyncError(f"the embedded AWS ended while starting; its log ends:\n{self.log_tail()}")
        return _is_emulator(self.endpoint_url)

    def __enter__(self) -> EmbeddedAws:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port(preferred: int = 0) -> int:
    """A TCP port on 127.0.0.1 that nobody listens on: the preferred one where it is free."""
    with socket.socket() as listener:
        # As the servers do: a port on which a server just ended counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", preferred))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def includeme(config: Any) -> None:
    """Have an AWS with the application's bucket: a Pyramid include for development.

    Uses the emulator that answers at ``s3sync.endpoint_url``, else starts one there.

    Parameters
    ----------
    config : pyramid.config.Configurator

    Raises
    ------
    ConfigError
        The endpoint is not on this machine, or something that is no emulator has its port.
    """
    settings = EnvironSettings(dict(config.registry.settings))
    endpoint_url = settings.get("s3sync.endpoint_url", f"http://localhost:{DEFAULT_PORT}")
    port = _loopback_port(endpoint_url)
    if not _is_emulator(endpoint_url):
        if _is_taken(port):
            raise ConfigError(
                f"port {port} is taken by something that is no AWS emulator:"
                " end that, or change s3sync.endpoint_url"
            )
        atexit.register(EmbeddedAws().start(port).stop)
    _make_bucket(settings, endpoint_url)


def _loopback_port(endpoint_url: str) -> int:
    """The port of an endpoint on this machine; real AWS must never be taken for a toy."""
    url = urlsplit(endpoint_url)
    if url.scheme != "http" or url.hostname not in ("localhost", "127.0.0.1"):
        raise ConfigError(
            f"s3sync.endpoint_url = {endpoint_url} is not on this machine, and the embedded AWS is for"
            " development: set http://localhost:PORT, or take pypicloud_s3sync.embedded out of"
            " pyramid.includes"
        )
    return url.port or 80


def _make_bucket(settings: EnvironSettings, endpoint_url: str) -> None:
    bucket = settings.get("storage.bucket")
    if not bucket:
        raise ConfigError("storage.bucket is not set: name the bucket that holds the packages")
    region = settings.get("storage.region_name") or "us-east-1"
    key_id = settings.get("storage.aws_access_key_id") or ROOT
    secret = settings.get("storage.aws_secret_access_key") or ROOT
    s3 = _client("s3", region, endpoint_url, key_id, secret)
    try:
        if bucket not in [mine["Name"] for mine in s3.list_buckets()["Buckets"]]:
            create_bucket(s3, bucket, region)
    except (ClientError, BotoCoreError) as error:
        raise S3SyncError(f"cannot make bucket {bucket} at {endpoint_url}: {error}") from error


def create_bucket(s3: Any, bucket: str, region: str) -> None:
    """Make a bucket in a region: S3 wants the home region unsaid and every other one said."""
    location = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=bucket, **location)


def _client(service: str, region: str, endpoint_url: str, key_id: str, secret: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


def _is_emulator(endpoint_url: str) -> bool:
    """Whether ministack or LocalStack answers there: both know this path."""
    # No proxy: the endpoint is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint_url.rstrip('/')}/_localstack/health", timeout=2) as answer:
            return "services" in json.load(answer)
    except (OSError, ValueError):
        return False


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main(arguments: list[str]) -> int:
    """Run the embedded AWS in a terminal until Ctrl-C: ``python -m pypicloud_s3sync.embedded [PORT]``."""
    for number in END_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    if arguments and not arguments[0].isdecimal():
        print("usage: python -m pypicloud_s3sync.embedded [PORT]", file=sys.stderr)
        return 2
    port = int(arguments[0]) if arguments else DEFAULT_PORT
    try:
        with EmbeddedAws().start(port) as aws:
            print(f"AWS at {aws.endpoint_url}, access key and secret: {ROOT}. Ctrl-C ends it.", flush=True)
            wait_until(lambda: not aws.running, "the embedded AWS ends", float("inf"))
    except KeyboardInterrupt:
        return 0
    except S3SyncError as error:
        print(error, file=sys.stderr)
        return 1
    print("the embedded AWS ended by itself", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
