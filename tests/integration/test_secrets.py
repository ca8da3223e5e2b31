"""A password of the cache is nowhere but in the encrypted parameter or secret, and can be rotated.

The function has the real bundle and a real Redis server that asks for a password.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from pypicloud_s3sync.deploy.bundle import host_target
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.exceptions import ConflictError
from support import database_servers
from support.policies import without
from support.sites import NOTHING, Site

pytestmark = pytest.mark.untraced

PASSWORD, ROTATED = "correct/horse", "battery@staple"
QUOTED = {PASSWORD: "correct%2Fhorse", ROTATED: "battery%40staple"}
_numbers = itertools.count()


@dataclass
class Protected:
    """A Redis server with a password, and a site whose cache it is."""

    site: Site
    port: int
    password: str = PASSWORD

    @property
    def client(self) -> Redis:
        return Redis(port=self.port, password=self.password, decode_responses=True)

    @property
    def url(self) -> str:
        return f"redis://:{QUOTED[self.password]}@127.0.0.1:{self.port}/0"

    def deployment(self, **more: str | None) -> Any:
        return self.site.deployment(db__url=self.url, **more)

    def rotate(self, password: str) -> None:
        """Change the password of the server, and close the connections that know the former one."""
        with self.client as client:
            client.config_set("requirepass", password)
            client.client_kill_filter(_type="normal", skipme=True)
        self.password = password

    def upload(self) -> str:
        name = f"secret-{next(_numbers)}"
        key = f"{name}/{name}-1.0.tar.gz"
        metadata = {"name": name, "version": "1.0"}
        self.site.client("s3").put_object(Bucket=self.site.bucket, Key=key, Body=b"x", Metadata=metadata)
        return name

    def uploaded_and_synced(self) -> None:
        name = self.upload()
        with self.client as client:
            wait_until(
                lambda: client.exists(f"pypicloud:{name}-1.0.tar.gz") or self._keys(client, name), name
            )

    @staticmethod
    def _keys(client: Redis, name: str) -> bool:
        return any(name in key for key in client.scan_iter())

    def parameters(self) -> list[dict[str, Any]]:
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/pypicloud-s3sync/"]}]
        pages = (
            self.site.client("ssm").get_paginator("describe_parameters").paginate(ParameterFilters=filters)
        )
        found = [parameter for page in pages for parameter in page["Parameters"]]
        return [parameter for parameter in found if self.site.bucket in parameter["Name"]]

    def encrypt_with_another_key(self) -> str:
        """Encrypt the parameter with a key of the security team; return the key's alias."""
        kms, ssm, alias = self.site.client("kms"), self.site.client("ssm"), f"alias/{self.site.bucket}"
        kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        (found,) = self.parameters()
        value = ssm.get_parameter(Name=found["Name"], WithDecryption=True)["Parameter"]["Value"]
        ssm.put_parameter(Name=found["Name"], Value=value, Type="SecureString", KeyId=alias, Overwrite=True)
        return alias

    def written_anywhere(self) -> str:
        """Return everything about the function that people may look at, except the value of the parameter."""
        functions, logs = self.site.client("lambda"), self.site.client("logs")
        function = functions.get_function(FunctionName=self.site.function)
        group = f"/aws/lambda/{self.site.function}"
        texts = [function, self.parameters(), logs.filter_log_events(logGroupName=group)["events"]]
        for parameter in self.parameters():
            tags = {"ResourceType": "Parameter", "ResourceId": parameter["Name"]}
            texts.append(self.site.client("ssm").list_tags_for_resource(**tags))
        return json.dumps(texts, default=str)


@pytest.fixture
def protected(make_site: Callable[..., Site], redis_zip: Path) -> Iterator[Protected]:
    with database_servers.redis() as port:
        with Redis(port=port) as client:
            client.config_set("requirepass", PASSWORD)
        site, target = make_site(), host_target()
        site.given |= {
            "pypi.db": "redis",
            "s3sync.bundle": str(redis_zip),
            "s3sync.runtime": target.runtime,
            "s3sync.architecture": target.architecture,
        }
        del site.given["db.region_name"]
        yield Protected(site, port)


def contains_password(text: str) -> bool:
    return any(word in text for pair in QUOTED.items() for word in pair)


def test_a_password_is_only_in_the_parameter_and_is_rotated_without_a_redeployment(
    protected: Protected,
) -> None:
    # A build's fingerprint depends on the settings, a ready zip's does not: the password must not change it.
    del protected.site.given["s3sync.bundle"]
    site, deployment = protected.site, protected.deployment()
    plan = deployment.plan()
    assert "parameter.create" in [action.call for action in plan.actions]
    steps: list[str] = []
    deployment.report = lambda progress: steps.append(progress.message)
    deployment.enable()
    (parameter,) = protected.parameters()
    assert parameter["Type"] == "SecureString"
    protected.uploaded_and_synced()
    assert protected.deployment().plan().in_sync
    status = protected.deployment().status()
    assert (status["state"], status["problems"]) == ("on", [])

    before = site.client("lambda").get_function_configuration(FunctionName=site.function)
    alias = protected.encrypt_with_another_key()
    protected.rotate(ROTATED)
    rotation = protected.deployment().enable()
    assert [action.call for action in rotation.actions] == ["role.update", "parameter.update"]
    assert [parameter["KeyId"] for parameter in protected.parameters()] == [alias]
    assert protected.deployment().plan().in_sync
    protected.uploaded_and_synced()
    after = site.client("lambda").get_function_configuration(FunctionName=site.function)
    logged = protected.written_anywhere()
    assert "saved" in logged
    assert "username-password" not in logged, "the invocation that was refused reads the new password itself"
    assert [before["RevisionId"], before["LastModified"]] == [after["RevisionId"], after["LastModified"]]

    shown = [plan_document(each, "enable") for each in (plan, rotation)]
    shown.append(status_document(plan, site.settings(db__url=protected.url)))
    assert not contains_password(json.dumps([*shown, status, *steps]))
    assert not contains_password(protected.written_anywhere())
    protected.deployment().disable()
    assert site.remains() == NOTHING
    assert protected.parameters() == []


def test_a_secret_of_the_user_is_read_and_stays(protected: Protected) -> None:
    site, manager = protected.site, protected.site.client("secretsmanager")
    arn = manager.create_secret(
        Name=f"cache-of-{site.bucket}", SecretString=json.dumps({"db.url": protected.url})
    )["ARN"]
    protected.deployment(s3sync__secrets=arn).enable()
    assert protected.parameters() == []
    protected.uploaded_and_synced()
    protected.rotate(ROTATED)
    manager.put_secret_value(SecretId=arn, SecretString=json.dumps({"db.url": protected.url}))
    protected.uploaded_and_synced()
    assert not contains_password(protected.written_anywhere())
    protected.deployment(s3sync__secrets=arn).disable()
    assert site.remains() == NOTHING
    assert manager.describe_secret(SecretId=arn)["ARN"] == arn


def test_secrets_move_to_the_environment_and_back(protected: Protected) -> None:
    protected.deployment().enable()
    moved = protected.deployment(s3sync__secrets="environment").enable()
    calls = [action.call for action in moved.actions]
    assert calls == ["role.update", "function.update_configuration", "parameter.delete", "function.tag"]
    assert protected.parameters() == []
    protected.uploaded_and_synced()
    protected.deployment().enable()
    protected.uploaded_and_synced()
    assert not contains_password(protected.written_anywhere())


def test_the_function_fails_without_the_right_to_read_its_secrets(protected: Protected) -> None:
    site = protected.site
    protected.deployment().enable()
    iam, (role,) = site.client("iam"), site.role_names()
    policy = iam.get_role_policy(RoleName=role, PolicyName="sync")["PolicyDocument"]
    limited = json.dumps(without(policy, "ssm:GetParameter"))
    iam.put_role_policy(RoleName=role, PolicyName="sync", PolicyDocument=limited)
    event = {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "eventSource": "aws:s3",
                "s3": {"bucket": {"name": site.bucket}, "object": {"key": "a/a-1.0.tar.gz"}},
            }
        ]
    }
    response = site.client("lambda").invoke(FunctionName=site.function, Payload=json.dumps(event))
    answer = response["Payload"].read().decode()
    (parameter,) = protected.parameters()
    assert "AccessDenied" in answer
    assert f"the SSM parameter {parameter['Name']} cannot be read" in answer
    assert not contains_password(answer)


def test_a_parameter_of_another_owner_stays(protected: Protected) -> None:
    name = protected.deployment().plan().desired.names.parameter
    ssm = protected.site.client("ssm")
    ssm.put_parameter(Name=name, Value="foreign", Type="String")
    with pytest.raises(ConflictError, match="was not created by this tool"):
        protected.deployment().enable()
    assert protected.deployment().disable().in_sync
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "foreign"
