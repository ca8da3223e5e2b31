"""The demo on real servers: two regions, a real bundle, the real ``twine`` and ``pip``."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pypicloud_s3sync.demo import story
from pypicloud_s3sync.demo.replicator import Replicator
from pypicloud_s3sync.demo.servers import FUNCTION, Region, TwoRegions
from pypicloud_s3sync.demo.tools import request
from pypicloud_s3sync.demo.transcript import HopError, Transcript
from pypicloud_s3sync.demo.wheel import Wheel, build
from pypicloud_s3sync.devtools.processes import SupervisedProcess, wait_until
from pypicloud_s3sync.exceptions import S3SyncError
from support.demos import (
    DEMO,
    DEMO_THAT_FAILS,
    DEMO_WITHOUT_STORY,
    QUICK_DEMO,
    Demo,
    RunningAws,
    read_to,
    settings,
    start,
)
from support.distribution import Installed
from support.healthy_server import write_script
from support.processes import needs_proc, nothing_left, processes_below

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]


@pytest.fixture(scope="module")
def demo(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The real demo, as a user starts it."""
    temporary = tmp_path_factory.mktemp("demo")
    with start(installed, DEMO, temporary) as process:
        printed = read_to("Press Ctrl-C", process)
        yield Demo(process, temporary, printed)
        # The last test has ended it, unless a test failed.
        process.kill()


@pytest.fixture(scope="module")
def company(demo: Demo, installed: Installed) -> TwoRegions:
    """The demo's regions, whose buckets replicate, with S3 sync enabled in both."""
    first, second = demo.regions()
    aws = RunningAws(int(settings(first.ini)["db.port"]))
    # The servers and the replicator are the demo's own.
    return TwoRegions(aws, first, second, first.ini.parent, {}, Replicator([]), installed.scripts)


@pytest.mark.in_order
class TestTwoRegions:
    """The last test ends the demo that the others use."""

    def test_the_demo_prints_a_table_of_its_steps(self, demo: Demo) -> None:
        for step in (
            "ppc-s3sync replicate",
            "ppc-s3sync enable",
            "upload it with twine",
            "install it with pip",
            "ppc-s3sync compare",
            "see it disappear",
        ):
            assert re.search(rf"│ {step}.*│ +\d+\.\d\d │", demo.printed), demo.printed

    def test_the_other_region_lists_a_package_with_the_same_row_until_it_is_deleted(
        self, company: TwoRegions
    ) -> None:
        """The function writes the same row as the server, except for the time."""
        first, second = company.first, company.second
        wheel = build(company.workspace, "same-rows", "2.0")
        assert request(f"{second.url}/simple/{wheel.name}/")[0] == 404
        story.upload(company, first, wheel)
        story.wait_for_file(company, second, wheel)
        assert f">{wheel.name}</a>" in request(f"{second.url}/simple/")[1]
        assert f">{wheel.filename}</a>" in request(f"{second.url}/simple/{wheel.name}/")[1]

        rows = [row(company, region, wheel) for region in (first, second)]
        for one in rows:
            assert one.pop("last_modified") is not None
        assert rows[0] == rows[1]

        story.delete(first, wheel)
        story.wait_until_unlisted(company, second, wheel)
        assert wheel.name not in request(f"{second.url}/simple/")[1]
        assert request(f"{second.url}/simple/{wheel.name}/")[0] == 404

    def test_the_function_needs_the_permissions_of_its_role(self, company: TwoRegions) -> None:
        """Without the role's policies the function fails; with them it works again."""
        second = company.second
        wheel = build(company.workspace, "needs-permissions", "1.0")
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

    def test_a_failed_step_names_the_command_and_its_exit_status(self, company: TwoRegions) -> None:
        path = company.workspace / "broken-1.0-py3-none-any.whl"
        path.write_text("not a zip")
        with (
            pytest.raises(HopError, match=r"upload \(us-east-1\): twine .* ended with status 1"),
            Transcript(Console()).hop("upload", company.first.name),
        ):
            story.upload(company, company.first, Wheel("broken", "1.0", path))

    def test_a_server_that_ends_unexpectedly_is_reported_without_waiting_for_a_timeout(
        self, company: TwoRegions
    ) -> None:
        company.check_running()
        ended = SupervisedProcess([sys.executable, "-c", ""], dict(os.environ))
        wait_until(lambda: not ended.running, "the server has ended")
        broken = replace(company, servers={company.first.name: ended})
        with pytest.raises(S3SyncError, match="the pypicloud server in us-east-1 ended unexpectedly"):
            broken.check_running()
        ended.stop()

    @needs_proc
    def test_the_servers_answer_until_a_signal_arrives(self, demo: Demo) -> None:
        """A signal is the expected end, so the exit status is 0."""
        urls = [region.url for region in demo.regions()]
        assert len(urls) == 2, demo.printed
        for url in urls:
            assert request(f"{url}/health")[0] == 200
        demo.process.send_signal(signal.SIGTERM)
        rest, _ = demo.process.communicate(timeout=30)
        assert demo.process.returncode == 0, rest
        wait_until(lambda: nothing_left(demo.temporary), "nothing is left")
        for url in urls:
            with pytest.raises(urllib.error.URLError):
                urllib.request.urlopen(url, timeout=5)


def row(company: TwoRegions, region: Region, wheel: Wheel) -> dict[str, Any]:
    dynamo = company.aws.client("dynamodb", region.name)
    found = dynamo.get_item(
        TableName="DynamoPackage", Key={"filename": {"S": wheel.filename}}, ConsistentRead=True
    )
    return dict(found["Item"])


def invoke(functions: Any, company: TwoRegions, region: Region, wheel: Wheel) -> dict[str, Any]:
    """Call the function as S3 does for the wheel's key, and return its answer with the payload as text."""
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


@pytest.fixture
def pserve(installed: Installed, tmp_path: Path) -> Path:
    """A quickly started server in the place of pypicloud's, where it only has to run and to be ended."""
    path = tmp_path / "pserve"
    write_script(path, installed.python)
    return path


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The directory for the temporary files of a demo."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


@pytest.mark.slow
@needs_proc
class TestCommand:
    def test_with_exit_the_demo_ends_after_its_story_and_leaves_no_process_and_no_file(
        self, installed: Installed, pserve: Path, temporary: Path
    ) -> None:
        with start(installed, [*DEMO_WITHOUT_STORY, str(pserve), "--exit"], temporary) as demo:
            printed, _ = demo.communicate(timeout=120)
        assert demo.returncode == 0, printed
        assert re.search(r"│ start pypicloud.*│ +\d+\.\d\d │", printed), printed
        assert printed.splitlines()[-1].startswith("Success: "), printed
        wait_until(lambda: nothing_left(temporary), "nothing is left")

    @pytest.mark.parametrize(
        ("wait_for", "number", "status"),
        [
            ("start the embedded AWS", signal.SIGINT, 130),
            # The suite has the other signal while the servers wait for it.
            pytest.param("ppc-s3sync enable", signal.SIGTERM, 143, marks=pytest.mark.soak),
        ],
    )
    def test_a_signal_during_a_step_is_one_line_without_a_traceback(
        self, installed: Installed, temporary: Path, wait_for: str, number: int, status: int
    ) -> None:
        with start(installed, [*DEMO, "--exit"], temporary) as demo:
            read_to(wait_for, demo)
            demo.send_signal(number)
            rest, _ = demo.communicate(timeout=30)
        assert demo.returncode == status
        assert rest.splitlines()[-1] == "interrupted: everything has been cleaned up"
        assert "Traceback" not in rest
        wait_until(lambda: nothing_left(temporary), "nothing is left")

    def test_sigkill_leaves_no_server_and_no_emulator(
        self, installed: Installed, pserve: Path, temporary: Path
    ) -> None:
        with start(installed, [*QUICK_DEMO, str(pserve), "--exit"], temporary) as demo:
            read_to("start pypicloud", demo)
            assert any(str(pserve) in command for command in processes_below(temporary))
            demo.kill()
        wait_until(lambda: not processes_below(temporary), "no process is left", 60)

    def test_a_failed_step_is_reported_with_the_logs_and_exit_status_1(
        self, installed: Installed, pserve: Path, temporary: Path
    ) -> None:
        with start(installed, [*DEMO_THAT_FAILS, str(pserve), "--exit"], temporary) as demo:
            printed, _ = demo.communicate(timeout=120)
        assert demo.returncode == 1
        assert "FAILED: ppc-s3sync enable (us-east-1): not today" in printed
        parts = re.split(r"--- the end of the log of (.*)", printed)
        logs = dict(zip(parts[1::2], parts[2::2], strict=True))
        for region in ("us-east-1", "eu-west-1"):
            assert "GET /health" in logs[f"pypicloud in {region}"]
        assert "Ready" in logs["the embedded AWS"]
        wait_until(lambda: nothing_left(temporary), "nothing is left")
