"""Run pypicloud under the web servers that people use, from an ini, and send requests to them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy import run_record
from pypicloud_s3sync.devtools.ports import free_port, is_in_use
from pypicloud_s3sync.devtools.processes import clean_environment, wait_until
from support.apps import INI, PASSWORD, hashed

BIN = Path(sys.executable).parent
AUTHORIZATION = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
NO_NGINX = "nginx is not installed: apt-get install nginx-light"


@dataclass(frozen=True)
class Kind:
    """A web server and how it is started.

    ``command`` takes the ini and the port; ``sections`` are further sections of the ini, and ``path`` is the
    prefix of the application. ``has_workers`` says whether a process of its own serves each request. Of a
    ``repeated`` kind, other kinds have the workers and the threads.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    sections: str = ""
    path: str = ""
    has_workers: bool = True
    behind_nginx: bool = False
    repeated: bool = False


def _gunicorn(*options: str) -> Callable[[Path, int], list[str]]:
    def command(ini: Path, port: int) -> list[str]:
        return [f"{BIN}/gunicorn", "--paste", str(ini), "-b", f"127.0.0.1:{port}", *options]

    return command


def _pserve(ini: Path, port: int) -> list[str]:
    return [f"{BIN}/pserve", str(ini), f"http_port={port}"]


def _uwsgi(ini: Path, port: int) -> list[str]:
    return [f"{BIN}/uwsgi", "--ini-paste", str(ini), "--http-socket", f"127.0.0.1:{port}"]


WAITRESS = "\n[server:main]\nuse = egg:waitress#main\nhost = 127.0.0.1\nport = %(http_port)s\n"
#: As ppc-make-config -p writes it, with a process for each of two requests. It sets no enable-threads here.
UWSGI = (
    "\n[uwsgi]\npaste = config:%p\nmaster = true\nprocesses = 3\nreload-mercy = 3\nworker-reload-mercy = 3\n"
)
PREFIX_OF_PROXY = (
    "\n[pipeline:main]\npipeline = prefix pypicloud\n"
    "\n[filter:prefix]\nuse = egg:PasteDeploy#prefix\nprefix = /pypi\n"
)
KINDS = (
    Kind("waitress", _pserve, WAITRESS, has_workers=False, repeated=True),
    Kind(
        "waitress behind nginx, below a prefix",
        _pserve,
        WAITRESS + "\n[composite:main]\nuse = egg:Paste#urlmap\n/pypi = pypicloud\n",
        path="/pypi",
        has_workers=False,
        behind_nginx=True,
    ),
    # By default, gunicorn gives up after 30 seconds; no test can wait for so long. Five are too few on a busy
    # machine: a worker takes longer to start, and gunicorn kills those that wait in a test meanwhile.
    Kind("gunicorn sync", _gunicorn("-w", "3", "--timeout", "15"), PREFIX_OF_PROXY, path="/pypi"),
    Kind(
        "gunicorn gthread",
        _gunicorn("-k", "gthread", "-w", "2", "--threads", "4", "--preload"),
        repeated=True,
    ),
    Kind("uWSGI", _uwsgi, UWSGI),
)


class WebServer:
    """A running web server with pypicloud and the add-on."""

    def __init__(self, kind: Kind, directory: Path, settings: str) -> None:
        self.kind = kind
        self.port = free_port()
        self.log = directory / "server.log"
        self._directory = directory
        self._ini = directory / "server.ini"
        application = INI.format(password=hashed(PASSWORD), on_start=False) + settings + "\n"
        if ":main]" in kind.sections.replace("server:main", ""):
            application = application.replace("[app:main]", "[app:pypicloud]")
        # PasteDeploy expands %(http_port)s from the command line, which only pserve has.
        self._ini.write_text(application + kind.sections.replace("%(http_port)s", str(self.port)))
        (directory / "tmp").mkdir()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        own = {"TMPDIR": str(self._directory / "tmp"), "HOME": str(self._directory)}
        environment = clean_environment(own)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.kind.command(self._ini, self.port),
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._directory,
            )
        wait_until(self.answers, f"{self.kind.name} answers: {self.log.read_text()[-2000:]}", 120)

    def run_records(self) -> set[tuple[int, int]]:
        """Return what identifies the records of runs; a run that has begun has a new one."""
        found = [path.stat() for path in (self._directory / "tmp").glob(f"*/*{run_record.SUFFIX}")]
        return {(record.st_ino, record.st_mtime_ns) for record in found}

    def answers(self) -> bool:
        """Return whether pypicloud answers."""
        assert self._process.poll() is None, f"{self.kind.name} has ended: {self.log.read_text()[-3000:]}"
        # uWSGI listens before it has loaded the application.
        with contextlib.suppress(OSError):
            return is_in_use(self.port) and self.request("GET", "/health", timeout=5)[0] == 200
        return False

    def stop(self) -> None:
        """Stop the server."""
        # uWSGI takes SIGTERM for a request to reload.
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the server and its workers, as a machine without memory does."""
        for worker in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def workers(self) -> list[int]:
        """Return the ids of the server's workers; runs are not among them."""
        return [child for child in _children(self._process.pid) if not _is_of_s3sync(child)]

    def request(
        self, method: str, path: str, *, port: int | None = None, timeout: float = 60
    ) -> tuple[int, str]:
        """Send a request as the admin; return the status and the body, which may have broken off."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, self.kind.path + path, headers={"Authorization": AUTHORIZATION})
            response = connection.getresponse()
            try:
                return response.status, response.read().decode()
            except http.client.IncompleteRead as error:
                return response.status, error.partial.decode()

    def json(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON document of a GET request; 0 or an empty one if its worker died.

        gunicorn answers 500 for a worker that it stops because of its timeout.
        """
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, body = self.request("GET", path)
            is_json = body.startswith("{")
            return status, json.loads(body) if is_json else {}
        return 0, {}


def processes_of(server: int) -> list[int]:
    """Return the ids of the processes that the workers of a server have started, and that still run."""
    return [child for worker in _children(server) for child in _children(worker) if _is_of_s3sync(child)]


def _children(process: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _is_of_s3sync(process: int) -> bool:
    try:
        # That of a process that has ended is empty.
        return "pypicloud-s3sync" in Path(f"/proc/{process}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


class Background(threading.Thread):
    """A request that is sent while the test does something else."""

    def __init__(self, send: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._send = send
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._send()
        except Exception as error:
            self.result = error

    def end(self, timeout: float = 60) -> Any:
        """Wait until the request has ended; return its status and body, or the exception."""
        self.join(timeout)
        assert not self.is_alive(), "the request has not ended"
        return self.result


@contextlib.contextmanager
def running(kind: Kind, directory: Path, settings: str) -> Iterator[WebServer]:
    """Run a web server until the block ends."""
    server = WebServer(kind, directory, settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def nginx(server: WebServer, directory: Path, impatient_below: str) -> Iterator[int]:
    """Run nginx in front of a server, and yield its port; below a path it gives up after a second of silence.

    Elsewhere it waits for a minute, its default: a busy machine may need more than a second for any page.
    """
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip(NO_NGINX)
    port, target = free_port(), f"http://127.0.0.1:{server.port}"
    impatient = server.kind.path + impatient_below
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {directory}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;\n"
        f"fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;\n"
        f"proxy_set_header Host $http_host; server {{ listen 127.0.0.1:{port};\n"
        f"location / {{ proxy_pass {target}; }}\n"
        f"location {impatient} {{ proxy_pass {target}; proxy_read_timeout 1s; }} }} }}\n"
    )
    with (directory / "nginx.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(configuration)], stdout=log, stderr=log)
    try:
        wait_until(lambda: is_in_use(port), "nginx answers")
        yield port
    finally:
        process.terminate()
        process.wait()
