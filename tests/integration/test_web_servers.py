"""The admin routes under real web servers: a run, a killed worker, and an AWS that is silent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.embedded import EmbeddedAws
from support.sites import Site, ini_settings, new_site
from support.slow_aws import SlowAws, slow_aws
from support.web_servers import KINDS, Background, Kind, WebServer, nginx, running

pytestmark = [pytest.mark.slow, pytest.mark.untraced]

S3SYNC = "/admin/s3sync"


@dataclass(frozen=True)
class Served:
    """A web server with a site of its own, the add-on's link to AWS, and the link to the tables."""

    server: WebServer
    site: Site
    aws_link: SlowAws
    tables_link: SlowAws


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest,
    aws: EmbeddedAws,
    tiny_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    kind: Kind = request.param
    site = new_site(aws, tiny_bundle)
    with slow_aws(aws.port) as link, slow_aws(aws.port) as tables_link:
        # Enabling it reconciles, which would delete the rows of other tests from shared tables.
        own_tables = {"db__namespace": f"{site.function}-", "db__port": str(tables_link.port)}
        settings = ini_settings(site, s3sync__endpoint_url=link.url, **own_tables)
        with running(kind, tmp_path_factory.mktemp("server"), settings) as server:
            yield Served(server, site, link, tables_link)


#: Runs a test under each web server; the tests of one run in the same process, which starts it once.
under_each_server = pytest.mark.parametrize(
    "served",
    [
        pytest.param(
            kind,
            marks=[pytest.mark.xdist_group(kind.name), *([pytest.mark.soak] if kind.repeated else [])],
            id=kind.name,
        )
        for kind in KINDS
    ],
    indirect=True,
)


def wait_for_run(server: WebServer) -> None:
    wait_until(lambda: server.json(S3SYNC)[1].get("state") == "running", "the run is under way")


def wait_for_end(server: WebServer) -> dict[str, Any]:
    """Poll as the panel does; return the status document after the run."""

    def ended() -> dict[str, Any] | None:
        status, document = server.json(S3SYNC)
        return document if status == 200 and document.get("state") != "running" else None

    document = wait_until(ended, "the run has ended", 120)
    assert document is not None
    return document


def lines_of(body: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines() if line]


@under_each_server
def test_each_worker_has_connections_of_its_own_to_aws(served: Served) -> None:
    # First, because the connections that were made before the workers were forked may be closed meanwhile.
    if served.server.kind.name == "gunicorn sync":
        # If another test has killed a worker, one page has to wait until the next worker has started.
        wait_until(lambda: statuses_of_pages_at_once(served) == [200] * 3, "three workers answer", 120)
    else:
        assert statuses_of_pages_at_once(served) == [200] * 3


def statuses_of_pages_at_once(served: Served) -> list[int]:
    """Request three pages, which wait for the tables at the same time; the status is 0 if a worker died."""
    link = served.tables_link
    with link.held():
        pages = [Background(lambda: served.server.json("/simple/")) for _ in range(3)]
        wait_until(
            lambda: link.waiting == 3 or any(page.result for page in pages),
            "each page waits on another connection",
        )
    return [page.end()[0] for page in pages]


@under_each_server
def test_a_run_survives_whatever_breaks_the_connection(served: Served, tmp_path: Path) -> None:
    server, site = served.server, served.site
    # A worker's first answer imports the SDK, and gunicorn kills a worker that is silent for too long.
    wait_until(lambda: server.json(S3SYNC)[1].get("state") == "off", "the state can be read", 120)
    gives_up = server.kind.behind_nginx or server.kind.name == "gunicorn sync"
    with contextlib.ExitStack() as stack:
        port = server.port
        if server.kind.behind_nginx:
            port = stack.enter_context(nginx(server, tmp_path, S3SYNC))
        run_and_break(served, "enable", port, wait_for_timeout if gives_up else kill_workers)
        document = wait_for_end(server)
    assert (document["state"], document["last_run"]["result"]) == ("on", "ok"), document
    if not server.kind.has_workers:
        run_and_break(served, "disable", server.port, restart)
    else:
        status, body = server.request("POST", f"{S3SYNC}/disable")
        if not gives_up:
            # Nothing breaks the connection this time. gunicorn may do so again, even before the first line.
            assert (status, lines_of(body)[-1]) == (200, {"result": "ok", "message": "S3 sync is off."})
    document = wait_for_end(server)
    assert (document["state"], document["last_run"]["message"]) == ("off", "S3 sync is off."), document
    assert site.remains()["functions"] == []


def run_and_break(
    served: Served, command: str, port: int, break_connection: Callable[[WebServer, Background], None]
) -> None:
    """Start a run while AWS is silent, break the connection on which it is followed, and let AWS answer."""
    server = served.server
    before = server.run_records()
    with served.aws_link.held():
        post = Background(lambda: server.request("POST", f"{S3SYNC}/{command}", port=port))
        # An earlier look would hang as the run does.
        wait_until(lambda: server.run_records() - before, "the run has begun")
        wait_for_run(server)
        assert server.request("POST", f"{S3SYNC}/disable")[0] == 409
        break_connection(server, post)
        wait_for_run(server)


def wait_for_timeout(server: WebServer, post: Background) -> None:
    """Wait until nginx gives up, after a second of silence, or gunicorn, after fifteen."""
    result = post.end()
    assert isinstance(result, Exception) or "result" not in result[1]


def kill_workers(server: WebServer, post: Background) -> None:
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    post.end()
    wait_until(server.answers, "there are new workers", 120)


def restart(server: WebServer, post: Background) -> None:
    server.kill()
    post.end()
    # The run must not keep the port.
    server.start()


@under_each_server
def test_packages_are_served_while_aws_is_silent(served: Served, tmp_path: Path) -> None:
    server = served.server
    with contextlib.ExitStack() as stack:
        port = server.port
        if server.kind.behind_nginx:
            # Less than the server waits for AWS.
            port = stack.enter_context(nginx(server, tmp_path, S3SYNC))
        with served.aws_link.held():

            def ask() -> Background:
                return Background(lambda: server.request("GET", S3SYNC, port=port))

            requests = [ask() for _ in range(6)]
            wait_until(lambda: any(request.result for request in requests), "some requests are refused")

            def is_served_meanwhile() -> bool:
                waiting = [request for request in requests if request.result is None]
                if not waiting:
                    requests.append(ask())
                assert server.request("GET", "/simple/", port=port)[0] == 200
                return bool(waiting) and all(request.result is None for request in waiting)

            for _ in range(5):
                # A request that waits for AWS may reach its limit just then.
                wait_until(is_served_meanwhile, "a page is served, and no request has to end for it")
            if server.kind.behind_nginx:
                # nginx answers the requests that are still waiting.
                assert {request.end()[0] for request in requests} == {503, 504}
        results = [request.end() for request in requests]
    refused = [json.loads(body) for status, body in filter(_has_status, results) if status == 503]
    assert refused
    assert {document["error"] for document in refused} == {"busy"}
    wait_until(lambda: server.json(S3SYNC)[0] == 200, "the state can be read again")


def _has_status(result: Any) -> bool:
    return isinstance(result, tuple)
