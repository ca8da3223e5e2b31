"""Create the AWS clients for provisioning from the settings; the only module here that imports boto3.

It does so when it creates a client, because commands that call no AWS need not wait for that.
"""

from __future__ import annotations

import datetime
import functools
import os
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, overload

from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.utils import IMDSRegionProvider, parse_timestamp

from ...config.partitions import partition_of
from ...config.settings import Credentials, SyncSettings
from ...exceptions import AwsError, ConfigError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

#: The region to ask for a bucket's region if nothing tells the partition.
ANY_REGION = "us-east-1"
USER_AGENT = "pypicloud-s3sync"


@dataclass(frozen=True)
class Limits:
    """The time limits of requests to AWS, in seconds.

    ``deadline`` is the time of the monotonic clock after which nothing is sent any more.
    """

    # AWS accepts a connection within a second; five attempts of a minute look like a command that hangs.
    connect: float = 10
    read: float = 60
    attempts: int = 5
    deadline: float = float("inf")

    @classmethod
    def for_web(cls) -> Limits:
        """Return the limits of a request, which keeps a thread or a whole worker of the web server busy."""
        return cls(connect=3, read=10, attempts=2, deadline=time.monotonic() + 15)

    def check(self, **event: Any) -> None:
        """Refuse to send anything after the deadline; a handler of botocore's events."""
        if time.monotonic() > self.deadline:
            raise AwsError("AWS answers too slowly for the admin UI: try again later, or use ppc-s3sync")


class Clients:
    """One client for each service, created on first use.

    Parameters
    ----------
    settings : SyncSettings
        The source of credentials and endpoint; without credentials, boto3 searches its own chain.
    region : str, optional
        The function's region, once it is known.
    limits : Limits, optional
        How long to wait for AWS.
    """

    def __init__(
        self, settings: SyncSettings, region: str | None = None, *, limits: Limits | None = None
    ) -> None:
        self.settings = settings
        self._limits = limits or Limits()
        try:
            self.session = _session(settings.credentials, region or settings.region, self._limits)
        except BotoCoreError as error:
            raise ConfigError(f"the AWS configuration cannot be used: {error}") from error
        self.region: str = region or settings.region or _first_region(settings, self.session.region_name)
        self._created: dict[str, Any] = {}
        self._lock = threading.Lock()

    @overload
    def __getitem__(self, service: Literal["cloudwatch"]) -> CloudWatchClient: ...
    @overload
    def __getitem__(self, service: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def __getitem__(self, service: Literal["events"]) -> EventBridgeClient: ...
    @overload
    def __getitem__(self, service: Literal["iam"]) -> IAMClient: ...
    @overload
    def __getitem__(self, service: Literal["lambda"]) -> LambdaClient: ...
    @overload
    def __getitem__(self, service: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def __getitem__(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def __getitem__(self, service: Literal["sqs"]) -> SQSClient: ...
    @overload
    def __getitem__(self, service: Literal["sts"]) -> STSClient: ...
    @overload
    def __getitem__(self, service: str) -> Any: ...
    def __getitem__(self, service: str) -> Any:
        """Return the client of a service, for example ``clients["lambda"]``."""
        # A session creates its clients in one thread at a time:
        # https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
        with self._lock:
            if service not in self._created:
                self._created[service] = self._create(service)
            return self._created[service]

    def in_region(self, region: str) -> Clients:
        """Return clients of another region."""
        return self if region == self.region else type(self)(self.settings, region, limits=self._limits)

    def with_credentials_of_tables(self) -> Clients:
        """Return clients with the credentials of the DynamoDB tables, if the settings have them."""
        settings = self.settings
        return type(self)(replace(settings, credentials=settings.db_credentials), settings.db_region)

    def s3_in_parallel(self, parallel: int) -> S3Client:
        """Return a client of S3 for many requests in parallel."""
        parsers = self.session._session.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=_parse_timestamp)
        client: S3Client = self._client("s3", max_pool_connections=parallel)
        return client

    def s3_bucket(self, name: str) -> Any:
        """Return boto3's object of a bucket, which pypicloud's storage takes."""
        return self.session.resource("s3", **self._s3_arguments()).Bucket(name)

    def _create(self, service: str) -> Any:
        return self._client(service)

    def _client(self, service: str, **options: Any) -> Any:
        endpoint = self.settings.endpoint_url
        if service == "s3":
            return self.session.client("s3", **self._s3_arguments(**options))
        config = Config(user_agent_extra=USER_AGENT, **options)
        if service == "dynamodb":
            return self._create_dynamo(endpoint, config)
        return self.session.client(service, region_name=self.region, endpoint_url=endpoint, config=config)

    def _s3_arguments(self, **options: Any) -> dict[str, Any]:
        endpoint = self.settings.endpoint_url
        # The host names of an emulator's buckets do not resolve.
        s3: Any = {"addressing_style": "path"} if endpoint else {}
        return {
            "region_name": self.region,
            "endpoint_url": endpoint or self.settings.s3_endpoint_url,
            "config": Config(s3=s3, user_agent_extra=USER_AGENT, **options),
        }

    def invoker(self, timeout: int) -> LambdaClient:
        """Return a client that invokes a function once and waits for its timeout, given in seconds."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=timeout + 30)
        client: LambdaClient = self.session.client(
            "lambda", region_name=self.region, endpoint_url=self.settings.endpoint_url, config=config
        )
        return client

    def _create_dynamo(self, endpoint: str | None, config: Config) -> Any:
        """Return a DynamoDB client; the tables may have another region, credentials or ``db.host``."""
        # A second session would read the AWS configuration again.
        return self.session.client(
            "dynamodb",
            region_name=self.settings.db_region,
            endpoint_url=self.settings.db_endpoint_url or endpoint,
            config=config,
            **_keys(self.settings.db_credentials),
        )


def _first_region(settings: SyncSettings, default: str | None) -> str:
    """Return a region in which to ask for the bucket's region; S3 answers in any region of the partition.

    A region of another partition would not know the credentials, so the settings and the EC2 instance are
    asked before the commercial partition is assumed.
    """
    # boto3 reads AWS_DEFAULT_REGION only; containers and functions of AWS have AWS_REGION.
    default = default or os.environ.get("AWS_REGION")
    likely = settings.likely_region
    if default and (likely is None or partition_of(default) == partition_of(likely)):
        return default
    if likely or settings.endpoint_url:
        return likely or ANY_REGION
    return _region_of_instance() or ANY_REGION


@functools.cache
def _region_of_instance() -> str | None:
    """Return the region of the EC2 instance that this process runs on, or None if it runs elsewhere."""
    import botocore.session

    region: str | None = IMDSRegionProvider(botocore.session.get_session()).provide()
    return region


def _session(credentials: Credentials | None, region: str | None, limits: Limits) -> Any:
    import boto3.session
    import botocore.session

    from .models_once import parse_models_once

    core = botocore.session.get_session()
    parse_models_once(core)
    retries: Any = {"mode": "standard", "total_max_attempts": limits.attempts}
    # The default of every client of the session: boto3 makes some itself, to assume the role of a profile.
    core.set_default_client_config(
        Config(retries=retries, connect_timeout=limits.connect, read_timeout=limits.read)
    )
    # The second event comes before each attempt: a call that began in time may be tried again too late.
    core.register("before-call", limits.check)
    core.register("before-send", limits.check)
    return boto3.session.Session(region_name=region, botocore_session=core, **_keys(credentials))


def _keys(credentials: Credentials | None) -> dict[str, str | None]:
    """Return credentials as boto3 takes them; without any, it searches its own chain."""
    return {} if credentials is None else {f"aws_{name}": value for name, value in vars(credentials).items()}


def _parse_timestamp(value: Any) -> datetime.datetime:
    """Return a time of an answer. botocore's own parser takes a third of the time of a long listing."""
    try:
        if value.endswith("Z"):
            return datetime.datetime.fromisoformat(value)
    except (AttributeError, ValueError):
        pass
    return parse_timestamp(value)
