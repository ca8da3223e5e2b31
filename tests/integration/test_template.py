"""A stack of the CloudFormation template, which enable completes, on an AWS that enforces IAM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.deploy.template import Format, template
from pypicloud_s3sync.devtools.processes import wait_until
from support.deliveries import NO_RESOURCES, delivery_resources, remains
from support.foreign import create_notifications
from support.sites import NOTHING, Site, ini_settings

pytestmark = pytest.mark.untraced

#: What a run records on the function and the rule, and what belongs to the bucket: the template has neither.
LEFT_TO_ENABLE = {
    Delivery.DIRECT: ["code", "function", "notification"],
    Delivery.SQS: ["code", "function", "notification"],
    Delivery.EVENTBRIDGE: ["queue", "code", "function", "rule", "notification"],
}

WAITER: Any = {"Delay": 0.2, "MaxAttempts": 300}


def deploy(site: Site, document: dict[str, Any], code: bytes) -> None:
    """Deploy a template as a stack with the name of the site's function."""
    s3, bucket, key = site.client("s3"), f"code-{site.bucket}", "function.zip"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=code)
    client, parameters = site.client("cloudformation"), {"BundleBucket": bucket, "BundleKey": key}
    client.create_stack(
        StackName=site.function,
        TemplateBody=json.dumps(document),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
    client.get_waiter("stack_create_complete").wait(StackName=site.function, WaiterConfig=WAITER)


def update(site: Site, document: dict[str, Any]) -> None:
    """Update the site's stack to another template."""
    client = site.client("cloudformation")
    client.update_stack(
        StackName=site.function,
        TemplateBody=json.dumps(document),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": name, "UsePreviousValue": True} for name in ("BundleBucket", "BundleKey")
        ],
    )
    client.get_waiter("stack_update_complete").wait(StackName=site.function, WaiterConfig=WAITER)


@pytest.mark.parametrize("delivery", Delivery)
def test_enable_adds_only_the_notification_and_its_tags_to_a_stack(site: Site, delivery: Delivery) -> None:
    # They turn on EventBridge, which is what enable would add to an eventbridge stack.
    foreign = {} if delivery is Delivery.EVENTBRIDGE else create_notifications(site)
    deployment = site.deployment(s3sync__delivery=delivery, s3sync__tags="team=x")
    deploy(site, template(deployment.settings, Format.CLOUDFORMATION), deployment.bundle().data)

    actions = deployment.plan().actions
    assert [action.resource for action in actions if not _is_dropped(action)] == LEFT_TO_ENABLE[delivery]
    assert "create" not in {action.verb for action in actions if action.resource != "notification"}
    changed = {change.field for action in actions for change in action.changes}
    assert changed <= {"fingerprint", "tags", "entry", "EventBridge", "DeadLetterConfig"}

    deployment.enable()
    assert "lambda:UpdateFunctionCode" not in site.watch.mutations
    assert status_document(deployment.plan(), deployment.settings)["state"] == "on"
    assert deployment.plan().in_sync

    # Turning it off removes the resources of the stack too, and the stack can be deleted then.
    deployment.disable()
    site.client("cloudformation").delete_stack(StackName=site.function)
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == {**NOTHING, "notifications": foreign}


def test_a_stack_changes_the_delivery_and_enable_removes_the_rule_when_s3_no_longer_uses_it(
    site: Site,
) -> None:
    before = site.deployment(s3sync__delivery="eventbridge")
    deploy(site, template(before.settings, Format.CLOUDFORMATION), before.bundle().data)
    before.enable()
    after = site.deployment(s3sync__delivery="direct", s3sync__memory_size="1024")
    update(site, template(after.settings, Format.CLOUDFORMATION))

    assert site.notifications() == {"EventBridgeConfiguration": {}}
    assert delivery_resources(site)["rules"], "S3 still sends events to the rule"
    actions = [action for action in after.plan().actions if not _is_dropped(action)]
    changed = {action.resource: [change.field for change in action.changes] for action in actions}
    assert {"notification", "rule"} <= changed.keys()
    assert not {"role", "permission", "code"} & changed.keys()
    assert changed["queue"] == ["tags"]
    after.enable()
    assert list(site.notifications()) == ["LambdaFunctionConfigurations"]
    assert delivery_resources(site)["rules"] == []
    assert after.plan().in_sync


def _is_dropped(action: Any) -> bool:
    """Return whether an action repairs what the emulator's CloudFormation ignores and AWS's does not."""
    return [change.field for change in action.changes] == ["DeadLetterConfig"]


def test_a_package_is_synced_by_the_function_of_a_stack(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "production.ini"
    ini.write_text(f"[app:main]\nuse = egg:pypicloud\n{ini_settings(site, s3sync__bundle=None)}\n")
    zipped, stack = tmp_path / "function.zip", tmp_path / "stack.json"
    assert main(["bundle", str(ini), "-o", str(zipped)]) == 0
    assert main(["template", str(ini), "-o", str(stack)]) == 0
    assert capsys.readouterr().out.endswith("then run ppc-s3sync enable\n")
    deploy(site, json.loads(stack.read_text()), zipped.read_bytes())
    # To reconcile would delete the rows of other tests, which have the same tables.
    assert main(["enable", str(ini), "--no-reconcile"]) == 0
    assert main(["status", str(ini)]) == 0

    name = f"reviewed-{site.bucket}"
    metadata = {"name": name, "version": "1.0"}
    key = f"{name}/{name}-1.0.tar.gz"
    site.client("s3").put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata=metadata)
    row = {"filename": {"S": f"{name}-1.0.tar.gz"}}
    dynamo = site.client("dynamodb")
    wait_until(
        lambda: "Item" in dynamo.get_item(TableName="DynamoPackage", Key=row, ConsistentRead=True),
        "the function has written the row of the package",
    )
