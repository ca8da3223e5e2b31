"""Set timeouts on the client of a DynamoDB cache, and recognize errors that affect every row.

pypicloud has no settings for this. flywheel's connection, of the package dynamo3, waits 60 seconds for each
response, which is as long as the function may run, and repeats a throttled call for up to 200 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from dynamo3 import DynamoDBConnection
from dynamo3.exception import DynamoDBError
from pypicloud.cache import dynamo

from . import throttling

#: A transaction takes well below a second. A call that is not answered fails after less than 20 seconds.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=3,
    read_timeout=5,
    tcp_keepalive=True,
)
#: Error codes of a database that does not work, or not for this caller.
BROKEN = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InternalFailure",
        "InternalServerError",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "ResourceNotFoundException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "UnrecognizedClientException",
    }
)

_NO_ANSWER = (
    NoConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
)


class _Connection(DynamoDBConnection):  # type: ignore[misc]  # dynamo3 has no types
    """A connection whose client has time limits, and leaves every retry to botocore."""

    @classmethod
    def connect(
        cls, region: str | None, access_key: str | None = None, secret_key: str | None = None, **options: Any
    ) -> Any:
        session = botocore.session.get_session()
        if access_key is not None:
            session.set_credentials(access_key, str(secret_key))
        # A user agent of its own is not built anew, twice, for each request.
        session.set_default_client_config(CONFIG.merge(Config(user_agent=session.user_agent())))
        connection = super().connect(region, session=session, **options)
        connection.request_retries = 0
        return connection


@contextmanager
def time_limits() -> Iterator[None]:
    """Give time limits to the clients of the DynamoDB caches that are created inside the block."""
    original = dynamo.DynamoDBConnection
    dynamo.DynamoDBConnection = _Connection
    try:
        yield
    finally:
        dynamo.DynamoDBConnection = original


def is_unreachable(error: BaseException) -> bool:
    """Return whether DynamoDB did not answer, or refused the call for a reason that has no single item."""
    if isinstance(error, _NO_ANSWER) or is_throttled(error) or _code(error) in BROKEN:
        return True
    return isinstance(error, ClientError) and _status(error) >= 500


def is_throttled(error: BaseException) -> bool:
    """Return whether a table or the account has no capacity left."""
    if isinstance(error, ClientError):
        return throttling.is_throttled(error.response)
    return _code(error) in throttling.THROTTLED


def cancellation_reasons(error: BaseException) -> set[str]:
    """Return the reasons for which a transaction was cancelled; empty for any other error."""
    return throttling.cancellation_reasons(error.response) if isinstance(error, ClientError) else set()


def _code(error: BaseException) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    # flywheel's own calls go through dynamo3, which translates the errors.
    return str(error.kwargs.get("Code", "")) if isinstance(error, DynamoDBError) else ""


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
