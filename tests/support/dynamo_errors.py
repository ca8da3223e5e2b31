"""Create the errors that boto3 raises for DynamoDB's answers."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def error(code: str, *reasons: str, status: int = 400) -> ClientError:
    """Return an error as DynamoDB answers with it; ``reasons`` are those of a cancelled transaction."""
    response: Any = {
        "Error": {"Code": code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "TransactWriteItems")


def cancelled(*reasons: str) -> ClientError:
    """Return the error of a cancelled transaction."""
    return error("TransactionCanceledException", *reasons)
