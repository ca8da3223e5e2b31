"""Encode small HTTP requests, and read the answers to them.

An answer that is not plain, because it comes in chunks for example, is read by ``http.client``.
"""

from __future__ import annotations

import http.client
import io
import re
from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict

#: Requests with these headers are left to botocore.
_UNUSUAL = {"connection", "expect", "transfer-encoding"}
#: The beginning of an answer whose headers have no continuation lines.
_PLAIN = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)[^\r\n]*\r\n((?:[!-9;-~]+:[^\r\n]*\r\n)*)\r\n")
#: Where a header goes on in another line.
_FOLD = re.compile(r"\r?\n[ \t]+")


def encode(request: AWSPreparedRequest, path: str, host: str) -> bytes | None:
    """Return the request as it is sent; None if botocore has to send it."""
    headers = {_text(name): _text(value) for name, value in request.headers.items()}
    names = {name.lower() for name in headers}
    body = request.body
    if names & _UNUSUAL or "user-agent" not in names:
        return None
    if body is None and request.method in ("GET", "HEAD"):
        body = b""
    elif not isinstance(body, bytes) or "content-length" not in names:
        return None
    lines = [f"{request.method} {path} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host}")
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines)
    if not head.isascii() or not head.count("\r") == head.count("\n") == len(lines) - 1:
        return None
    return f"{head}\r\n\r\n".encode() + body


def _text(value: Any) -> str:
    return value.decode("iso-8859-1") if isinstance(value, bytes) else str(value)


def read(reader: io.BufferedReader, method: str) -> tuple[int, Any, bytes, bool]:
    """Return status, headers, content, and whether the connection can be used again."""
    received = reader.peek()
    plain = _PLAIN.match(received)
    if plain is not None:
        lines = plain[2].decode("iso-8859-1").split("\r\n")[:-1]
        pairs = [line.split(":", 1) for line in lines]
        headers = {name: value.lstrip(" \t") for name, value in pairs}
        by_name = {name.lower(): value for name, value in headers.items()}
        length = _length(by_name, int(plain[1]), method)
        if length is not None and len(by_name) == len(lines):
            reader.read(plain.end())
            content = reader.read(length)
            if len(content) < length:
                raise http.client.IncompleteRead(content, length - len(content))
            # What comes after the answer is not the answer to the next request.
            return int(plain[1]), headers, content, len(received) <= plain.end() + length
    with http.client.HTTPResponse(_Socket(reader), method=method) as response:  # type: ignore[arg-type]
        response.begin()
        content = response.read()
    joined = HeadersDict()
    for name, folded in response.headers.items():
        value = _FOLD.sub(" ", folded)
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return response.status, joined, content, not response.will_close


def _length(headers: Mapping[str, str], status: int, method: str) -> int | None:
    """Return the length of the content, or None if the answer does not say it plainly."""
    if "transfer-encoding" in headers or "connection" in headers:
        return None
    if method == "HEAD" or status in (204, 304):
        return 0
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


class _Socket:
    """Gives ``http.client`` a reader that may have read a part of the answer already."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self.reader = reader

    def makefile(self, _: str) -> io.BufferedReader:
        return self.reader
