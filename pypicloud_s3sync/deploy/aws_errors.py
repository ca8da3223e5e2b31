"""What AWS refuses or fails to do, in one line: which action, on what, why, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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

from ..exceptions import AwsError

# Error codes are each service's own; HEAD has no body, so its code is the HTTP status.
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN = {
    *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken"),
    *("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"),
}
MISSING = {
    *("404", "NoSuchBucket", "NoSuchEntity", "NoSuchEntityException"),
    *("ResourceNotFoundException", "NotFound"),
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
}
NOT_AUTHORIZED = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+) on (?:the )?resource: (?P<resource>\S+)"
)
GET_CREDENTIALS = (
    "give some in the environment, in ~/.aws, or as storage.aws_access_key_id and …secret_access_key"
)


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that there is no such thing."""
    return error.response["Error"]["Code"] in MISSING


def missing_right(error: Exception) -> dict[str, Any] | None:
    """The IAM policy that would allow what AWS denied, to paste; None where it denied nothing.

    Where AWS does not name the resource, the policy allows the action on all.
    """
    if not isinstance(error, AwsError) or error.code not in DENIED or not error.action:
        return None
    allow = {"Effect": "Allow", "Action": error.action, "Resource": error.resource or "*"}
    return {"Version": "2012-10-17", "Statement": [allow]}


@contextmanager
def translated(action: str, resource: str, endpoint: str | None = None) -> Iterator[None]:
    """Turn whatever AWS's client raises inside into an :class:`~pypicloud_s3sync.exceptions.AwsError`.

    Parameters
    ----------
    action : str
        The IAM action, for example ``lambda:CreateFunction``.
    resource : str
        What it is done to, for a reader: ``the function x``.
    endpoint : str, optional
        Of an emulator, for the case that it does not answer.
    """
    try:
        yield
    except ClientError as error:
        problem: Mapping[str, Any] = error.response["Error"]
        code, said = problem["Code"], _spoken(problem.get("Message"))
        lacking = NOT_AUTHORIZED.search(said)
        arn = lacking["resource"] if lacking else ""
        right = lacking["action"] if lacking else action
        raise AwsError(_refusal(action, resource, code, said), code, right, arn) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise AwsError(
            f"no AWS credentials for {action} on {resource}: {GET_CREDENTIALS}", "", action
        ) from error
    except TokenRetrievalError as error:
        raise AwsError(f"the AWS login has expired: {_one_line(str(error))}", "", action) from error
    except NoRegionError as error:
        raise AwsError(f"no AWS region for {action} on {resource}: give one with -r", "", action) from error
    except (ConnectionError, HTTPClientError) as error:
        where = f" at {endpoint}" if endpoint else ""
        hint = (
            "is the emulator running? `pserve development.ini` starts one"
            if endpoint
            else "check the network"
        )
        message = f"AWS{where} does not answer {action} on {resource}: {_one_line(str(error))}; {hint}"
        raise AwsError(message, "", action) from error
    except BotoCoreError as error:
        raise AwsError(f"{action} on {resource} failed: {_one_line(str(error))}", "", action) from error


def _refusal(action: str, resource: str, code: str, said: str) -> str:
    if code in DENIED:
        # Lambda says so of iam:PassRole, for instance, which is no call of ours.
        lacking = NOT_AUTHORIZED.search(said)
        if lacking and lacking["action"].lower() != action.lower():
            action, resource = lacking["action"], lacking["resource"]
        return f"AccessDenied for {action} on {resource}: allow it to the caller in IAM ({said})"
    if code in EXPIRED:
        return f"the AWS credentials have expired ({action} on {resource}): renew them and run again"
    if code in UNKNOWN:
        return f"AWS does not accept the credentials ({code} for {action} on {resource}): {GET_CREDENTIALS}"
    return f"{action} on {resource} failed: {code}: {said}"


def _spoken(message: str | None) -> str:
    """What AWS said, but never the environment, which Lambda repeats whole where it is too large."""
    said = _one_line(message or "no reason given")
    return said.partition("String measured:")[0].strip() or said


def _one_line(text: str) -> str:
    return " ".join(text.split())
