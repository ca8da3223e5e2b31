"""The demo's story on real servers: two regions, a real bundle, the real ``twine`` and ``pip``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pypicloud_s3sync.demo import story
from pypicloud_s3sync.demo.report import HopFailed, Transcript
from pypicloud_s3sync.demo.servers import FUNCTION, Region, TwoRegions, free_ports, request, two_regions
from pypicloud_s3sync.demo.wheel import Wheel, build
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.exceptions import S3SyncError
from support.distribution import Installed
from support.processes import needs_proc, nothing_left, processes_below

pytestmark = pytest.mark.e2e

DEMO = ["-m", "pypicloud_s3sync.demo"]
CHANGED = """
import sys
from pypicloud_s3sync.demo import __main__ as demo, story
from pypicloud_s3sync.exceptions import S3SyncError

def nothing(*arguments):
    pass

def fail(*arguments):
    raise S3SyncError("not today")

story.{function} = {replacement}
sys.exit(demo.main())
"""
DEMO_WITHOUT_STORY = ["-c", CHANGED.format(function="tell", replacement="nothing")]
DEMO_THAT_FAILS = ["-c", CHANGED.format(function="enable", replacement="fail")]


@pytest.fixture(scope="module")
def company(installed: Installed) -> Iterator[TwoRegions]:
    """Both regions with S3 sync enabled."""
    report = Transcript(Console())
    with two_regions(report, free_ports(), installed.scripts) as running:
        for region in (running.first, running.second):
            story.enable(running, region, report)
        yield running


class TestTwoRegions:
    def test_package_travels(self, company: TwoRegions) -> None:
        """Uploaded in one region, installed from the other; deleted in the one, gone from the other."""
        first, second = company.first, company.second
        wheel = build(company.workspace, "hello-regions", "1.0")
        assert request(f"{second.url}/simple/{wheel.name}/")[0] == 404
        story.upload(company, first, wheel)
        story.wait_for_object(company, second, wheel, there=True)
        story.wait_until_listed(company, second, wheel)
        assert f">{wheel.name}</a>" in request(f"{second.url}/simple/")[1]
        assert f">{wheel.filename}</a>" in request(f"{second.url}/simple/{wheel.name}/")[1]

        python = story.make_environment(company)
        story.install(company, python, second, wheel)
        said = company.run([str(python), "-c", "import hello_regions; print(hello_regions.greet())"])
        assert said == "Hello from hello-regions 1.0"

        story.delete(first, wheel)
        story.wait_until_vanished(company, second, wheel)
        assert wheel.name not in request(f"{second.url}/simple/")[1]
        assert request(f"{second.url}/simple/{wheel.name}/")[0] == 404

    def test_both_regions_have_the_same_rows(self, company: TwoRegions) -> None:
        """What the Lambda wrote in region two is what the server wrote in region one, but for the time."""
        wheel = build(company.workspace, "same-rows", "2.0")
        story.upload(company, company.first, wheel)
        story.wait_until_listed(company, company.second, wheel)
        rows = [row(company, region, wheel) for region in (company.first, company.second)]
        for one in rows:
            assert one.pop("last_modified") is not None
        assert rows[0] == rows[1]

    def test_role_is_what_made_it_work(self, company: TwoRegions) -> None:
        """Without the rights that ``enable`` gave its role the function fails; with them it works again."""
        second = company.second
        wheel = build(company.workspace, "needs-rights", "1.0")
        story.upload(company, company.first, wheel)
        story.wait_until_listed(company, second, wheel)
        iam, functions = company.aws.client("iam"), company.aws.client("lambda", second.name)
        role = functions.get_function_configuration(FunctionName=FUNCTION)["Role"].rpartition("/")[2]
        policies = {
            name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        assert policies
        for name in policies:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
        answer = invoke(functions, company, second, wheel)
        assert "FunctionError" in answer
        assert re.search(r"AccessDenied|not authorized|Forbidden|403", answer["Payload"])
        for name, document in policies.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
        assert "FunctionError" not in invoke(functions, company, second, wheel)

    def test_failed_hop_brings_the_logs(self, installed: Installed) -> None:
        """Who sees a failure sees what the servers said, also after they are gone."""
        with pytest.raises(HopFailed, match=r"upload \(us-east-1\): twine .* ended with status 1") as failed:
            upload_what_is_no_wheel(installed.scripts)
        assert list(failed.value.logs)[:2] == ["the embedded AWS", "pypicloud in us-east-1"]
        assert "Ready" in failed.value.logs["the embedded AWS"]


def upload_what_is_no_wheel(scripts: Path) -> None:
    report = Transcript(Console())
    with two_regions(report, free_ports(), scripts) as company, report.hop("upload", company.first.name):
        path = company.workspace / "broken-1.0-py3-none-any.whl"
        path.write_text("no zip")
        story.upload(company, company.first, Wheel("broken", "1.0", path))


def row(company: TwoRegions, region: Region, wheel: Wheel) -> dict[str, Any]:
    dynamo = company.aws.client("dynamodb", region.name)
    found = dynamo.get_item(
        TableName="DynamoPackage", Key={"filename": {"S": wheel.filename}}, ConsistentRead=True
    )
    return dict(found["Item"])


def invoke(functions: Any, company: TwoRegions, region: Region, wheel: Wheel) -> dict[str, Any]:
    """Call the function as S3 would for the wheel's key; its answer with the payload as text."""
    objects = company.aws.client("s3", region.name).list_objects_v2(Bucket=region.bucket)["Contents"]
    key = next(item["Key"] for item in objects if item["Key"].endswith(wheel.filename))
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region.name,
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": region.bucket}, "object": {"key": key, "size": 1}},
    }
    answer = dict(functions.invoke(FunctionName=FUNCTION, Payload=json.dumps({"Records": [record]})))
    answer["Payload"] = answer["Payload"].read().decode()
    return answer


def start(installed: Installed, arguments: list[str], temporary: Path) -> subprocess.Popen[str]:
    """Start the installed package's Python, away from the checkout."""
    return subprocess.Popen(
        [str(installed.python), *arguments],
        cwd=installed.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    )


@needs_proc
class TestCommand:
    def test_exit(self, installed: Installed, tmp_path: Path) -> None:
        """``--exit`` proves it, prints the table, and leaves no process and no file."""
        with start(installed, [*DEMO, "--exit"], tmp_path) as demo:
            printed, _ = demo.communicate(timeout=300)
        assert demo.returncode == 0, printed
        for step in ("ppc-s3sync enable", "upload it with twine", "install it with pip", "see it vanish"):
            assert re.search(rf"│ {step}.*│ +\d+\.\d\d │", printed), printed
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")

    @pytest.mark.parametrize(
        ("command", "number"), [(DEMO, signal.SIGINT), (DEMO_WITHOUT_STORY, signal.SIGTERM)]
    )
    def test_stays_until_a_signal(
        self, installed: Installed, tmp_path: Path, command: list[str], number: int
    ) -> None:
        """Both servers answer until Ctrl-C, which is the expected end: status 0."""
        with start(installed, command, tmp_path) as demo:
            assert demo.stdout is not None
            printed = []
            for line in demo.stdout:
                printed.append(line)
                if line.startswith("Ctrl-C ends"):
                    break
            urls = re.findall(r"(?m)^\S+: (http://localhost:\d+)  login admin / admin", "".join(printed))
            assert len(urls) == 2, "".join(printed)
            for url in urls:
                assert request(f"{url}/health")[0] == 200
            demo.send_signal(number)
            rest, _ = demo.communicate(timeout=30)
        assert demo.returncode == 0, rest
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")
        for url in urls:
            with pytest.raises(urllib.error.URLError):
                urllib.request.urlopen(url, timeout=5)

    @pytest.mark.parametrize(
        ("wait_for", "number", "status"),
        [
            ("start the embedded AWS", signal.SIGINT, 130),
            ("ppc-s3sync enable", signal.SIGINT, 130),
            ("ppc-s3sync enable", signal.SIGTERM, 143),
        ],
    )
    def test_interrupted(
        self, installed: Installed, tmp_path: Path, wait_for: str, number: int, status: int
    ) -> None:
        """Ctrl-C while it sets up: one line, no traceback, nothing left."""
        with start(installed, [*DEMO, "--exit"], tmp_path) as demo:
            assert demo.stdout is not None
            while wait_for not in (line := demo.stdout.readline()):
                assert line, "the demo ended before it could be interrupted"
            demo.send_signal(number)
            rest, _ = demo.communicate(timeout=30)
        assert demo.returncode == status
        assert rest.splitlines()[-1] == "interrupted: the demo is undone"
        assert "Traceback" not in rest
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")

    def test_killed(self, installed: Installed, tmp_path: Path) -> None:
        """Even SIGKILL leaves no server and no emulator."""
        with start(installed, [*DEMO, "--exit"], tmp_path) as demo:
            assert demo.stdout is not None
            while "start pypicloud" not in demo.stdout.readline():
                assert demo.poll() is None
            demo.kill()
        wait_until(lambda: not processes_below(tmp_path), "no process is left", 60)

    def test_proof_does_not_hold(self, installed: Installed, tmp_path: Path) -> None:
        """Status 1, with the hop that failed and the logs."""
        with start(installed, [*DEMO_THAT_FAILS, "--exit"], tmp_path) as demo:
            printed, _ = demo.communicate(timeout=120)
        assert demo.returncode == 1
        assert "FAILED: ppc-s3sync enable (us-east-1): not today" in printed
        assert "--- the end of the log of pypicloud in eu-west-1" in printed
        wait_until(lambda: nothing_left(tmp_path), "nothing is left")


def test_server_that_ends_by_itself_is_noticed(company: TwoRegions) -> None:
    """Waiting for a dead server does not last until the timeout."""
    company.check_running()
    company.servers[company.first.name].stop()
    with pytest.raises(S3SyncError, match="the pypicloud server in us-east-1 ended by itself"):
        company.check_running()
