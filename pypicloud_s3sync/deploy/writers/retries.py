"""Retry calls, and wait, while changes propagate inside AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...exceptions import AwsError

#: How long a change may take to propagate between IAM, Lambda and S3, in seconds. SQS needs a whole minute
#: until the name of a deleted queue can be used again.
PROPAGATION_TIMEOUT = 90
PROPAGATION_INTERVAL = 1


class Retries:
    """Retries and waits for a limited time.

    Parameters
    ----------
    clock, pause : callable
        Return the time and wait, in seconds.
    """

    def __init__(self, clock: Callable[[], float], pause: Callable[[float], None]) -> None:
        self.clock = clock
        self.pause = pause

    def retry_on(self, messages: tuple[str, ...], call: Callable[[], Any]) -> Any:
        """Retry a call while AWS refuses it with a message about propagation, for a limited time."""
        deadline = self.clock() + PROPAGATION_TIMEOUT
        while True:
            try:
                return call()
            except AwsError as error:
                if not any(message in str(error) for message in messages) or self.clock() > deadline:
                    raise
            self.pause(PROPAGATION_INTERVAL)

    def until(
        self,
        condition: Callable[[], bool],
        timeout: float = PROPAGATION_TIMEOUT,
        interval: float = PROPAGATION_INTERVAL,
    ) -> bool:
        """Wait until the condition is true, for a limited time; return whether it became true."""
        deadline = self.clock() + timeout
        while not condition():
            if self.clock() > deadline:
                return False
            self.pause(interval)
        return True
