"""The AWS emulator on this machine, and the development server that uses it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.demo.tools import request
from pypicloud_s3sync.devtools.ports import free_port, is_in_use
from pypicloud_s3sync.devtools.processes import clean_environment, wait_until
from pypicloud_s3sync.embedded import EmbeddedAws, create_bucket, includeme
from pypicloud_s3sync.exceptions import S3SyncError
from support.development import DevelopmentServer, development_server
from support.distribution import Installed
from support.processes import needs_proc, nothing_left, processes_below


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as running:
        yield running


def s3_client(aws: EmbeddedAws, key_id: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


class TestEmbeddedAws:
    def test_answers_the_root_user(self, aws: EmbeddedAws) -> None:
        identity = aws.client("sts").get_caller_identity()
        assert identity["Account"] == aws.account_id
        assert identity["Arn"].endswith(":root")

    def test_keeps_regions_apart(self, aws: EmbeddedAws) -> None:
        create_bucket(aws.client("s3"), "in-virginia", "us-east-1")
        create_bucket(aws.client("s3", "eu-west-1"), "in-ireland", "eu-west-1")
        s3 = aws.client("s3")
        assert s3.get_bucket_location(Bucket="in-virginia")["LocationConstraint"] is None
        assert s3.get_bucket_location(Bucket="in-ireland")["LocationConstraint"] == "eu-west-1"
        aws.client("dynamodb", "eu-west-1").create_table(
            TableName="Packages",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "filename", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "filename", "AttributeType": "S"}],
        )
        assert aws.client("dynamodb", "eu-west-1").list_tables()["TableNames"] == ["Packages"]
        assert aws.client("dynamodb").list_tables()["TableNames"] == []

    def test_allows_users_only_what_a_policy_allows(self, aws: EmbeddedAws) -> None:
        iam = aws.client("iam")
        iam.create_user(UserName="reader")
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        s3 = s3_client(aws, key["AccessKeyId"], key["SecretAccessKey"])
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_buckets()
        allowed = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="reader", PolicyName="list", PolicyDocument=policy)
        s3.list_buckets()
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.create_bucket(Bucket="not-allowed")

    def test_verifies_signatures(self, aws: EmbeddedAws) -> None:
        iam = aws.client("iam")
        iam.create_user(UserName="other")
        key = iam.create_access_key(UserName="other")["AccessKey"]
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            s3_client(aws, key["AccessKeyId"], "a wrong secret").list_buckets()

    @pytest.mark.skipif(sys.platform != "linux", reason="looks for sockets in Linux's /proc")
    def test_listens_only_on_one_port_of_loopback(self, aws: EmbeddedAws) -> None:
        assert aws._process is not None
        command = children(aws._process._guard.pid)[0]
        sockets = {os.readlink(fd) for fd in Path(f"/proc/{command}/fd").iterdir()}
        addresses = [
            row.split()[1]
            for table in ("tcp", "tcp6")
            for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if row.split()[3] == "0A" and f"socket:[{row.split()[9]}]" in sockets
        ]
        assert addresses == [f"0100007F:{aws.port:04X}"]

    def test_can_be_stopped_and_started_again(self) -> None:
        aws = EmbeddedAws().start()
        port = aws.port
        with pytest.raises(S3SyncError, match=r"already running on port \d+"):
            aws.start()
        aws.stop()
        assert not is_in_use(port)
        aws.stop()
        with aws.start(port):
            assert aws.endpoint_url == f"http://127.0.0.1:{port}"
        assert not is_in_use(port)

    def test_reports_the_end_of_its_log_if_it_does_not_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = {**clean_environment(), "GATEWAY_PORT": "no number"}
        monkeypatch.setattr(EmbeddedAws, "_environment", lambda self: broken)
        with pytest.raises(S3SyncError, match=r"(?s)ended while starting.*no number"):
            EmbeddedAws().start()


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


#: Starts an emulator and a Lambda worker in it, prints the port and waits.
PARENT = """
import sys, time
from pypicloud_s3sync.embedded import EmbeddedAws
aws = EmbeddedAws().start()
role = aws.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=sys.argv[1])["Role"]["Arn"]
functions = aws.client("lambda")
functions.create_function(
    FunctionName="function", Runtime=sys.argv[2], Role=role, Handler="code.handle",
    Code={"ZipFile": open(sys.argv[3], "rb").read()},
)
functions.get_waiter("function_active_v2").wait(FunctionName="function")
answer = functions.invoke(FunctionName="function", Payload=b"{}")
assert "FunctionError" not in answer, answer["Payload"].read()
print(aws.port, flush=True)
time.sleep(600)
"""


@needs_proc
def test_sigkill_of_the_parent_ends_the_emulator_and_its_workers_and_removes_their_files(
    tmp_path: Path,
) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    code, temporary = tmp_path / "code.zip", tmp_path / "tmp"
    temporary.mkdir()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("code.py", "def handle(event, context): return 1")
    code.write_bytes(buffer.getvalue())
    arguments = [
        json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        f"python{sys.version_info.major}.{sys.version_info.minor}",
        str(code),
    ]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments],
        stdout=subprocess.PIPE,
        env=clean_environment({"TMPDIR": str(temporary)}),
    )
    with parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert any("_worker.py" in command for command in processes_below(temporary))
        parent.kill()
    wait_until(lambda: not is_in_use(port), "the port is closed")
    wait_until(lambda: nothing_left(temporary), "nothing is left")


@needs_proc
@pytest.mark.slow
def test_in_a_terminal_the_emulator_runs_until_ctrl_c(tmp_path: Path) -> None:
    """A second emulator on the same port ends with an error of one line."""
    command = [sys.executable, "-m", "pypicloud_s3sync.embedded", str(port := free_port())]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert f"AWS at http://127.0.0.1:{port}" in process.stdout.readline()
            second = subprocess.run(command, capture_output=True, text=True)
            assert (second.returncode, second.stderr.count("\n")) == (1, 1), second.stderr
            assert f"port {port} is in use" in second.stderr
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    wait_until(lambda: nothing_left(tmp_path), "nothing is left")


def config(**settings: str) -> Any:
    """Return a stand-in for Pyramid's configurator: ``storage__bucket`` stands for ``storage.bucket``."""
    dotted = {name.replace("__", "."): value for name, value in settings.items()}
    return SimpleNamespace(registry=SimpleNamespace(settings=dotted))


class TestInclude:
    def test_creates_the_bucket_in_its_region_once(self, aws: EmbeddedAws) -> None:
        for _ in range(2):
            includeme(
                config(
                    s3sync__endpoint_url=aws.endpoint_url,
                    storage__bucket="included",
                    storage__region_name="eu-central-1",
                )
            )
        location = aws.client("s3").get_bucket_location(Bucket="included")
        assert location["LocationConstraint"] == "eu-central-1"

    def test_environment_variables_override_the_ini(
        self, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PPC_STORAGE_BUCKET", "from-the-environment")
        monkeypatch.setenv("PPC_S3SYNC_ENDPOINT_URL", aws.endpoint_url)
        includeme(config(storage__bucket="from-the-ini", storage__region_name="us-east-1"))
        buckets = [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]
        assert "from-the-environment" in buckets
        assert "from-the-ini" not in buckets

    def test_reports_credentials_that_the_emulator_does_not_accept(self, aws: EmbeddedAws) -> None:
        with pytest.raises(S3SyncError, match="cannot create the bucket bucket at http"):
            includeme(
                config(
                    s3sync__endpoint_url=aws.endpoint_url,
                    storage__bucket="bucket",
                    storage__aws_access_key_id="AKIAUNKNOWN",
                    storage__aws_secret_access_key="unknown",
                )
            )


@pytest.fixture(scope="module")
def server(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentServer]:
    """The real ``pserve development.ini``, with an emulator of its own."""
    directory = tmp_path_factory.mktemp("server")
    with development_server(installed.scripts / "pserve", directory) as running:
        yield running
    wait_until(lambda: nothing_left(directory / "tmp"), "nothing is left of pserve")


@needs_proc
class TestDevelopmentIni:
    def test_pypicloud_is_healthy(self, server: DevelopmentServer) -> None:
        status, body = request(f"{server.url}/health")
        assert status == 200
        assert json.loads(body) == {"access": "", "cache": "", "storage": ""}

    def test_the_bucket_exists(self, server: DevelopmentServer) -> None:
        s3 = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://localhost:{server.aws_port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        s3.head_bucket(Bucket="pypicloud-development")

    def test_the_admin_can_log_in_with_the_form_and_with_basic_credentials(
        self, server: DevelopmentServer
    ) -> None:
        form = urllib.parse.urlencode({"username": "admin", "password": "admin"}).encode()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        opener.open(f"{server.url}/acct/login", data=form).close()
        with opener.open(f"{server.url}/admin/user") as page:
            assert page.status == 200
        assert request(f"{server.url}/admin/user")[0] == 200

    def test_a_wrong_password_is_refused(self, server: DevelopmentServer) -> None:
        form = urllib.parse.urlencode({"username": "admin", "password": "wrong"}).encode()
        with pytest.raises(urllib.error.HTTPError, match=r"HTTP Error 40[13]"):
            urllib.request.urlopen(f"{server.url}/acct/login", data=form)

    def test_an_unknown_package_is_not_found_without_a_network(self, server: DevelopmentServer) -> None:
        assert request(f"{server.url}/simple/no-such-package/")[0] == 404
