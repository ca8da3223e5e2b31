"""Values of a deployment, and fake AWS clients that return prepared answers: for tests without any AWS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.config.settings import SyncSettings, read
from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.deploy.desired.resources import desire
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, bundle_tag
from pypicloud_s3sync.deploy.models import DeliveryResources, Desired, Identity, Observed
from pypicloud_s3sync.deploy.notifications import subscribed
from pypicloud_s3sync.deploy.snap_start import ALIAS, Alias, Published, Version, description
from pypicloud_s3sync.deploy.writers.calls import Calls
from support.service_models import client_model

ACCOUNT = "111122223333"
BUCKET = "amzn-s3-demo-bucket"
REGION = "eu-west-1"
IDENTITY = Identity(ACCOUNT, "aws")
#: The settings of a cache with a password.
REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__region_name": None,
    "db__url": "redis://:p-word@cache.example",
}
FINGERPRINT = "inputs"
#: The id of the event source mapping that :func:`created` returns.
UUID = "0d6f9b6e-1f9a-4f6b-8a39-6f1f4e4b2c11"
#: CodeSha256 of the function that :func:`deployed` returns.
CODE = "code"
T = TypeVar("T")


def not_none(value: T | None) -> T:
    """Return a value that the test knows to be set."""
    assert value is not None
    return value


def make_settings(**changes: str | None) -> SyncSettings:
    """Return settings of a DynamoDB cache; ``db__url`` stands for ``db.url``, None removes a setting."""
    settings = {
        "pypi.storage": "s3",
        "pypi.db": "dynamo",
        "storage.bucket": BUCKET,
        "storage.region_name": REGION,
        "db.region_name": REGION,
        "s3sync.function_name": "sync",
        "s3sync.runtime": "python3.12",
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return read(EnvironSettings({key: value for key, value in settings.items() if value is not None}, {}))


def make_desired(**changes: str | None) -> Desired:
    """Return what the settings of :func:`make_settings` ask for."""
    return desire(make_settings(**changes), IDENTITY, REGION, FINGERPRINT)


NOTHING = Observed(role=None, given_role=None, log_group=None, function=None, statements=(), notifications={})


def deployed(desired: Desired, **changes: Any) -> Observed:
    """Return what AWS has after ``desired`` was enabled; ``changes`` are fields with other values."""
    tags = {**desired.function.tags, BUNDLE_TAG: bundle_tag(desired.fingerprint, CODE)}
    published = published_as(desired) if desired.snap_start else None
    observed = Observed(
        role=desired.role,
        given_role=None,
        log_group=replace(desired.log_group, retention_days=desired.log_group.retention_days or 30),
        function=replace(desired.function, tags=tags, code_sha256=CODE),
        statements=(permission_statement(desired),) if desired.permission and not published else (),
        notifications=subscribed({}, desired.owner, desired.subscription),
        parameter=desired.parameter,
        schedule=desired.schedule,
        schedule_role=desired.schedule_role,
        delivery_resources=created(desired.delivery_resources),
        published=published,
    )
    return replace(observed, **changes)


#: What a version of the function freezes, as far as the planner can tell.
CONTENT = {"CodeSha256": CODE, "MemorySize": 512, "Environment": {}}


def published_as(desired: Desired) -> Published:
    """Return version 1 of the function, which is up to date, with the alias that points to it."""
    return Published(
        latest=Version("$LATEST", "", CONTENT),
        versions=(Version("1", description(None), CONTENT),),
        aliases=(Alias(ALIAS, "1"),),
        statements=(permission_statement(desired),) if desired.permission else (),
        state="Active",
    )


def created(resources: DeliveryResources) -> DeliveryResources:
    """Return the resources of a delivery with the URLs and ids that AWS assigns to them."""
    mapping = resources.mapping and replace(resources.mapping, uuid=UUID)
    queue = resources.queue and replace(resources.queue, url="https://queue.example/queue")
    failed = resources.dead_letters and replace(resources.dead_letters, url="https://queue.example/failed")
    return replace(resources, mapping=mapping, queue=queue, dead_letters=failed)


def permission_statement(desired: Desired) -> dict[str, Any]:
    """Return the statement that Lambda creates from AddPermission's arguments, as GetPolicy returns it."""
    wanted = not_none(desired.permission)
    account = {"StringEquals": {"AWS:SourceAccount": wanted.get("SourceAccount")}}
    return {
        "Sid": wanted["StatementId"],
        "Effect": "Allow",
        "Principal": {"Service": wanted["Principal"]},
        "Action": wanted["Action"],
        "Resource": desired.function.arn,
        "Condition": {
            **(account if "SourceAccount" in wanted else {}),
            "ArnLike": {"AWS:SourceArn": wanted["SourceArn"]},
        },
    }


def refusal(code: str, message: str = "no", status: int = 400) -> ClientError:
    """Return the error that a boto3 client raises for an error response of AWS."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    return ClientError(response, "Operation")


class FakeClients(Clients):
    """Stands for ``aws.Clients``: checks and logs each call, and returns prepared answers.

    Parameters
    ----------
    answers : dict
        An answer for each operation: an exception is raised, a callable is called with the arguments, and a
        list provides one answer for each call. An operation without an answer returns ``{}``.
    """

    def __init__(self, answers: dict[str, Any] | None = None, endpoint_url: str | None = None) -> None:
        self.settings = make_settings(s3sync__endpoint_url=endpoint_url)
        self.region = REGION
        self.answers = answers or {}
        #: ``(operation, arguments)`` of each call.
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getitem__(self, service: str) -> Any:
        return _FakeClient(self, service)

    def invoker(self, timeout: int) -> Any:
        return self["lambda"]

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def arguments(self, operation: str) -> dict[str, Any]:
        """Return the arguments of the only call of an operation."""
        (found,) = [arguments for name, arguments in self.calls if name == operation]
        return found

    def answer(self, operation: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((operation, arguments))
        answer = self.answers.get(operation, {})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(**arguments) if callable(answer) else answer


class _FakeClient:
    """A client that fails the test if a call is not what botocore's model of the service allows."""

    def __init__(self, clients: FakeClients, service: str) -> None:
        self._clients = clients
        self._model = client_model(service)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        self._model.check_operation(operation)

        def call(**arguments: Any) -> Any:
            self._model.check_arguments(operation, arguments)
            return self._clients.answer(operation, arguments)

        return call


class FakeTime:
    """A clock that advances only while a caller pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        assert self.now < 3600, "the caller never stops waiting"


class FakeCalls(Calls):
    """The writers' calls on fake clients, with a fake clock.

    Parameters
    ----------
    answers : dict, optional
        See :class:`FakeClients`.
    time : FakeTime, optional
    clients : FakeClients, optional
        Used instead of new clients with ``answers``.
    """

    clients: FakeClients

    def __init__(
        self,
        answers: dict[str, Any] | None = None,
        time: FakeTime | None = None,
        clients: FakeClients | None = None,
    ) -> None:
        time = time or FakeTime()
        super().__init__(clients or FakeClients(answers), time.clock, time.pause)
