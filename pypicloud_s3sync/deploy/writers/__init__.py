"""Change AWS, with a writer for each kind of resource; a plan's actions name the writers' methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..aws.clients import Clients
from .aliases import AliasWriter
from .calls import Calls
from .functions import FunctionWriter
from .log_groups import LogGroupWriter
from .notifications import NotificationWriter
from .parameters import ParameterWriter
from .permissions import PermissionWriter
from .queues import MappingWriter, QueueWriter
from .replication import ReplicationWriter
from .roles import RoleWriter
from .rules import RuleWriter
from .schedules import ScheduleWriter
from .staging import StagingWriter
from .versioning import VersioningWriter

__all__ = ["Writers"]

#: How often a wait reports its progress, in seconds.
PAUSE_INTERVAL = 5


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
        self._calls = calls
        functions = FunctionWriter(calls, bucket)
        self._writers: dict[str, Any] = {
            "role": RoleWriter(calls),
            "log_group": LogGroupWriter(calls),
            "parameter": ParameterWriter(calls),
            "function": functions,
            "alias": AliasWriter(calls, functions),
            "queue": QueueWriter(calls),
            "mapping": MappingWriter(calls),
            "rule": RuleWriter(calls),
            "schedule": ScheduleWriter(calls),
            "staging": StagingWriter(calls, bucket),
            "permission": PermissionWriter(calls),
            "notification": NotificationWriter(calls, bucket, account),
            "versioning": VersioningWriter(calls, bucket, account),
            "replication": ReplicationWriter(calls, bucket, account),
        }

    def pause(self, duration: int, report: Callable[[int], None]) -> None:
        """Wait; report the elapsed seconds every few seconds."""
        for elapsed in range(0, duration, PAUSE_INTERVAL):
            report(elapsed)
            self._calls.pause(min(PAUSE_INTERVAL, duration - elapsed))

    def perform(self, call: str, **arguments: Any) -> None:
        """Call the method that ``call`` names as ``writer.method``."""
        writer, method = call.split(".")
        getattr(self._writers[writer], method)(**arguments)
