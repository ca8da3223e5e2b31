"""Run an AWS emulator on this machine for development, tests and the demo: ``ministack``, on 127.0.0.1 only.

Include it in an ini file before the add-on itself, so that it is running when pypicloud connects::

    pyramid.includes = pypicloud_s3sync.embedded pypicloud_s3sync
    s3sync.endpoint_url = http://localhost:4566

The emulator ends with the process that started it, and loses its data. To keep the data while the server
restarts (``pserve --reload``), run the emulator in another terminal: ``python -m pypicloud_s3sync.embedded
4566``.
"""

from __future__ import annotations

import atexit
import signal
import sys
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from pypicloud.util import EnvironSettings

from .devtools.emulator import ROOT_KEY, EmbeddedAws, is_emulator, make_client
from .devtools.ports import free_port, is_in_use
from .devtools.processes import END_SIGNALS, wait_until
from .exceptions import ConfigError, S3SyncError

__all__ = ["EmbeddedAws", "create_bucket", "free_port", "includeme", "wait_until"]

DEFAULT_PORT = 4566


def includeme(config: Any) -> None:
    """Provide an AWS emulator with the application's bucket: a Pyramid include for development.

    Use the emulator at ``s3sync.endpoint_url`` if one answers there, otherwise start one on that port.

    Parameters
    ----------
    config : pyramid.config.Configurator

    Raises
    ------
    ConfigError
        If the endpoint is not on this machine, or its port is used by something that is not an AWS emulator.
    """
    settings = EnvironSettings(dict(config.registry.settings))
    endpoint_url = settings.get("s3sync.endpoint_url", f"http://localhost:{DEFAULT_PORT}")
    port = _loopback_port(endpoint_url)
    if not is_emulator(endpoint_url):
        if is_in_use(port):
            raise ConfigError(
                f"port {port} is used by something that is not an AWS emulator:"
                " stop that, or change s3sync.endpoint_url"
            )
        atexit.register(EmbeddedAws().start(port).stop)
    _ensure_bucket(settings, endpoint_url)


def _loopback_port(endpoint_url: str) -> int:
    """Return the port of an endpoint on this machine; refuse others, which may be the real AWS."""
    url = urlsplit(endpoint_url)
    if url.scheme != "http" or url.hostname not in ("localhost", "127.0.0.1"):
        raise ConfigError(
            f"s3sync.endpoint_url = {endpoint_url} is not on this machine, but the embedded AWS is only for"
            " development: set http://localhost:PORT, or remove pypicloud_s3sync.embedded from"
            " pyramid.includes"
        )
    return url.port or 80


def _ensure_bucket(settings: EnvironSettings, endpoint_url: str) -> None:
    bucket = settings.get("storage.bucket")
    if not bucket:
        raise ConfigError("storage.bucket is not set: name the bucket that holds the packages")
    region = settings.get("storage.region_name") or "us-east-1"
    key_id = settings.get("storage.aws_access_key_id") or ROOT_KEY
    secret = settings.get("storage.aws_secret_access_key") or ROOT_KEY
    s3 = make_client("s3", region, endpoint_url, key_id, secret)
    try:
        if bucket not in [existing["Name"] for existing in s3.list_buckets()["Buckets"]]:
            create_bucket(s3, bucket, region)
    except (ClientError, BotoCoreError) as error:
        raise S3SyncError(f"cannot create the bucket {bucket} at {endpoint_url}: {error}") from error


def create_bucket(s3: Any, bucket: str, region: str) -> None:
    """Create a bucket in a region. S3 requires the name of every region except us-east-1."""
    location = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=bucket, **location)


def main(arguments: list[str]) -> int:
    """Run the embedded AWS until Ctrl-C: ``python -m pypicloud_s3sync.embedded [PORT]``."""
    for number in END_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    if arguments and not arguments[0].isdecimal():
        print("usage: python -m pypicloud_s3sync.embedded [PORT]", file=sys.stderr)
        return 2
    port = int(arguments[0]) if arguments else DEFAULT_PORT
    try:
        with EmbeddedAws().start(port) as aws:
            print(
                f"AWS at {aws.endpoint_url}, access key and secret: {ROOT_KEY}. Press Ctrl-C to stop it.",
                flush=True,
            )
            wait_until(lambda: not aws.running, "the embedded AWS ends", float("inf"))
    except KeyboardInterrupt:
        return 0
    except S3SyncError as error:
        print(error, file=sys.stderr)
        return 1
    print("the embedded AWS ended unexpectedly", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
