"""An AWS that enforces IAM, and sites in it: each has its own bucket and function name."""

from __future__ import annotations

import functools
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat
from pypicloud_s3sync.config.settings import SyncSettings, read
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.embedded import EmbeddedAws
from support.shared import worker_name
from support.strict_aws import StrictAws

REGIONS = ("us-east-1", "eu-west-1")
READS = ("Get", "List", "Describe", "Head")
_numbers = itertools.count()


@functools.cache
def _client(aws: EmbeddedAws, service: str, region: str) -> Any:
    """Return a client of the root user. Creating one takes longer than most calls, so sites share them."""
    return aws.client(service, region)


class Killed(BaseException):
    """Stands for a process that was killed, which no code in the process can catch."""


class Watch:
    """Creates clients that record calls, can be killed after a mutating one, or lose all responses."""

    def __init__(self) -> None:
        #: All calls that AWS did not refuse, and those that change something.
        self.calls: list[str] = []
        self.mutations: list[str] = []
        self.kill_after: int | None = None
        #: Whether the response to each mutating call is lost once, so that boto3 repeats the call.
        self.loses_responses = False
        #: The clients of each region by service. Creating one takes longer than most calls, so a test's
        #: deployments share them.
        self.created: dict[str, dict[str, Any]] = {}

    def __call__(self, settings: SyncSettings, region: str | None = None) -> Clients:
        return WatchedClients(self, settings, region)

    def after_call(self, model: Any, http_response: Any, **kwargs: Any) -> None:
        if http_response.status_code >= 400:
            return
        self.calls.append(f"{model.service_model.service_name}:{model.name}")
        if model.name.startswith(READS):
            return
        self.mutations.append(self.calls[-1])
        if self.kill_after == len(self.mutations):
            raise Killed(f"after {self.mutations[-1]}")

    def needs_retry(self, response: Any, operation: Any, attempts: int, **kwargs: Any) -> int | None:
        """Return 0, the delay in seconds, if botocore shall repeat the call.

        The emulator creates a second mapping, which Lambda refuses with a ResourceConflictException.
        """
        kept = (*READS, "CreateEventSourceMapping")
        if not self.loses_responses or operation.name.startswith(kept) or attempts > 1:
            return None
        return 0 if response is not None and response[0].status_code < 400 else None


class WatchedClients(Clients):
    """Clients that report each call to a :class:`Watch`."""

    def __init__(self, watch: Watch, settings: SyncSettings, region: str | None) -> None:
        super().__init__(settings, region)
        self._watch = watch
        self._created = watch.created.setdefault(self.region, {})

    def _create(self, service: str) -> Any:
        client = super()._create(service)
        client.meta.events.register("after-call", self._watch.after_call)
        client.meta.events.register_first("needs-retry", self._watch.needs_retry)
        return client


class Site:
    """A bucket with its settings, and queries for its resources in AWS."""

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
        return _client(self.aws, service, self.region)

    def settings(self, **more: str | None) -> SyncSettings:
        given = {**self.given, **{key.replace("__", "."): value for key, value in more.items()}}
        return read(EnvironSettings({key: value for key, value in given.items() if value is not None}, {}))

    def deployment(self, **more: str | None) -> Deployment:
        return Deployment(self.settings(**more), clients=self.watch)

    def notifications(self) -> dict[str, Any]:
        configuration: dict[str, Any] = self.client("s3").get_bucket_notification_configuration(
            Bucket=self.bucket
        )
        del configuration["ResponseMetadata"]
        return configuration

    def statements(self) -> list[dict[str, Any]]:
        policy = json.loads(self.client("lambda").get_policy(FunctionName=self.function)["Policy"])
        statements: list[dict[str, Any]] = policy["Statement"]
        return statements

    def role_names(self) -> list[str]:
        """Return the names of the roles of this bucket's deployment, including given ones."""
        names = self._listed("iam", "list_roles", "Roles[].RoleName")
        return [name for name in names if self.bucket in name and not name.startswith("role-of-")]

    def _listed(self, service: str, operation: str, path: str) -> list[str]:
        """Return the results of all pages: the resources of other tests fill more than one."""
        return list(self.client(service).get_paginator(operation).paginate().search(path))

    def remains(self) -> dict[str, Any]:
        """Return the remaining resources of the deployment."""
        functions = self._listed("lambda", "list_functions", "Functions[].FunctionName")
        groups = self.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{self.function}")
        return {
            "roles": self.role_names(),
            "functions": [name for name in functions if name == self.function],
            "log groups": [group["logGroupName"] for group in groups["logGroups"]],
            "notifications": self.notifications(),
        }


NOTHING: dict[str, Any] = {"roles": [], "functions": [], "log groups": [], "notifications": {}}


@contextmanager
def embedded_aws() -> Iterator[int]:
    """Run an AWS that enforces IAM and has pypicloud's tables in two regions; yield its port."""
    compat.apply()
    with StrictAws() as started:
        for region in REGIONS:
            make_tables(started, region)
        yield started.port


@pytest.fixture(scope="session")
def aws(shared: Any) -> EmbeddedAws:
    """The AWS that all workers share."""
    running = StrictAws()
    running.port = shared("support.sites:embedded_aws")
    return running


def make_tables(aws: EmbeddedAws, region: str, **more: str) -> Any:
    """Let pypicloud create its tables, and return its cache."""
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


def new_site(
    aws: EmbeddedAws,
    bundle: Path,
    region: str = "us-east-1",
    function: str | None = None,
    bucket: str | None = None,
) -> Site:
    """Create a site."""
    name = f"{worker_name()}-{next(_numbers)}"
    return Site(aws, bundle, region, bucket or f"packages-{name}", function or f"sync-{name}")


@pytest.fixture
def make_site(aws: EmbeddedAws, tiny_bundle: Path) -> Callable[..., Site]:
    """Return a function that creates a site."""

    return functools.partial(new_site, aws, tiny_bundle)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """Create a site."""
    return make_site()


def ini_settings(site: Site, **more: str | None) -> str:
    """Return the settings of a site for an ini: ``db__url`` stands for ``db.url``, None removes a setting."""
    settings = {
        **site.given,
        "storage.endpoint_url": site.aws.endpoint_url,
        "db.host": "127.0.0.1",
        "db.port": str(site.aws.port),
        "db.aws_access_key_id": site.aws.access_key_id,
        "db.aws_secret_access_key": site.aws.secret_access_key,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return "\n".join(f"{name} = {value}" for name, value in settings.items() if value is not None)


def user_without_rights(site: Site) -> dict[str, str]:
    """Create a user who may run pypicloud, but not S3 sync; return the settings with its keys."""
    iam, user = site.client("iam"), f"server-{site.bucket}"
    iam.create_user(UserName=user)
    allow = {"Effect": "Allow", "Action": ["s3:*", "dynamodb:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=user, PolicyName="server", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {
        "storage__aws_access_key_id": key["AccessKeyId"],
        "storage__aws_secret_access_key": key["SecretAccessKey"],
    }
