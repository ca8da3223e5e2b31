"""A TCP proxy in front of a database, which can be interrupted to simulate an outage."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Forwards TCP connections from a port of its own to a database.

    Parameters
    ----------
    port : int
        The port of the database on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._database = ("127.0.0.1", port)
        self._open: list[socket.socket] = []
        self._stalled = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    def interrupt(self) -> None:
        """Refuse new connections and end the open ones, as if the database had gone down."""
        self._stop_listening()
        while self._open:
            _shut(self._open.pop())

    def stall(self) -> None:
        """Pass nothing on any more, as if a firewall dropped every packet: connections open, calls hang."""
        self._stalled.set()

    def restore(self) -> None:
        """Accept connections again, and pass on what they send. Those that were stalled end."""
        if self._thread.is_alive() and not self._stalled.is_set():
            return
        self.interrupt()
        self._stalled.clear()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def _listen(self) -> None:
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def _stop_listening(self) -> None:
        _shut(self._listener)
        self._thread.join()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                server = socket.create_connection(self._database)
                self._open += [client, server]
                thread = threading.Thread(target=self._forward, args=(client, server), daemon=True)
                thread.start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        return _shut(client, server)
                    if not self._stalled.is_set():
                        other[key.fileobj].sendall(data)  # type: ignore[index]

    def close(self) -> None:
        """End all connections and stop listening."""
        self.interrupt()


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Yield a proxy to a port, and close it at the end."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
