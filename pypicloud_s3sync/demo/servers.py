"""Start the processes of the demo: the embedded AWS, a pypicloud server for each region, the replicator."""

from __future__ import annotations

import contextlib
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from ..devtools.processes import SupervisedProcess, clean_environment, wait_until
from ..embedded import EmbeddedAws, create_bucket, free_port
from ..exceptions import S3SyncError
from .emulator import QuietAws
from .replicator import Bucket, Replicator
from .tools import request, run, script
from .transcript import HopError, Transcript

FIRST, SECOND = "us-east-1", "eu-west-1"
FUNCTION = "pypicloud_s3_sync"

#: The ini file of each region. The hash is that of "admin".
INI = """\
[app:main]
use = egg:pypicloud
pyramid.includes = pypicloud_s3sync
s3sync.endpoint_url = http://localhost:{aws_port}
s3sync.bundle = {bundle}

pypi.storage = s3
storage.bucket = {bucket}
storage.region_name = {region}
storage.endpoint_url = http://localhost:{aws_port}
storage.aws_access_key_id = {key}
storage.aws_secret_access_key = {secret}

pypi.db = dynamo
db.region_name = {region}
db.host = localhost
db.port = {aws_port}
db.aws_access_key_id = {key}
db.aws_secret_access_key = {secret}

pypi.fallback = none
pypi.default_read = everyone
pypi.default_write = authenticated
auth.admins = admin
user.admin = $6$rounds=20500$Z67KQNVw5kTjmoYt$Vt0S/UyY0BD9L5oUEUSicEVTDHoRGcK04mU9X1SxKoL1Ss2lIhO4vO5gSBi6zKKsucwOWN92QP9GCjrcWO5aE.

session.encrypt_key = ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0LWtleS0wMDE=
session.validate_key = ZGV2ZWxvcG1lbnQtb25seS12YWxpZGF0ZS1rZXktMDE=
session.secure = false

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
"""  # noqa: E501 - a hash cannot be wrapped


@dataclass(frozen=True)
class Region:
    """A region of the company: its bucket, its server and their ini file."""

    name: str
    bucket: str
    port: int
    ini: Path

    @property
    def url(self) -> str:
        """The address of the region's pypicloud server."""
        return f"http://localhost:{self.port}"


@dataclass(frozen=True)
class TwoRegions:
    """A company with pypicloud running in two regions."""

    aws: EmbeddedAws
    first: Region
    second: Region
    workspace: Path
    servers: dict[str, SupervisedProcess]
    replicator: Replicator
    scripts: Path

    def check_running(self) -> None:
        """Raise an error if a process has ended unexpectedly."""
        if not self.aws.running:
            raise S3SyncError("the embedded AWS ended unexpectedly")
        for name, server in self.servers.items():
            if not server.running:
                raise S3SyncError(f"the pypicloud server in {name} ended unexpectedly")

    def run(self, command: Sequence[str], show: Callable[[str], None] | None = None) -> str:
        """Run a command to its end, without the developer's settings; see :func:`run`."""
        return run(command, self.scripts, self.workspace, show)


@contextmanager
def two_regions(
    transcript: Transcript,
    ports: tuple[int, int],
    scripts: Path | None = None,
    bundle: Path | None = None,
) -> Iterator[TwoRegions]:
    """Start the AWS emulator, both servers and the replicator; end them when the block is left.

    Parameters
    ----------
    transcript : Transcript
    ports : tuple of int
        The ports of the first and the second region's server.
    scripts : Path, optional
        The directory of the console scripts to run. The default is that of this environment.
    bundle : Path, optional
        A bundle to deploy. The default is to build one.

    Raises
    ------
    HopError
        If a step fails, at the start or inside the block. The error has the ends of all logs.
    """
    scripts = scripts or Path(sysconfig.get_path("scripts"))
    with ExitStack() as stack:
        workspace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pypicloud-s3sync-demo-")))
        (workspace / "tmp").mkdir()
        aws, servers = QuietAws(), {}
        try:
            with transcript.hop("start the embedded AWS", "this machine"):
                stack.enter_context(aws)
            first, second = (
                _region(*pair, aws, workspace, bundle) for pair in zip((FIRST, SECOND), ports, strict=True)
            )
            with transcript.hop("start pypicloud, buckets, tables", f"{FIRST}, {SECOND}"):
                for region in (first, second):
                    servers[region.name] = _start(region, aws, scripts)
                    stack.callback(servers[region.name].stop)
                for region in (first, second):
                    _wait_for_health(region, servers[region.name])
            replicator = stack.enter_context(Replicator([_bucket(region, aws) for region in (first, second)]))
            yield TwoRegions(aws, first, second, workspace, servers, replicator, scripts)
        except HopError as failed:
            failed.logs = _logs(aws, servers)
            raise


def usual_ports() -> tuple[int, int]:
    """Return pypicloud's default port and the next one, or other ports if they are in use."""
    return free_port(6543), free_port(6544)


def free_ports() -> tuple[int, int]:
    """Return two free ports."""
    return free_port(), free_port()


def _region(name: str, port: int, aws: EmbeddedAws, workspace: Path, bundle: Path | None) -> Region:
    region = Region(name, f"packages-{name}", port, workspace / f"{name}.ini")
    region.ini.write_text(
        INI.format(
            aws_port=aws.port,
            bucket=region.bucket,
            region=name,
            port=port,
            key=aws.access_key_id,
            secret=aws.secret_access_key,
            bundle=bundle or "",
        )
    )
    return region


def _start(region: Region, aws: EmbeddedAws, scripts: Path) -> SupervisedProcess:
    create_bucket(aws.client("s3", region.name), region.bucket, region.name)
    return SupervisedProcess([script("pserve", scripts), str(region.ini)], clean_environment())


def _wait_for_health(region: Region, server: SupervisedProcess) -> None:
    def healthy() -> bool:
        if not server.running:
            raise S3SyncError(f"the pypicloud server in {region.name} ended while starting")
        try:
            return request(f"{region.url}/health")[0] == 200
        except OSError:
            return False

    wait_until(healthy, f"{region.url}/health answers with status 200", 60)


def _bucket(region: Region, aws: EmbeddedAws) -> Bucket:
    return Bucket(aws.client("s3", region.name), region.bucket)


def _logs(aws: EmbeddedAws, servers: dict[str, SupervisedProcess]) -> dict[str, str]:
    logs = {"the embedded AWS": aws.log_tail(15)}
    for name, server in servers.items():
        logs[f"pypicloud in {name}"] = server.log_tail(15)
        if lines := _function_log(aws, name):
            logs[f"the Lambda function in {name}"] = lines
    return logs


def _function_log(aws: EmbeddedAws, region: str) -> str:
    with contextlib.suppress(ClientError, BotoCoreError):
        events = aws.client("logs", region).filter_log_events(logGroupName=f"/aws/lambda/{FUNCTION}")[
            "events"
        ]
        return "\n".join(event["message"].rstrip() for event in events[-20:])
    return ""
