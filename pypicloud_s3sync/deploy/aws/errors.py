"""Translate the errors of AWS clients into one line: the action, the resource, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from ...caches.throttling import THROTTLED
from ...exceptions import AwsError
from ...sync.masking import mask
from ..problems import DENIED, UNKNOWN, Problem
from .denials import DENIED_CODES, denied, is_denied, policy_that_allows

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
REJECTED_CODES = {
    *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken"),
    *("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"),
}
#: Each service has its own codes. A response to HEAD has no body, so its code is the HTTP status.
MISSING = {
    *("404", "NoSuchBucket", "NoSuchEntity", "NoSuchEntityException"),
    *("ResourceNotFoundException", "NotFound", "ParameterNotFound", "InvalidResourceId"),
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    *("ReplicationConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError"),
    "ObjectLockConfigurationNotFoundError",
}
EXISTING = {
    *("EntityAlreadyExists", "EntityAlreadyExistsException"),
    *("ResourceAlreadyExistsException", "ResourceConflictException"),
    *("QueueAlreadyExists", "QueueNameExists", "AWS.SimpleQueueService.QueueNameExists"),
    "ParameterAlreadyExists",
    # Of EventBridge Scheduler.
    "ConflictException",
}
#: SlowDown is S3's: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
THROTTLED_CODES = THROTTLED | {"SlowDown"}
#: Lambda's message for a role that may not use the queue or the VPC, for example a role of the settings.
ROLE_LACKS = "execution role does not have permissions to call"
SET_CREDENTIALS = (
    "set them in the environment, in ~/.aws, or as storage.aws_access_key_id"
    " and storage.aws_secret_access_key"
)


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action of a boto3 operation: ``iam:GetRole`` for ``iam`` and ``get_role``."""
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


def is_missing(error: ClientError) -> bool:
    """Return whether the error means that the resource does not exist."""
    return error.response["Error"]["Code"] in MISSING


def is_existing(error: Exception) -> bool:
    """Return whether AWS refused to create a resource because it exists."""
    return isinstance(error, AwsError) and error.code in EXISTING


def is_throttled(error: Exception) -> bool:
    """Return whether AWS refused a call because there were too many."""
    return isinstance(error, AwsError) and error.code in THROTTLED_CODES


def unreadable(error: AwsError, consequence: str) -> Problem:
    """Return the problem that AWS refused a call or did not answer, and what is unknown because of that."""
    policy = policy_that_allows(error)
    if policy is not None:
        remedy = "add this policy to the IAM role or user that runs this"
        return Problem(DENIED, f"{consequence}: {error}", remedy, policy)
    kind = DENIED if is_denied(error) else UNKNOWN
    return Problem(kind, f"{consequence}: {error}", "remove the cause, then read the state again")


def failure(error: Exception, secrets: Iterable[str]) -> dict[str, Any]:
    """Return an error as JSON: its ``message``, and a ``policy`` that allows the call if AWS denied it.

    Parameters
    ----------
    error : Exception
    secrets : iterable of str
        The secrets of the settings: AWS quotes what it refuses, for example the function's environment.
    """
    policy = policy_that_allows(error)
    return {"message": mask(str(error), secrets), **({"policy": policy} if policy else {})}


@contextmanager
def translated(action: str, resource: str, endpoint: str | None = None) -> Iterator[None]:
    """Turn every error of an AWS client into an :class:`~pypicloud_s3sync.exceptions.AwsError`.

    Parameters
    ----------
    action : str
        The IAM action, for example ``lambda:CreateFunction``.
    resource : str
        The resource as the message names it, for example ``the function x``.
    endpoint : str, optional
        The URL of an emulator, which the message names if it does not answer.
    """
    try:
        yield
    except ClientError as error:
        problem: Mapping[str, Any] = error.response["Error"]
        code, reason = problem["Code"], _reason(problem.get("Message"))
        if code in DENIED_CODES:
            raise denied(action, resource, code, reason) from error
        raise AwsError(_message(action, resource, code, reason), code, action) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise AwsError(
            f"no AWS credentials for {action} on {resource}: {SET_CREDENTIALS}", "", action
        ) from error
    except TokenRetrievalError as error:
        raise AwsError(f"the AWS login has expired: {_one_line(str(error))}", "", action) from error
    except NoRegionError as error:
        raise AwsError(f"no AWS region for {action} on {resource}: set one with -r", "", action) from error
    except (ConnectionError, HTTPClientError) as error:
        location = f" at {endpoint}" if endpoint else ""
        hint = (
            f"is the emulator running? `python -m pypicloud_s3sync.embedded {_port(endpoint)}` starts one"
            if endpoint
            else "check the network"
        )
        message = f"AWS{location} does not answer {action} on {resource}: {_one_line(str(error))}; {hint}"
        raise AwsError(message, "", action) from error
    except BotoCoreError as error:
        raise AwsError(f"{action} on {resource} failed: {_one_line(str(error))}", "", action) from error


def _port(endpoint: str) -> int:
    url = urlsplit(endpoint)
    return url.port or (443 if url.scheme == "https" else 80)


def _message(action: str, resource: str, code: str, reason: str) -> str:
    if code in EXPIRED:
        return f"the AWS credentials have expired ({action} on {resource}): renew them and run again"
    if code in REJECTED_CODES:
        return (
            f"AWS rejected the credentials ({code} for {action} on {resource}): {SET_CREDENTIALS}"
            " (those of another partition, such as China or GovCloud, need storage.region_name too)"
        )
    remedy = "; allow it in the policy of the function's role" if ROLE_LACKS in reason else ""
    if code in THROTTLED_CODES:
        remedy = "; AWS limits the rate of calls: run it again later"
    return f"{action} on {resource} failed: {code}: {reason}{remedy}"


def _reason(message: str | None) -> str:
    """Return AWS's message without the environment, which Lambda quotes in full if it is too large."""
    reason = _one_line(message or "no reason given")
    return reason.partition("String measured:")[0].strip() or reason


def _one_line(text: str) -> str:
    return " ".join(text.split())
