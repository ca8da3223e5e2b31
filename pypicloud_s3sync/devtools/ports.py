"""Find TCP ports on 127.0.0.1."""

from __future__ import annotations

import socket
import sys

#: Sockets bound to the ports that were given out. They are closed with the process.
_reservations: list[socket.socket] = []


def free_port(preferred: int = 0) -> int:
    """Return a TCP port on 127.0.0.1 that is not in use: the preferred one, if it is free.

    On Linux the port stays reserved until this process ends: a socket is bound to it, so the kernel does not
    choose it for another program, nor for an outgoing connection. A server can still listen on it if it sets
    ``SO_REUSEADDR``, because the reservation does not listen: see socket(7). So can whoever else prefers it.
    On other systems a reservation would keep the server out.
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
