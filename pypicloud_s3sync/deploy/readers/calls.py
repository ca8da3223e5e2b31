"""Call reading operations, and tell a missing resource from any other error."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ..aws import Clients
from ..aws_errors import iam_action, is_missing, translated


class Calls:
    """Calls reading operations on the clients.

    Parameters
    ----------
    clients : Clients
    """

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def find(self, service: str, operation: str, resource: str, *, action: str = "", **arguments: Any) -> Any:
        """Call an operation; return its response, or None if the resource does not exist.

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
            try:
                return getattr(self.clients[service], operation)(**arguments)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
