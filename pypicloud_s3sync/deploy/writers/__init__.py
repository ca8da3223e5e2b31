"""Change AWS, with a writer for each kind of resource; a plan's actions name the writers' methods."""

from __future__ import annotations

from typing import Any

from ..aws import Clients
from .calls import Calls
from .functions import FunctionWriter
from .log_groups import LogGroupWriter
from .notifications import NotificationWriter
from .permissions import PermissionWriter
from .queues import MappingWriter, QueueWriter
from .roles import RoleWriter
from .rules import RuleWriter

__all__ = ["Writers"]


class Writers:
    """Performs the calls of a plan's actions, for example ``role.create``.

    Parameters
    ----------
    clients : Clients
    bucket : str
        The only bucket that is changed.
    account : str
        The account that owns the bucket.
    """

    def __init__(self, clients: Clients, bucket: str, account: str) -> None:
        calls = Calls(clients)
        self._writers: dict[str, Any] = {
            "role": RoleWriter(calls),
            "log_group": LogGroupWriter(calls),
            "function": FunctionWriter(calls, bucket),
            "queue": QueueWriter(calls),
            "mapping": MappingWriter(calls),
            "rule": RuleWriter(calls),
            "permission": PermissionWriter(calls),
            "notification": NotificationWriter(calls, bucket, account),
        }

    def perform(self, call: str, **arguments: Any) -> None:
        """Call the method that ``call`` names as ``writer.method``."""
        writer, method = call.split(".")
        getattr(self._writers[writer], method)(**arguments)
