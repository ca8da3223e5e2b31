"""Find TCP ports on 127.0.0.1."""

from __future__ import annotations

import socket


def free_port(preferred: int = 0) -> int:
    """Return a TCP port on 127.0.0.1 that is not in use: the preferred one, if it is free."""
    with socket.socket() as listener:
        # As servers do: a port whose server has just ended counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", preferred))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_in_use(port: int) -> bool:
    """Return whether a server listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
