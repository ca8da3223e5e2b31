"""An AWS that enforces IAM, and sites in it: a bucket and a function name of each test's own."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat
from pypicloud_s3sync.config.settings import SyncSettings, read
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.deploy.aws import Clients
from pypicloud_s3sync.embedded import EmbeddedAws
from support.databases import used
from support.strict_aws import StrictAws

REGIONS = ("us-east-1", "eu-west-1")
READS = ("Get", "List", "Describe", "Head")
_numbers = itertools.count()


class Killed(BaseException):
    """The process is gone: nothing in it may catch this."""


class Watch:
    """Makes clients that tell which calls change AWS, and that can be killed after one of them."""

    def __init__(self) -> None:
        self.mutations: list[str] = []
        self.kill_after: int | None = None
        self._made: dict[str, dict[str, Any]] = {}

    def __call__(self, settings: SyncSettings, region: str | None = None) -> Clients:
        clients = Clients(settings, region)
        # Making a client takes longer than most calls: a test's deployments share theirs.
        clients._made = self._made.setdefault(clients.region, {})
        make = clients._make

        def watched(service: str) -> Any:
            client = make(service)
            client.meta.events.register("after-call", self._after)
            return client

        clients._make = watched  # type: ignore[method-assign]
        return clients

    def _after(self, model: Any, http_response: Any, **kwargs: Any) -> None:
        if model.name.startswith(READS) or http_response.status_code >= 400:
            return
        self.mutations.append(f"{model.service_model.service_name}:{model.name}")
        if self.kill_after == len(self.mutations):
            raise Killed(f"after {self.mutations[-1]}")


class Site:
    """One bucket with its settings, and what to ask AWS about it."""

    def __init__(self, aws: EmbeddedAws, bundle: Path, region: str, bucket: str, function: str) -> None:
        self.aws = aws
        self.region = region
        self.bucket = bucket
        self.function = function
        self.watch = Watch()
        self.given = {
            "pypi.storage": "s3",
            "pypi.db": "dynamo",
            "storage.bucket": bucket,
            "storage.region_name": region,
            "storage.aws_access_key_id": aws.access_key_id,
            "storage.aws_secret_access_key": aws.secret_access_key,
            "db.region_name": region,
            "s3sync.endpoint_url": aws.endpoint_url,
            "s3sync.function_name": function,
            "s3sync.bundle": str(bundle),
        }
        location = {} if region == "us-east-1" else {"LocationConstraint": region}
        configuration = {"CreateBucketConfiguration": location} if location else {}
        self.client("s3").create_bucket(Bucket=bucket, **configuration)

    def client(self, service: str) -> Any:
        return self.aws.client(service, self.region)

    def settings(self, **more: str | None) -> SyncSettings:
        given = {**self.given, **{key.replace("__", "."): value for key, value in more.items()}}
        return read(EnvironSettings({key: value for key, value in given.items() if value is not None}, {}))

    def deployment(self, **more: str | None) -> Deployment:
        return Deployment(self.settings(**more), clients=self.watch)

    def notifications(self) -> dict[str, Any]:
        found = self.client("s3").get_bucket_notification_configuration(Bucket=self.bucket)
        del found["ResponseMetadata"]
        return found

    def statements(self) -> list[dict[str, Any]]:
        return json.loads(self.client("lambda").get_policy(FunctionName=self.function)["Policy"])["Statement"]

    def role_names(self) -> list[str]:
        """The roles of this bucket's deployment, given ones too."""
        names = self._listed("iam", "list_roles", "Roles[].RoleName")
        return [name for name in names if self.bucket in name and not name.startswith("role-of-")]

    def _listed(self, service: str, operation: str, path: str) -> list[str]:
        """What is on all pages: the tests' AWS fills with what is left of other tests."""
        return list(self.client(service).get_paginator(operation).paginate().search(path))

    def remains(self) -> dict[str, Any]:
        """What there is of a deployment."""
        functions = self._listed("lambda", "list_functions", "Functions[].FunctionName")
        groups = self.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{self.function}")
        return {
            "roles": self.role_names(),
            "functions": [name for name in functions if name == self.function],
            "log groups": [group["logGroupName"] for group in groups["logGroups"]],
            "notifications": self.notifications(),
        }


NOTHING = {"roles": [], "functions": [], "log groups": [], "notifications": {}}


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    """An AWS that enforces IAM, with pypicloud's tables in two regions."""
    compat.apply()
    with StrictAws() as started:
        for region in REGIONS:
            make_tables(started, region)
        used.add("DynamoDB (embedded AWS)")
        yield started


def make_tables(aws: EmbeddedAws, region: str, **more: str) -> Any:
    """pypicloud's own tables, made by itself; its cache."""
    from pypicloud.cache.dynamo import DynamoCache

    settings = {
        "pypi.storage": "pypicloud.storage.base.IStorage",
        "db.region_name": region,
        "db.host": "127.0.0.1",
        "db.port": str(aws.port),
        "db.aws_access_key_id": aws.access_key_id,
        "db.aws_secret_access_key": aws.secret_access_key,
        **more,
    }
    return DynamoCache(**DynamoCache.configure(EnvironSettings(settings, {})))


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ready zip, where it does not matter what the function does."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.zip"
    path.write_bytes(zip_of("def handle_s3_event(event, context):\n    return {}\n"))
    return path


def zip_of(handler: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("lambda_script.py", "from pypicloud_s3sync.handler import handle_s3_event\n")
        archive.writestr("pypicloud_s3sync/__init__.py", "")
        archive.writestr("pypicloud_s3sync/handler.py", handler)
    return data.getvalue()


@pytest.fixture
def make_site(aws: EmbeddedAws, tiny_bundle: Path) -> Any:
    """Makes buckets with settings."""

    def make(region: str = "us-east-1", function: str | None = None, bucket: str | None = None) -> Site:
        number = next(_numbers)
        return Site(aws, tiny_bundle, region, bucket or f"packages-{number}", function or f"sync-{number}")

    return make


@pytest.fixture
def site(make_site: Any) -> Site:
    """A bucket with settings."""
    return make_site()
