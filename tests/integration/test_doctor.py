"""``ppc-s3sync doctor`` on an AWS emulator: what is wrong is found, and the canary comes and goes."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.caches.canary import NAME
from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.deploy.bundle import host_target
from pypicloud_s3sync.deploy.cache.local_cache import open_adapter
from pypicloud_s3sync.reconcile.scans import scan_of
from support.databases import Database
from support.distribution import Installed
from support.examinations import CHECKS
from support.fakes import not_none
from support.sites import Site

Doctor = Callable[..., dict[str, Any]]


def write_ini(site: Site, path: Path) -> Path:
    lines = [f"{key} = {value}" for key, value in site.given.items()]
    path.write_text("\n".join(["[app:main]", "use = egg:pypicloud", *lines, ""]))
    return path


@pytest.fixture
def doctor(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the command, and return its checks by their names."""

    def examine(*options: str) -> dict[str, Any]:
        ini = write_ini(site, tmp_path / "production.ini")
        capsys.readouterr()
        status = main(["doctor", str(ini), "--json", *options])
        document = json.loads(capsys.readouterr().out)
        assert [check["check"] for check in document["checks"]] == list(CHECKS)
        assert document["healthy"] is (status == 0)
        return {check["check"]: check for check in document["checks"]}

    return examine


def states(checks: dict[str, Any], state: str = "failed") -> set[str]:
    return {name for name, check in checks.items() if check["state"] == state}


def test_what_is_off_is_found_and_what_is_on_is_right(site: Site, doctor: Doctor) -> None:
    found = doctor()
    assert states(found) == {"notification", "function", "role"}
    assert all("`ppc-s3sync enable`" in found[name]["remedy"] for name in states(found))
    site.deployment().enable()
    found = doctor()
    assert states(found) == set(), found
    assert {"versioning", "replication", "capacity"} <= states(found, "warning")
    assert found["credentials"]["evidence"].startswith("arn:aws:iam::")
    assert "ms from this host" in found["cache"]["evidence"]
    assert "ms from the function" in found["cache"]["evidence"]
    site.deployment().disable()


def test_the_lines_for_people_name_state_evidence_and_remedy(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = write_ini(site, tmp_path / "production.ini")
    assert main(["doctor", str(ini)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"  ✓ bucket          ok       s3://{site.bucket}/ in {site.region}" in lines
    off = f"the function {site.function} does not exist in {site.region}: S3 sync is off"
    line = lines.index(f"  ✗ function        failed   {off}")
    assert lines[line + 1] == "      run `ppc-s3sync enable`"
    assert lines[-1].startswith("3 of 16 checks failed, ")


def break_notification(site: Site) -> None:
    site.client("s3").put_bucket_notification_configuration(Bucket=site.bucket, NotificationConfiguration={})


def break_permission(site: Site) -> None:
    (statement,) = site.statements()
    site.client("lambda").remove_permission(FunctionName=site.function, StatementId=statement["Sid"])


def break_concurrency(site: Site) -> None:
    site.client("lambda").put_function_concurrency(FunctionName=site.function, ReservedConcurrentExecutions=0)


def break_mapping(site: Site) -> None:
    functions = site.client("lambda")
    for mapping in functions.list_event_source_mappings(FunctionName=site.function)["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def break_role(site: Site) -> None:
    (name,) = site.role_names()
    allow = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    site.client("iam").put_role_policy(RoleName=name, PolicyName="sync", PolicyDocument=document)


def break_function(site: Site) -> None:
    site.client("lambda").delete_function(FunctionName=site.function)


def fail_an_event(site: Site) -> None:
    name = site.deployment().plan().desired.names.dead_letters
    sqs = site.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody="{}")


@pytest.mark.parametrize(
    ("damage", "check", "evidence"),
    [
        (break_notification, "notification", "has no notification for the function"),
        (break_permission, "notification", "S3 may not invoke the function"),
        (break_concurrency, "function", "the reserved concurrency of the function"),
        (break_mapping, "function", "its event source mapping is missing"),
        (break_role, "role", "lacks s3:GetObject on"),
        (break_function, "function", "S3 sync is off"),
        (fail_an_event, "failed_events", "1 failed event waits in the queue"),
    ],
)
def test_a_part_that_is_broken_is_found(
    site: Site, doctor: Doctor, damage: Callable[[Site], None], check: str, evidence: str
) -> None:
    site.deployment().enable()
    damage(site)
    found = doctor()
    assert check in states(found), found
    assert evidence in found[check]["evidence"]
    assert found[check]["remedy"]


def test_a_bucket_that_does_not_exist_fails_and_the_rest_is_skipped(site: Site, doctor: Doctor) -> None:
    site.given["storage.bucket"] = f"{site.bucket}-gone"
    found = doctor()
    assert "does not exist" in found["bucket"]["evidence"]
    assert {"versioning", "replication", "delete_markers", "encryption"} <= states(found, "skipped")


def test_the_region_of_another_bucket_fails(
    make_site: Callable[..., Site], doctor: Doctor, site: Site
) -> None:
    other = make_site("eu-west-1")
    site.given["storage.bucket"] = other.bucket
    found = doctor()
    assert "is in eu-west-1, but storage.region_name says us-east-1" in found["bucket"]["evidence"]
    assert found["bucket"]["remedy"] == "set storage.region_name = eu-west-1"


def test_rejected_credentials_fail_and_the_rest_is_skipped(site: Site, doctor: Doctor) -> None:
    site.given["storage.aws_access_key_id"] = "AKIAUNKNOWN"
    found = doctor()
    assert states(found) >= {"credentials"}
    assert {"bucket", "function", "role"} <= states(found, "skipped")


def replicate(site: Site, destination: str, **changes: Any) -> None:
    """Replicate the bucket of a site by one rule."""
    role = f"replication-{site.bucket}"
    arn = f"arn:aws:iam::{site.aws.account_id}:role/{role}"
    iam = site.client("iam")
    if role not in [found["RoleName"] for found in iam.list_roles()["Roles"]]:
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    rule = {
        "ID": "copy",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}},
        "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
        **changes,
    }
    configuration = {"Role": arn, "Rules": [rule]}
    s3 = site.client("s3")
    for bucket in (site.bucket, destination):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(Bucket=site.bucket, ReplicationConfiguration=configuration)


@pytest.mark.untraced
def test_each_fault_of_the_replication_is_found(
    site: Site, make_site: Callable[..., Site], doctor: Doctor
) -> None:
    other, s3 = make_site("eu-west-1"), site.client("s3")
    replicate(site, other.bucket)
    found = doctor()
    assert "one way" in found["replication"]["evidence"]
    assert {found[name]["state"] for name in ("versioning", "replication", "delete_markers")} == {"ok"}

    replicate(other, site.bucket)
    assert "both ways" in doctor()["replication"]["evidence"]
    replicate(other, site.bucket, Status="Disabled")
    assert "is disabled" in doctor()["replication"]["evidence"]

    replicate(site, other.bucket, DeleteMarkerReplication={"Status": "Disabled"})
    assert "delete_markers" in states(doctor())
    replicate(site, other.bucket, Status="Disabled")
    assert "copy to" in doctor()["replication"]["evidence"]
    replicate(site, other.bucket, Filter={"Prefix": "elsewhere/"})
    assert doctor()["replication"]["state"] == "failed"
    replicate(site, other.bucket)
    s3.put_bucket_versioning(Bucket=other.bucket, VersioningConfiguration={"Status": "Suspended"})
    assert f"versioning of the bucket {other.bucket} is not enabled" in doctor()["replication"]["evidence"]
    s3.put_bucket_versioning(Bucket=site.bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "versioning" in states(doctor())


# The canary


class Watch:
    """Looks at the cache again and again, in a thread of its own."""

    def __init__(self, site: Site) -> None:
        self._adapter = open_adapter(site.settings())
        self._ended = threading.Event()
        self.rows: set[str] = set()
        self.seen: set[str] = set()
        self.names: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self.look()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.look()

    def look(self) -> None:
        cache = self._adapter.cache
        self.rows = {row.filename for page in scan_of(self._adapter).rows(frozenset({NAME})) for row in page}
        self.seen |= self.rows
        self.names |= {*cache.distinct(), *(summary["name"] for summary in cache.summary())}
        if hasattr(cache, "dbmaker"):
            cache.db.close()


def deploy_real_bundle(site: Site, bundle: Path | None) -> None:
    target = host_target()
    site.given |= {"s3sync.runtime": target.runtime, "s3sync.architecture": target.architecture}
    site.given["s3sync.timeout"] = "30"
    if bundle is None:
        del site.given["s3sync.bundle"]
    else:
        site.given["s3sync.bundle"] = str(bundle)
    site.deployment().enable()


def rows(site: Site) -> set[str]:
    """Return the filenames of the canary's rows."""
    scan = scan_of(open_adapter(site.settings()))
    return {row.filename for page in scan.rows(frozenset({NAME})) for row in page}


def interrupt(ini: Path) -> int:
    """Press Ctrl-C once the canary has been uploaded; return the exit status."""
    command = [sys.executable, "-m", "pypicloud_s3sync.cli", "doctor", str(ini), "--canary"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        # Once only: after ten seconds, the line is printed again.
        assert any("canary uploaded" in line for line in not_none(process.stdout))
        process.send_signal(signal.SIGINT)
        process.communicate()
        return process.returncode


def assert_sent(site: Site, doctor: Doctor) -> None:
    """Send a canary; it is seen in the cache, in no list, and gone in the end."""
    watch = Watch(site)
    with watch.watching():
        canary = doctor("--canary")["canary"]
    assert canary["state"] == "ok", canary
    assert canary["evidence"].startswith("uploaded in ")
    assert len(watch.seen) == 1
    assert NAME not in watch.names
    assert watch.rows == set()
    found = site.client("s3").list_object_versions(Bucket=site.bucket)
    assert not found.get("Versions", [])


@pytest.mark.slow
@pytest.mark.untraced
def test_a_canary_is_seen_in_dynamodb_and_never_listed(
    site: Site, doctor: Doctor, installed: Installed, make_site: Callable[..., Site], tmp_path: Path
) -> None:
    other = make_site("eu-west-1")
    replicate(site, other.bucket)
    site.given["db.namespace"] = site.function
    open_adapter(site.settings())
    deploy_real_bundle(site, installed.bundle)
    assert_sent(site, doctor)
    s3 = site.client("s3")
    (marker,) = s3.list_object_versions(Bucket=site.bucket)["DeleteMarkers"]
    assert marker["IsLatest"]
    (replica,) = s3.list_object_versions(Bucket=other.bucket)["DeleteMarkers"]
    assert (replica["IsLatest"], replica["Key"]) == (True, marker["Key"]), "it is deleted there too"

    replicate(site, other.bucket, DeleteMarkerReplication={"Status": "Disabled"})
    canary = doctor("--canary")["canary"]
    assert (canary["state"], "delete_markers" in canary["evidence"]) == ("skipped", True)

    replicate(site, other.bucket)
    assert interrupt(write_ini(site, tmp_path / "interrupted.ini")) == 130
    assert not s3.list_object_versions(Bucket=site.bucket).get("Versions")
    assert not s3.list_objects_v2(Bucket=other.bucket).get("Contents")
    assert rows(site) == set()
    site.deployment().disable()


@pytest.mark.slow
@pytest.mark.parametrize("database", ["redis"], indirect=True)
def test_a_canary_is_seen_in_another_database_and_never_listed(
    site: Site, doctor: Doctor, database: Database
) -> None:
    for name in [name for name in site.given if name.startswith("db.")]:
        del site.given[name]
    site.given |= database.settings
    with database.cache():
        deploy_real_bundle(site, None)
        assert_sent(site, doctor)
    site.deployment().disable()


def test_no_canary_is_sent_through_a_function_with_other_code(site: Site, doctor: Doctor) -> None:
    site.deployment().enable()
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("lambda_script.py", "")
    site.client("lambda").update_function_code(FunctionName=site.function, ZipFile=other.getvalue())
    found = doctor("--canary")
    assert found["bundle"]["state"] == "warning"
    assert (found["canary"]["state"], "other code" in found["canary"]["evidence"]) == ("skipped", True)


def test_an_aws_that_does_not_answer_fails_within_seconds(site: Site, doctor: Doctor) -> None:
    site.given["s3sync.endpoint_url"] = "http://127.0.0.1:9"
    found = doctor()
    assert "does not answer" in found["credentials"]["evidence"]
    assert found["function"]["state"] == "skipped"
