"""Values of a deployment, and AWS clients that answer as they are told: for tests that need no AWS."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from botocore.exceptions import ClientError
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.config.settings import SyncSettings, read
from pypicloud_s3sync.deploy.desired import desire
from pypicloud_s3sync.deploy.models import (
    BUNDLE_TAG,
    DeliveryResources,
    Desired,
    Identity,
    Observed,
    bundle_tag,
)
from pypicloud_s3sync.deploy.notifications import subscribed

ACCOUNT = "111122223333"
BUCKET = "amzn-s3-demo-bucket"
REGION = "eu-west-1"
IDENTITY = Identity(ACCOUNT, "aws")
FINGERPRINT = "inputs"
#: CodeSha256 of the function that :func:`deployed` observes.
CODE = "code"


def make_settings(**more: str | None) -> SyncSettings:
    """Settings of a DynamoDB cache; ``db__url`` stands for ``db.url``, None takes a setting away."""
    given = {
        "pypi.storage": "s3",
        "pypi.db": "dynamo",
        "storage.bucket": BUCKET,
        "storage.region_name": REGION,
        "db.region_name": REGION,
        "s3sync.function_name": "sync",
        "s3sync.runtime": "python3.12",
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return read(EnvironSettings({key: value for key, value in given.items() if value is not None}, {}))


def make_desired(**more: str | None) -> Desired:
    """What such settings ask for."""
    return desire(make_settings(**more), IDENTITY, REGION, FINGERPRINT)


NOTHING = Observed(role=None, given_role=None, log_group=None, function=None, statements=(), notifications={})


def deployed(desired: Desired, **more) -> Observed:
    """What AWS has once ``desired`` was enabled; ``more`` are fields of it that are otherwise."""
    tags = {**desired.function.tags, BUNDLE_TAG: bundle_tag(desired.fingerprint, CODE)}
    observed = Observed(
        role=desired.role,
        given_role=None,
        log_group=desired.log_group,
        function=replace(desired.function, tags=tags, code_sha256=CODE),
        statements=(statement_of(desired),) if desired.permission else (),
        notifications=subscribed({}, desired.owner, desired.subscription),
        delivery_resources=there(desired.delivery_resources),
    )
    return replace(observed, **more)


def there(route: DeliveryResources) -> DeliveryResources:
    """A route as AWS has it once it was made."""
    mapping = route.mapping and replace(route.mapping, uuid="a-uuid")
    queue = route.queue and replace(route.queue, url="https://queue.example/queue")
    failed = route.dead_letters and replace(route.dead_letters, url="https://queue.example/failed")
    return replace(route, mapping=mapping, queue=queue, dead_letters=failed)


def statement_of(desired: Desired) -> dict:
    """The statement that Lambda makes of AddPermission's arguments, as GetPolicy gives it."""
    wanted = desired.permission
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
    """What a boto3 client raises where AWS answers with an error."""
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    return ClientError(answer, "Operation")


class FakeClients:
    """Stands for ``aws.Clients``: logs each call and answers as told.

    Parameters
    ----------
    answers : dict
        By operation: what it answers; an exception is raised, a callable is called, and of a list each call
        takes the next. An operation without an answer answers ``{}``.
    """

    region = REGION

    def __init__(self, answers: dict | None = None, endpoint_url: str | None = None) -> None:
        self.settings = SimpleNamespace(endpoint_url=endpoint_url)
        self.answers = answers or {}
        #: ``(operation, arguments)`` of each call; a waiter's operation is ``wait function_active_v2``.
        self.calls: list[tuple[str, dict]] = []

    def __getitem__(self, service: str) -> _FakeClient:
        return _FakeClient(self)

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def arguments(self, operation: str) -> dict:
        """Those of the only call of an operation."""
        (found,) = [arguments for name, arguments in self.calls if name == operation]
        return found

    def answer(self, operation: str, arguments: dict):
        self.calls.append((operation, arguments))
        answer = self.answers.get(operation, {})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(**arguments) if callable(answer) else answer


class _FakeClient:
    def __init__(self, clients: FakeClients) -> None:
        self._clients = clients

    def __getattr__(self, operation: str):
        return lambda **arguments: self._clients.answer(operation, arguments)

    def get_waiter(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(wait=lambda **arguments: self._clients.answer(f"wait {name}", arguments))


class FakeTime:
    """A clock that only goes on while somebody pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        assert self.now < 3600, "it waits for ever"
