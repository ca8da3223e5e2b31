"""Everything that runs: an embedded AWS, a pypicloud server for each region, the replicator between."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sysconfig
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from ..devtools.processes import SupervisedProcess, clean_environment, wait_until
from ..embedded import EmbeddedAws, create_bucket, free_port
from ..exceptions import S3SyncError
from .replicator import Bucket, Replicator
from .report import HopFailed, Transcript

FIRST, SECOND = "us-east-1", "eu-west-1"
USER = PASSWORD = "admin"  # noqa: S105 - of a server that lives a minute on this machine
FUNCTION = "pypicloud_s3_sync"

#: What a company would have in each region. The hash is of "admin".
INI = """\
[app:main]
use = egg:pypicloud
pyramid.includes = pypicloud_s3sync
s3sync.endpoint_url = http://localhost:{aws_port}

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
"""  # noqa: E501 - a hash has no place to break


@dataclass(frozen=True)
class Region:
    """One region of the company: its bucket, its server, the ini of both."""

    name: str
    bucket: str
    port: int
    ini: Path

    @property
    def url(self) -> str:
        """Where its pypicloud answers."""
        return f"http://localhost:{self.port}"


@dataclass(frozen=True)
class TwoRegions:
    """The company: all is running."""

    aws: EmbeddedAws
    first: Region
    second: Region
    workspace: Path
    servers: dict[str, SupervisedProcess]
    replicator: Replicator
    scripts: Path

    def check_running(self) -> None:
        """Raise an error where a part ended by itself."""
        if not self.aws.running:
            raise S3SyncError("the embedded AWS ended by itself")
        for name, server in self.servers.items():
            if not server.running:
                raise S3SyncError(f"the pypicloud server in {name} ended by itself")

    def run(self, command: Sequence[str], show: Callable[[str], None] | None = None) -> str:
        """Run a command to its end, away from the developer's settings; see :func:`run`."""
        return run(command, self.scripts, self.workspace, show)


@contextmanager
def two_regions(
    report: Transcript, ports: tuple[int, int], scripts: Path | None = None
) -> Iterator[TwoRegions]:
    """Start all, and end all however the block is left.

    Parameters
    ----------
    report : Transcript
    ports : tuple
        Of the first and the second region's server.
    scripts : Path, optional
        The directory of the console scripts to run. The default is that of this environment.

    Raises
    ------
    HopFailed
        From the start or from inside the block, with the ends of all logs.
    """
    scripts = scripts or Path(sysconfig.get_path("scripts"))
    with ExitStack() as stack:
        workspace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pypicloud-s3sync-demo-")))
        (workspace / "tmp").mkdir()
        aws, servers = EmbeddedAws(), {}
        try:
            with report.hop("start the embedded AWS", "this machine"):
                stack.enter_context(aws)
            first, second = (
                _region(*pair, aws, workspace) for pair in zip((FIRST, SECOND), ports, strict=True)
            )
            with report.hop("start pypicloud, buckets, tables", f"{FIRST}, {SECOND}"):
                for region in (first, second):
                    servers[region.name] = _start(region, aws, scripts)
                    stack.callback(servers[region.name].stop)
                for region in (first, second):
                    _wait_for_health(region, servers[region.name])
            replicator = stack.enter_context(Replicator(_bucket(first, aws), _bucket(second, aws)))
            yield TwoRegions(aws, first, second, workspace, servers, replicator, scripts)
        except HopFailed as failed:
            failed.logs = _logs(aws, servers)
            raise


def usual_ports() -> tuple[int, int]:
    """The port that pypicloud always has and the next, where they are free."""
    return free_port(6543), free_port(6544)


def free_ports() -> tuple[int, int]:
    """Two ports that nobody uses."""
    return free_port(), free_port()


def run(
    command: Sequence[str], scripts: Path, workspace: Path, show: Callable[[str], None] | None = None
) -> str:
    """Run a command to its end and return what it printed.

    Parameters
    ----------
    command : sequence of str
        The program is the name of a console script, or a path.
    scripts : Path
        The directory of the console scripts.
    workspace : Path
        Its working directory, and its temporary files go below.
    show : callable, optional
        Gets each line as it is printed.

    Raises
    ------
    S3SyncError
        It ended with another status than 0; with the end of its output where that was not shown.
    """
    process = subprocess.Popen(
        [script(command[0], scripts), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=workspace,
        env=_tool_environment(workspace),
        start_new_session=True,
    )
    lines = []
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            if show is not None:
                show(lines[-1])
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if status != 0:
        said = lines[-20:] if show is None else []
        raise S3SyncError("\n".join([f"{' '.join(command)} ended with status {status}", *said]))
    return "\n".join(lines)


def script(name: str, scripts: Path) -> str:
    """Return the path of a console script in a directory; a path stays what it is."""
    return name if os.path.isabs(name) else str(scripts / name)


def request(url: str, method: str = "GET") -> tuple[int, str]:
    """Status and body of a request as admin."""
    login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    asked = urllib.request.Request(url, method=method, headers={"Authorization": f"Basic {login}"})  # noqa: S310
    # No proxy: the servers are on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def _tool_environment(workspace: Path) -> dict[str, str]:
    return clean_environment(
        {
            "TMPDIR": str(workspace / "tmp"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
        }
    )


def _region(name: str, port: int, aws: EmbeddedAws, workspace: Path) -> Region:
    region = Region(name, f"packages-{name}", port, workspace / f"{name}.ini")
    region.ini.write_text(
        INI.format(
            aws_port=aws.port,
            bucket=region.bucket,
            region=name,
            port=port,
            key=aws.access_key_id,
            secret=aws.secret_access_key,
        )
    )
    return region


def _start(region: Region, aws: EmbeddedAws, scripts: Path) -> SupervisedProcess:
    s3 = aws.client("s3", region.name)
    create_bucket(s3, region.bucket, region.name)
    # As replication demands.
    s3.put_bucket_versioning(Bucket=region.bucket, VersioningConfiguration={"Status": "Enabled"})
    return SupervisedProcess([script("pserve", scripts), str(region.ini)], clean_environment())


def _wait_for_health(region: Region, server: SupervisedProcess) -> None:
    def healthy() -> bool:
        if not server.running:
            raise S3SyncError(f"the pypicloud server in {region.name} ended while starting")
        try:
            return request(f"{region.url}/health")[0] == 200
        except OSError:
            return False

    wait_until(healthy, f"{region.url}/health is 200", 60)


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
