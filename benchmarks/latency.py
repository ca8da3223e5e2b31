"""Put a latency between a function and a server, and count what they say to each other.

A proxy in a process of its own holds the first bytes of each answer until the latency is over. If the server
needs longer than the latency, which an emulator may, the proxy counts the rest of the time as late: it is
not the function's.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

CHUNK = 2**16


@dataclass(frozen=True)
class Usage:
    """The traffic since the last reset.

    Parameters
    ----------
    calls : int
        Requests, or round trips of a protocol that has none.
    overdue : tuple of pairs of float
        For each answer, when it was due and when it came, on the machine's monotonic clock.
    received : int
        The bytes of the answers.
    """

    calls: int
    overdue: tuple[tuple[float, float], ...]
    received: int


class Proxy:
    """Controls a proxy in another process.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
    port : int
        The proxy's port.
    """

    def __init__(self, connection: Connection, port: int) -> None:
        self.connection = connection
        self.port = port

    def reset(self, latency: float) -> None:
        """Give each answer a latency in seconds from now on, and begin to count."""
        self._ask(latency)

    def usage(self) -> Usage:
        """Return what was said since the last reset."""
        usage: Usage = self._ask(None)
        return usage

    def _ask(self, message: float | None) -> Any:
        self.connection.send(message)
        return self.connection.recv()


@contextlib.contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """Run a proxy in front of a port of this machine."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(its, port), daemon=True)
    process.start()
    its.close()
    try:
        yield Proxy(ours, ours.recv())
    finally:
        process.terminate()
        process.join()


def merged(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of some intervals."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(intervals):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


@dataclass
class _Meter:
    latency: float = 0.0
    calls: int = 0
    received: int = 0
    overdue: list[tuple[float, float]] = field(default_factory=list)

    def reset(self, latency: float) -> None:
        self.latency = latency
        self.calls = self.received = 0
        self.overdue = []

    def usage(self) -> Usage:
        return Usage(self.calls, tuple(self.overdue), self.received)


class _Relay:
    """Passes on one connection."""

    def __init__(self, meter: _Meter) -> None:
        self.meter = meter
        self.asked: float | None = None

    async def request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.asked is None:
                self.meter.calls += 1
            self.asked = asyncio.get_running_loop().time()
            writer.write(data)
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(CHUNK):
            if self.asked is not None:
                due = self.asked + self.meter.latency
                if (left := due - loop.time()) > 0:
                    await asyncio.sleep(left)
                self.meter.overdue.append((due, loop.time()))
                self.asked = None
            self.meter.received += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


def _serve(connection: Connection, target: int) -> None:
    meter = _Meter()

    def control() -> None:
        try:
            latency = connection.recv()
        except EOFError:
            # The benchmark was killed.
            raise SystemExit from None
        if latency is not None:
            meter.reset(latency)
        connection.send(meter.usage())

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", target)
        relay = _Relay(meter)
        requests = asyncio.create_task(relay.request(reader, server_writer))
        with contextlib.suppress(ConnectionError):
            await relay.answer(server_reader, writer)
        requests.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await requests

    async def serve() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=256)
        connection.send(server.sockets[0].getsockname()[1])
        asyncio.get_running_loop().add_reader(connection.fileno(), control)
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
