"""A server that is healthy at once, in the place of ``pserve``, which takes seconds to start."""

from __future__ import annotations

import sys
from configparser import RawConfigParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Healthy(BaseHTTPRequestHandler):
    """Answers each request with status 200, and logs it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def write_script(path: Path, python: Path) -> None:
    """Write an executable file that runs this module: a pserve has one argument, the ini."""
    path.write_text(f"#!{python}\n{Path(__file__).read_text()}")
    path.chmod(0o755)


def main(ini: str) -> None:
    """Serve where the ini says."""
    parser = RawConfigParser()
    parser.read(ini)
    host, port = parser["server:main"]["listen"].split(":")
    ThreadingHTTPServer((host, int(port)), Healthy).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
