"""Serve HeadObject and both versions of ListObjects by HTTP from another process.

Every object exists for HeadObject until it is deleted. The prefix of a listing is the number of objects
to list: those of :func:`key_of`. Its key, ``…/NAME-VERSION.tar.gz``, determines its metadata. Its time is as
many seconds after New Year as the first number of VERSION, and a day later for each PutObject.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.client
import multiprocessing
from collections.abc import Iterator
from email.utils import format_datetime
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, urlsplit

NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
BUCKET = "bucket"


def key_of(number: int) -> str:
    """Return the key of an object that is listed: fifty of them make a project."""
    return f"{number:08}/pkg{number // 50}/pkg{number // 50}-{number}.0.tar.gz"


class SimulatedS3:
    """A bucket in another process.

    Parameters
    ----------
    port : int
        The port of its server.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def put(self, key: str) -> None:
        """Create or overwrite an object."""
        self._send("PUT", key)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._send("DELETE", key)

    def _send(self, method: str, key: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, f"/{BUCKET}/{key}")
        connection.getresponse().read()
        connection.close()


@contextlib.contextmanager
def serving() -> Iterator[SimulatedS3]:
    """Run the server."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(sender,), daemon=True)
    process.start()
    sender.close()
    try:
        yield SimulatedS3(receiver.recv())
    finally:
        process.terminate()
        process.join()


class _Objects:
    """The objects that were put or deleted, by their path; all others exist since their time."""

    def __init__(self) -> None:
        self.puts: dict[str, int] = {}
        self.deleted: set[str] = set()

    def answer(self, method: str, path: str) -> bytes:
        if method == "GET":
            return _listing(path)
        if method == "HEAD":
            return b"HTTP/1.1 404 Not Found\r\n\r\n" if path in self.deleted else self._head(path)
        if method == "PUT":
            self.puts[path] = self.puts.get(path, 0) + 1
            self.deleted.discard(path)
        else:
            self.deleted.add(path)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def _head(self, path: str) -> bytes:
        if "-" not in path:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"  # the bucket
        name, version = path.rpartition("/")[2].removesuffix(".tar.gz").rsplit("-", 1)
        puts = self.puts.get(path, 0)
        modified = NEW_YEAR + datetime.timedelta(days=puts, seconds=int(version.partition(".")[0]))
        return (
            "HTTP/1.1 200 OK\r\n"
            "Content-Length: 3\r\n"
            f'ETag: "e{puts}"\r\n'
            f"Last-Modified: {format_datetime(modified, usegmt=True)}\r\n"
            f"x-amz-meta-name: {name}\r\n"
            f"x-amz-meta-version: {version}\r\n\r\n"
        ).encode()


def _serve(port: Connection) -> None:
    objects = _Objects()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                method, path = request.decode().split(" ")[:2]
                writer.write(objects.answer(method, path))
                await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def _listing(path: str) -> bytes:
    query = parse_qs(urlsplit(path).query)
    total = int(query["prefix"][0])
    start = int(query["continuation-token"][0]) if "continuation-token" in query else _after(query, total)
    end = min(start + 1000, total)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>"
    objects = "".join(
        f"<Contents><Key>{total}{key_of(number)}</Key><ETag>&quot;e0&quot;</ETag><Size>3</Size>"
        f"<LastModified>{(NEW_YEAR + datetime.timedelta(seconds=number)).isoformat()}</LastModified>"
        "</Contents>"
        for number in range(start, end)
    )
    body = f"<ListBucketResult>{more if end < total else ''}{objects}</ListBucketResult>".encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _after(query: dict[str, list[str]], total: int) -> int:
    """Return the number of the first object after the marker of ListObjects, which is a key."""
    marker = query.get("marker")
    return int(marker[0].removeprefix(str(total)).partition("/")[0]) + 1 if marker else 0
