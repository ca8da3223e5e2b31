"""A call that changes AWS: its errors in our words, and patience while AWS's news travels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from ...exceptions import AwsError
from ..aws import Clients
from ..aws_errors import is_missing, translated

#: How long IAM, Lambda and S3 may take to know of each other's news, in seconds; SQS takes a whole minute
#: until the name of a deleted queue is free again.
PROPAGATION_TIMEOUT = 90
PROPAGATION_INTERVAL = 1
#: boto3's own waiters look once a second for up to five minutes; most functions are ready sooner than that.
WAITER = {"Delay": 0.25, "MaxAttempts": 1200}


class Calls:
    """Calls operations on the clients.

    Parameters
    ----------
    clients : Clients
    clock, pause : callable, optional
        Tell and wait for seconds.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clients = clients
        self.clock = clock
        self.pause = pause

    def do(self, service: str, operation: str, resource: str, *, action: str = "", **arguments: Any) -> Any:
        """Call an operation.

        Parameters
        ----------
        service, operation : str
            As boto3 names them.
        resource : str
            What it is done to, for a reader.
        action : str, optional
            The IAM action where it does not bear the operation's name.
        """
        action = action or f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"
        with translated(action, resource, self.clients.settings.endpoint_url):
            return getattr(self.clients[service], operation)(**arguments)

    def delete_if_exists(self, service: str, operation: str, resource: str, **arguments: Any) -> None:
        """Call an operation that deletes; what is gone already is no error."""
        self.find(service, operation, resource, **arguments)

    def find(self, service: str, operation: str, resource: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation on what may be gone already; empty where it is."""
        try:
            return dict(self.do(service, operation, resource, **arguments) or {})
        except AwsError as error:
            if isinstance(error.__cause__, ClientError) and is_missing(error.__cause__):
                return {}
            raise

    def retry_on(self, news: tuple[str, ...], call: Callable[[], Any]) -> Any:
        """Call again while AWS refuses with one of the messages that say it has not heard the news yet."""
        deadline = self.clock() + PROPAGATION_TIMEOUT
        while True:
            try:
                return call()
            except AwsError as error:
                if not any(message in str(error) for message in news) or self.clock() > deadline:
                    raise
            self.pause(PROPAGATION_INTERVAL)

    def until(self, condition: Callable[[], bool]) -> bool:
        """Wait, bounded, for a condition; whether it came true."""
        deadline = self.clock() + PROPAGATION_TIMEOUT
        while not condition():
            if self.clock() > deadline:
                return False
            self.pause(PROPAGATION_INTERVAL)
        return True

    def wait(self, waiter: str, resource: str, **arguments: Any) -> None:
        """Wait until Lambda has done what it was asked to."""
        with translated("lambda:GetFunction", resource, self.clients.settings.endpoint_url):
            try:
                self.clients["lambda"].get_waiter(waiter).wait(**arguments, WaiterConfig=WAITER)
            except WaiterError as error:
                answer: Any = error.last_response
                configuration = answer.get("Configuration", {})
                reason = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason")
                raise AwsError(
                    f"{resource} did not become ready: {reason or error}; see its page in AWS"
                ) from error
