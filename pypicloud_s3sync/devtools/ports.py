"""Find TCP ports on 127.0.0.1."""

from __future__ import annotations

import socket
import sys

#: Sockets that are bound to ports that were given out. They are closed with the process.
_reservations: list[socket.socket] = []


def free_port(preferred: int = 0) -> int:
    """Return a TCP port on 127.0.0.1 that is not in use: the preferred one, if it is free.

    On Linux the port is reserved until this process ends: the kernel gives a port to nobody who asks for any
    port, nor to an outgoing connection, if a socket is bound to it. A server may still listen on it, since
    servers set ``SO_REUSEADDR`` and the reservation does not listen: see ``SO_REUSEADDR`` in socket(7). Other
    systems would refuse the server.
    """
    reservation = socket.socket()
    # A port whose server has just ended counts as free, as it does for servers.
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reservation.bind(("127.0.0.1", preferred))
    except OSError:
        reservation.bind(("127.0.0.1", 0))
    port: int = reservation.getsockname()[1]
    if sys.platform == "linux":
        _reservations.append(reservation)
    else:
        reservation.close()
    return port


def is_in_use(port: int) -> bool:
    """Return whether a server listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
