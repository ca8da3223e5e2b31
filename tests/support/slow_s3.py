"""Serve HeadObject by HTTP from another process, with a delay for each answer; for benchmarks.

Every object exists. Its key, ``…/NAME-VERSION.tar.gz``, determines its metadata. Its time is as many seconds
after New Year as the first number of VERSION.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import multiprocessing
from collections.abc import Iterator
from email.utils import format_datetime
from multiprocessing.connection import Connection

NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@contextlib.contextmanager
def serving(delay: float) -> Iterator[str]:
    """Run the server; yield its URL.

    Parameters
    ----------
    delay : float
        Seconds before each answer.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(sender, delay), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(port: Connection, delay: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(delay)
                writer.write(_head(request.split(b" ")[1].decode()))
                await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _head(path: str) -> bytes:
    name, version = path.rpartition("/")[2].removesuffix(".tar.gz").rsplit("-", 1)
    modified = NEW_YEAR + datetime.timedelta(seconds=int(version.partition(".")[0]))
    return (
        "HTTP/1.1 200 OK\r\n"
        "Content-Length: 3\r\n"
        'ETag: "e"\r\n'
        f"Last-Modified: {format_datetime(modified, usegmt=True)}\r\n"
        f"x-amz-meta-name: {name}\r\n"
        f"x-amz-meta-version: {version}\r\n\r\n"
    ).encode()
