"""Call operations that change AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...exceptions import AwsError
from ..aws.clients import Clients
from ..aws.errors import iam_action, is_existing, translated
from ..readers import calls as reading
from .retries import Retries

#: Lambda's error while it takes the snapshot of an idle version again; the function has not run then:
#: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-troubleshooting.html
NOT_READY = ("SnapStartNotReadyException",)


class Calls(reading.Calls, Retries):
    """Calls operations that read or change AWS; readers take it too, since a writer may have to look first.

    Parameters
    ----------
    clients : Clients
    clock, pause : callable, optional
        Return the time and wait, in seconds.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        reading.Calls.__init__(self, clients)
        Retries.__init__(self, clock, pause)

    def invoke(self, client: Any, function: str, payload: Mapping[str, Any]) -> Any:
        """Invoke a function through the client of :meth:`.Clients.invoker`; return Lambda's response."""

        def invoke() -> Any:
            with translated(
                "lambda:InvokeFunction", f"the function {function}", self.clients.settings.endpoint_url
            ):
                return client.invoke(
                    FunctionName=function, LogType="Tail", Payload=json.dumps(payload).encode()
                )

        return self.retry_on(NOT_READY, invoke)

    def do_batch(self, service: str, operation: str, resource: str, url: str, entries: list[Any]) -> None:
        """Call an operation of SQS on several messages; raise an error if one of them fails."""
        # The right is that of the operation on one message.
        action = iam_action(service, operation).removesuffix("Batch")
        response = self.do(service, operation, resource, action=action, QueueUrl=url, Entries=entries)
        for failed in response.get("Failed", []):
            reason = f"{failed.get('Code')}: {failed.get('Message')}"
            raise AwsError(f"{action} on {resource} failed: {reason}; run again")

    def create(self, call: Callable[[], Any], adopt: Callable[[], bool]) -> None:
        """Create a resource; if it exists since the plan was made, try to adopt it.

        If the response to a call is lost, boto3 repeats the call, and AWS answers that the resource exists.

        Parameters
        ----------
        call : callable
        adopt : callable
            Returns whether the existing resource is what ``call`` creates, after changing it if necessary.
        """
        try:
            call()
        except AwsError as error:
            if not is_existing(error) or not adopt():
                raise

    def delete_if_exists(
        self, service: str, operation: str, resource: str, *, action: str = "", **arguments: Any
    ) -> None:
        """Call an operation that deletes a resource; ignore a resource that does not exist."""
        self.find(service, operation, resource, action=action, **arguments)
