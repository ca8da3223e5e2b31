"""Recognize DynamoDB's responses to throttled requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Error codes of a table or an account that has no capacity left:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: The reasons for which a throttled transaction is cancelled:
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
THROTTLED_ITEM = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})


def is_throttled(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer says that a table or the account has no capacity left."""
    code = answer.get("Error", {}).get("Code")
    return code in THROTTLED or bool(cancellation_reasons(answer) & THROTTLED_ITEM)


def cancellation_reasons(answer: Mapping[str, Any]) -> set[str]:
    """Return the reasons for which a transaction was cancelled; empty for any other answer."""
    return {reason.get("Code", "None") for reason in answer.get("CancellationReasons", [])} - {"None"}
