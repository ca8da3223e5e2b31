"""A TCP proxy in front of the tests' AWS that can hold answers back, like a network that drops packets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class SlowAws:
    """Forwards connections to AWS; while it is held, connections are accepted, but nothing is answered.

    Parameters
    ----------
    port : int
        The port of AWS on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._aws = ("127.0.0.1", port)
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        #: On how many connections something is held back at the moment.
        self.waiting = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold all answers back until the block ends."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    def close(self) -> None:
        """Stop listening."""
        self._flows.set()
        # Without this, a thread in accept() keeps the port open.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._aws)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._count(1)
                self._flows.wait()
                self._count(-1)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _count(self, change: int) -> None:
        with self._lock:
            self.waiting += change


@contextlib.contextmanager
def slow_aws(port: int) -> Iterator[SlowAws]:
    """Yield a proxy in front of the AWS at a port, and close it at the end."""
    proxy = SlowAws(port)
    try:
        yield proxy
    finally:
        proxy.close()
