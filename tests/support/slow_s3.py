"""Serve HeadObject and ListObjectsV2 by HTTP from another process, with a delay; for benchmarks.

Every object exists for HeadObject. The prefix of ListObjectsV2 is the number of objects to list: those of
:func:`key_of`. Its key, ``…/NAME-VERSION.tar.gz``, determines its metadata. Its time is as many seconds
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
from urllib.parse import parse_qs, urlsplit

NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def key_of(number: int) -> str:
    """Return the key of an object that is listed: fifty of them make a project."""
    return f"{number:08}/pkg{number // 50}/pkg{number // 50}-{number}.0.tar.gz"


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
                method, path = request.decode().split(" ")[:2]
                writer.write(_head(path) if method == "HEAD" else _listing(path))
                await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _listing(path: str) -> bytes:
    query = parse_qs(urlsplit(path).query)
    total, start = int(query["prefix"][0]), int(query.get("continuation-token", ["0"])[0])
    end = min(start + 1000, total)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>"
    objects = "".join(
        f"<Contents><Key>{total}{key_of(number)}</Key><ETag>&quot;e&quot;</ETag><Size>3</Size>"
        f"<LastModified>{(NEW_YEAR + datetime.timedelta(seconds=number)).isoformat()}</LastModified>"
        "</Contents>"
        for number in range(start, end)
    )
    body = f"<ListBucketResult>{more if end < total else ''}{objects}</ListBucketResult>".encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _head(path: str) -> bytes:
    if "-" not in path:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"  # the bucket
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
