"""Call operations of AWS, and distinguish a missing resource from other errors."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ...exceptions import AwsError
from ..aws.clients import Clients
from ..aws.errors import iam_action, is_missing, translated


class Calls:
    """Calls operations on the clients.

    Parameters
    ----------
    clients : Clients
    """

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def do(self, service: str, operation: str, resource: str, *, action: str = "", **arguments: Any) -> Any:
        """Call an operation and return its response.

        Parameters
        ----------
        service, operation : str
            The names that boto3 uses.
        resource : str
            The resource as an error message names it, for example ``the function x``.
        action : str, optional
            The IAM action, if its name differs from the operation's.
        """
        action = action or iam_action(service, operation)
        with translated(action, resource, self.clients.settings.endpoint_url):
            return getattr(self.clients[service], operation)(**arguments)

    def find(self, service: str, operation: str, resource: str, *, action: str = "", **arguments: Any) -> Any:
        """Call an operation as :meth:`do` does; return None if the resource does not exist."""
        try:
            return self.do(service, operation, resource, action=action, **arguments)
        except AwsError as error:
            if isinstance(error.__cause__, ClientError) and is_missing(error.__cause__):
                return None
            raise
