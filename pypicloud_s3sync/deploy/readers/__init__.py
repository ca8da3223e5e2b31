"""Read the current resources from AWS, a module for each kind; nothing here changes AWS."""

from __future__ import annotations

from typing import Any

from ..aws.clients import Clients
from ..models import CacheTables, Desired, Identity, Observed, Queue
from .buckets import bucket_region
from .calls import Calls
from .delivery import find_delivery_resources
from .functions import find_function
from .identity import caller_identity
from .keys import find_secret_key
from .log_groups import find_log_group
from .notifications import bucket_notifications
from .parameters import find_parameter
from .permissions import permission_statements
from .published import find_published
from .queues import find_queue
from .roles import find_role
from .schedules import find_schedule
from .staging import staged_bundles
from .tables import account_of_tables, cache_tables

__all__ = ["Reader"]


class Reader:
    """Reads what a plan is made from: a missing resource is None, any other failure raises AwsError.

    Parameters
    ----------
    clients : Clients
    """

    def __init__(self, clients: Clients) -> None:
        self.calls = Calls(clients)

    def identity(self) -> Identity:
        """Return the account and partition of the caller."""
        return caller_identity(self.calls)

    def bucket_region(self, bucket: str, account: str) -> str | None:
        """Return the region of a bucket: empty if S3 does not report it, None if there is no such bucket."""
        return bucket_region(self.calls, bucket, account)

    def cache_tables(self) -> CacheTables:
        """Return the tables of a DynamoDB cache."""
        return cache_tables(self.calls)

    def queue(self, name: str) -> Queue | None:
        """Return a queue, or None if it does not exist."""
        return find_queue(self.calls, name)

    def account_of_tables(self) -> str:
        """Return the account of the credentials that the settings have for the DynamoDB tables."""
        return account_of_tables(self.calls)

    def notifications(self, bucket: str) -> dict[str, Any]:
        """Return the whole notification configuration of a bucket; empty if the bucket does not exist."""
        return bucket_notifications(self.calls, bucket)

    def staged_bundles(self, bucket: str) -> tuple[tuple[str, str], ...]:
        """Return the key and version of each bundle that is staged in a bucket."""
        return staged_bundles(self.calls, bucket)

    def observe(self, desired: Desired, *, enabling: bool) -> Observed:
        """Return the current state of all resources.

        Parameters
        ----------
        desired : Desired
            The names of the resources to read.
        enabling : bool
            Whether the plan is to enable; only then is the role that the settings name read.
        """
        names = desired.names
        role_arn = desired.role_arn if desired.role is None and enabling else None
        given_role = find_role(self.calls, role_arn.rsplit("/", 1)[-1]) if role_arn else None
        function = find_function(self.calls, names.function)
        role = find_role(self.calls, names.role)
        schedule, schedule_role = find_schedule(self.calls, desired, function)
        return Observed(
            role=role,
            given_role=given_role if given_role is not None and given_role.arn == role_arn else None,
            log_group=find_log_group(self.calls, names.log_group),
            function=function,
            statements=permission_statements(self.calls, names.function),
            spare_role=None if enabling else find_role(self.calls, names.spare_role),
            notifications=self.notifications(desired.bucket),
            delivery_resources=find_delivery_resources(self.calls, desired, function, enabling=enabling),
            parameter=find_parameter(self.calls, desired, function, role),
            secret_key=find_secret_key(self.calls, desired) if enabling else None,
            schedule=schedule,
            schedule_role=schedule_role,
            published=find_published(self.calls, desired, function),
        )
