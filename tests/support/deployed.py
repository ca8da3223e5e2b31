"""A function with the real bundle, whose policy a test changes, and one that does what Lambda itself does."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from pypicloud_s3sync.deploy.bundle import host_target
from pypicloud_s3sync.embedded import EmbeddedAws
from support.fakes import not_none
from support.shared import worker_name
from support.sites import Site, make_tables

EVENT = Path(__file__).parents[1] / "events" / "created_put.json"
WAITER = {"Delay": 0.1, "MaxAttempts": 300}
#: A handler beside the real one, which returns what that raises.
CATCHING_HANDLER = "catching.handle"
CATCHING = """
from pypicloud_s3sync import handler
def handle(event, context):
    try:
        return {"returned": handler.handle_s3_event(event, context)}
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"}
"""
#: Writes to the function's log group as Lambda's runtime does, or uses a queue as Lambda itself does. The
#: emulator does both without asking IAM.
PROBE = """
import boto3, os, time
def use(url):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return "used"
def handle_s3_event(event, context):
    if "queue" in event:
        return use(event["queue"])
    logs = boto3.client("logs")
    stream = {"logGroupName": event["group"], "logStreamName": event["stream"]}
    logs.create_log_stream(**stream)
    message = {"timestamp": int(time.time() * 1000), "message": "probed"}
    logs.put_log_events(**stream, logEvents=[message])
    return "logged"
"""


class Deployed:
    """An enabled site whose function has the real bundle."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.s3, self.dynamo = site.client("s3"), site.client("dynamodb")
        self.iam, self.functions = site.client("iam"), site.client("lambda")
        site.deployment().enable()
        (self.role_name,) = site.role_names()
        inline = self.iam.get_role_policy(RoleName=self.role_name, PolicyName="sync")
        self.policy: dict[str, Any] = inline["PolicyDocument"]

    def allow(self, policy: dict[str, Any]) -> None:
        """Replace the policy of the role."""
        document = json.dumps(policy)
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="sync", PolicyDocument=document)

    def put(self, name: str, version: str = "1.0") -> str:
        """Upload a package and return its key."""
        key = f"{name}/{name}-{version}.tar.gz"
        metadata = {"name": name, "version": version}
        self.s3.put_object(Bucket=self.site.bucket, Key=key, Body=b"x", Metadata=metadata)
        return key

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.site.bucket, Key=key)

    def table(self, name: str) -> str:
        """Return the name of a table of pypicloud's."""
        return f"{self.site.given['db.namespace']}{name}"

    def row(self, key: str) -> dict[str, Any] | None:
        """Return the row of an object, or None."""
        identity = {"filename": {"S": key.rsplit("/")[-1]}}
        table = self.table("DynamoPackage")
        response = self.dynamo.get_item(TableName=table, Key=identity, ConsistentRead=True)
        row: dict[str, Any] | None = response.get("Item")
        return row

    def invoke(self, payload: dict[str, Any], function: str = "") -> tuple[bool, str]:
        """Invoke a function; return whether it succeeded, and its response."""
        name = function or self.site.function
        response = self.functions.invoke(FunctionName=name, Payload=json.dumps(payload))
        text: str = response["Payload"].read().decode()
        assert "FunctionError" not in response, text
        answer = json.loads(text)
        return "raised" not in answer, answer.get("raised") or json.dumps(answer["returned"])

    def notify(self, key: str) -> tuple[bool, str]:
        """Invoke the function with an event for an object."""
        event = json.loads(EVENT.read_text())
        event["Records"][0]["s3"]["bucket"]["name"] = self.site.bucket
        event["Records"][0]["s3"]["object"]["key"] = key
        return self.invoke(event)

    def synced(self, key: str) -> dict[str, Any]:
        """Let the function handle an event for an object, and return the object's row."""
        succeeded, response = self.notify(key)
        assert succeeded, response
        return not_none(self.row(key))

    def stop_polling(self) -> None:
        """Delete the event source mapping, so that messages stay in the queue."""
        mappings = self.functions.list_event_source_mappings(FunctionName=self.site.function)
        for mapping in mappings["EventSourceMappings"]:
            self.functions.delete_event_source_mapping(UUID=mapping["UUID"])

    def catch_errors(self) -> None:
        """Let the function return its errors."""
        name = self.site.function
        code = catching(Path(self.site.given["s3sync.bundle"]).read_bytes())
        self.functions.update_function_code(FunctionName=name, ZipFile=code)
        self.wait()
        self.functions.update_function_configuration(FunctionName=name, Handler=CATCHING_HANDLER)
        self.wait()

    def restart(self) -> None:
        """Change the timeout, for which Lambda stops its running workers."""
        name = self.site.function
        timeout = self.functions.get_function_configuration(FunctionName=name)["Timeout"]
        self.functions.update_function_configuration(FunctionName=name, Timeout=timeout + 1)
        self.wait()

    def wait(self) -> None:
        """Wait until the function is updated."""
        waiter = self.functions.get_waiter("function_updated_v2")
        waiter.wait(FunctionName=self.site.function, WaiterConfig=WAITER)


def catching(code: bytes) -> bytes:
    """Return a zip with the handler that returns errors."""
    data = io.BytesIO(code)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("catching.py", CATCHING)
    return data.getvalue()


def create_site(aws: EmbeddedAws, bundle: Path, name: str) -> Site:
    """Create a site for the bundle of this host's Python, with names that no other worker uses."""
    name = f"iam-{name}-{worker_name()}"
    site = Site(aws, bundle, "us-east-1", name, f"sync-{name}")
    target = host_target()
    # A reconciliation of another test deletes the rows of shared tables.
    tables = {"db.namespace": f"{name}-"}
    make_tables(aws, site.region, **tables)
    site.given |= {"s3sync.runtime": target.runtime, "s3sync.architecture": target.architecture, **tables}
    return site
