"""``replicate`` shows its plan, what others have to do, and the commands for what was there before."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.cli import replicating
from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.deploy.models import Reporter
from pypicloud_s3sync.deploy.replication.models import Region, ReplicationPlan
from pypicloud_s3sync.deploy.replication.planner import plan_removal, plan_replication
from support.replication import AP, EU, US, configuration, foreign, region, wanted

INI = """
[app:main]
use = egg:pypicloud
pypi.storage = s3
pypi.db = dynamo
storage.bucket = {bucket}
db.region_name = eu-west-1
"""
#: Runs the command on two inis, and returns its exit status, stdout and stderr.
Run = Callable[..., tuple[int, str, str]]
IN_SYNC = [
    replace(region(US), configuration=configuration(foreign(destination=EU))),
    replace(region(EU), configuration=configuration(foreign(destination=US))),
]


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """The regions that AWS has; a test may change them."""
    found = [region(US, versioning=""), region(EU)]

    class FakeReplication:
        def __init__(self, given: Sequence[Any], report: Reporter) -> None:
            assert [settings.bucket for _, settings in given] == [US, EU]

        def plan(self, *, remove: bool) -> ReplicationPlan:
            return plan_removal(found) if remove else plan_replication(found)

        apply = plan

    monkeypatch.setattr(replicating, "Replication", FakeReplication)
    return found


@pytest.fixture
def run(regions: list[Region], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    paths = []
    for bucket in (US, EU):
        path = tmp_path / f"{bucket}.ini"
        path.write_text(INI.format(bucket=bucket))
        paths.append(str(path))

    def run_command(*options: str) -> tuple[int, str, str]:
        status = main(["replicate", *paths, *options])
        return status, *capsys.readouterr()

    return run_command


def test_a_plan_is_shown_as_a_diff_with_what_to_know_before(run: Run) -> None:
    status, output, _ = run("--plan", "-n", "sync", "-r", "us-east-1")
    lines = output.splitlines()
    assert status == 1
    assert lines[0] == "replication among packages-us (us-east-1) and packages-eu (eu-west-1)"
    assert lines[1].startswith("  ! versioning cannot be turned off again, only suspended (packages-us).")
    assert "~ versioning  packages-us" in lines
    assert "+ replication  packages-us" in lines
    assert '    + pypicloud-s3sync-packages-eu.DeleteMarkerReplication: {"Status": "Enabled"}' in lines
    assert "4 to create, 1 to update, 0 to delete." in lines
    assert '"NoncurrentDays": 30' in lines[-1]
    assert "aws s3control" not in output


def test_a_run_ends_with_the_commands_for_the_packages_that_were_there_before(run: Run) -> None:
    status, output, _ = run()
    assert status == 0
    assert output.startswith("S3 replicates new packages and deletions among packages-us and packages-eu.\n")
    assert output.count("aws s3control create-job --region") == 2
    assert "They need the role arn:aws:iam::111122223333:role/packages-batch-replication" in output
    assert output.count("batchoperations.s3.amazonaws.com") == 1


def test_nothing_to_do_is_one_line(run: Run, regions: list[Region]) -> None:
    regions[:] = IN_SYNC
    assert run() == (0, "Nothing to do.\n", "")
    assert run("--remove") == (0, "Nothing to do.\n", "")
    status, output, _ = run("--plan")
    assert (status, output.splitlines()[-1]) == (0, "Nothing to do.")
    assert run("--plan", "--remove")[1].splitlines()[-1] == "Nothing to remove."


def test_the_rights_that_a_foreign_role_needs_are_printed_as_statements(
    run: Run, regions: list[Region]
) -> None:
    regions[0] = replace(regions[0], configuration=configuration(foreign(destination=AP)))
    _, output, _ = run("--plan")
    assert "4 to create" not in output
    assert "2 to create, 2 to update, 0 to delete. 1 other rule will not be changed." in output
    assert "! Add to the role arn:aws:iam::111122223333:role/backup, unless it has them: " in output
    statement = next(line for line in output.splitlines() if '"WriteReplicas"' in line)
    assert json.loads(statement)["Resource"] == "arn:aws:s3:::packages-eu/*"


def test_a_removal_says_what_remains_true(run: Run, regions: list[Region]) -> None:
    regions[0] = replace(regions[0], configuration=configuration({**wanted(EU), "Priority": 1}))
    status, output, _ = run("--remove")
    assert (status, output) == (
        0,
        "S3 no longer replicates packages among packages-us and packages-eu with rules of this tool.\n",
    )


def test_json_is_one_document_with_the_result(run: Run) -> None:
    status, output, _ = run("--json")
    document = json.loads(output)
    assert (status, document["result"], document["command"]) == (0, "ok", "replicate")
    assert document["message"].startswith("S3 replicates new packages")
    assert [action["bucket"] for action in document["actions"]] == [US, US, US, EU, EU]
    assert "result" not in json.loads(run("--json", "--plan")[1])


@pytest.mark.parametrize("arguments", [["us.ini"], ["us.ini", "a=b"], ["a=b"]])
def test_less_than_two_inis_are_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replicate", *arguments, "--json"]) == 2
    captured = capsys.readouterr()
    assert "Expected two or more CONFIG_URIs, one for each region" in json.loads(captured.out)["message"]
