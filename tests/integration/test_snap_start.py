"""SnapStart on the embedded AWS: S3 and the queue invoke the alias of a published version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.operator.policy import Purpose, operator_policy
from pypicloud_s3sync.deploy.operator.scope import scope_of
from pypicloud_s3sync.deploy.snap_start import ALIAS
from pypicloud_s3sync.devtools.processes import wait_until
from support.deliveries import NO_RESOURCES, delivery_resources, remains
from support.foreign import create_notifications
from support.sites import NOTHING, Site, zip_of

pytestmark = pytest.mark.untraced

ON: dict[str, str | None] = {"s3sync__snap_start": "true", "s3sync__runtime": "python3.12"}
OFF: dict[str, str | None] = {"s3sync__runtime": "python3.12"}


def versions(site: Site) -> list[str]:
    found = site.client("lambda").list_versions_by_function(FunctionName=site.function)["Versions"]
    return [version["Version"] for version in found if version["Version"] != "$LATEST"]


def aliases(site: Site) -> dict[str, str]:
    found = site.client("lambda").list_aliases(FunctionName=site.function)["Aliases"]
    return {alias["Name"]: alias["FunctionVersion"] for alias in found}


def receivers(site: Site) -> set[str]:
    """Return the ARNs that S3 and the queue invoke."""
    entries: list[Any] = site.notifications().get("LambdaFunctionConfigurations", [])
    mappings = site.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    of_queue = [each["FunctionArn"] for each in mappings if f":{site.function}" in each["FunctionArn"]]
    return {*of_queue, *(entry["LambdaFunctionArn"] for entry in entries)}


def test_it_is_turned_on_updated_and_turned_off_and_a_second_run_changes_nothing(
    site: Site, tmp_path: Path
) -> None:
    foreign = create_notifications(site)
    arn = f"arn:aws:lambda:{site.region}:{site.aws.account_id}:function:{site.function}"
    foreign_arns = {entry["LambdaFunctionArn"] for entry in foreign.get("LambdaFunctionConfigurations", [])}
    bundle = tmp_path / "other.zip"
    bundle.write_bytes(zip_of("def handle_s3_event(event, context):\n    return 'other'\n"))
    steps: list[tuple[dict[str, str | None], dict[str, str], set[str]]] = [
        (OFF, {}, {arn}),
        (ON, {ALIAS: "1"}, {f"{arn}:{ALIAS}"}),
        ({**ON, "s3sync__bundle": str(bundle)}, {ALIAS: "2"}, {f"{arn}:{ALIAS}"}),
        ({**OFF, "s3sync__bundle": str(bundle)}, {}, {arn}),
    ]
    for settings, wanted, invoked in steps:
        site.deployment(**settings).enable()
        assert (aliases(site), versions(site)) == (wanted, sorted(wanted.values()))
        assert receivers(site) - foreign_arns == invoked
        site.watch.mutations.clear()
        assert site.deployment(**settings).enable().in_sync
        assert site.watch.mutations == []
    site.deployment(**OFF).disable()
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == {**NOTHING, "notifications": foreign}
    # The resources are compared in the unit tests.
    given = site.settings(**ON)
    policy = operator_policy(given, [Purpose.ENABLE], scope_of(given, site.aws.account_id))
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    called = {call for call in site.watch.calls if call.startswith("lambda:")}
    assert called >= {"lambda:PublishVersion", "lambda:DeleteAlias", "lambda:ListVersionsByFunction"}
    assert called - allowed == set()


def test_events_reach_the_version_and_disable_removes_everything(site: Site) -> None:
    site.deployment(**ON).enable()
    site.client("s3").put_object(Bucket=site.bucket, Key="a/b-1.0.tar.gz", Body=b"x")

    def started() -> list[Any]:
        events = site.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{site.function}")["events"]
        return [event for event in events if "START" in event["message"] and "Version: 1" in event["message"]]

    wait_until(started, "version 1 of the function was invoked")
    site.deployment(**ON).disable()
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == NOTHING
