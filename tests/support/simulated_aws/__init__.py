"""An AWS in this process that answers as AWS does, also at the edges, and whose state is a value.

It has the resources of a deployment and the calls that a deployment makes; it runs no function. A call takes
microseconds, so that tests can begin anywhere and try everything. The emulator of the other tests is more
complete, but kinder than AWS: it creates what exists, and deletes what does not.
"""

from __future__ import annotations

from typing import Any

from support.fakes import FakeTime
from support.service_models import client_model
from support.simulated_aws import identities, lambdas, messages, storage
from support.simulated_aws.base import Service, State, copied

SERVICES: dict[str, type[Service]] = {
    "dynamodb": storage.DynamoDB,
    "events": messages.Events,
    "iam": identities.Iam,
    "lambda": lambdas.Lambda,
    "logs": storage.Logs,
    "s3": storage.S3,
    "sqs": messages.Sqs,
    "ssm": storage.Ssm,
    "sts": identities.Sts,
}


class SimulatedAws:
    """An account with one region.

    Attributes
    ----------
    state : State
    time : FakeTime
        Passes only while a caller pauses.
    """

    def __init__(self) -> None:
        self.time = FakeTime()
        self.state = State()
        self._checked: set[str] = set()

    def snapshot(self) -> State:
        """Return a copy of the state."""
        return copied(self.state)

    def restore(self, state: State) -> None:
        """Return to a state."""
        self.state = copied(state)

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Perform an operation of a boto3 client."""
        if operation not in self._checked:
            # Once is enough: the arguments of one operation always have the same form.
            client_model(service).check_operation(operation)
            client_model(service).check_arguments(operation, arguments)
            self._checked.add(operation)
        return getattr(SERVICES[service](self.state, self.time), operation)(**arguments)
