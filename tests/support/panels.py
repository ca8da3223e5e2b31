"""The panel in a browser: pypicloud serves the page, and the test decides what the routes answer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from webtest import TestApp

from pypicloud_s3sync.devtools.processes import wait_until
from support.apps import PASSWORD, make_file_app
from support.browsers import WIDTHS, Page

#: A JSON document, the arguments of a response, or a function of the browser's route; a list has one for each
#: request, the last of them for all further ones.
Answer = dict[str, Any] | Callable[[Any], None] | list[Any]
SOON = 15_000  # milliseconds
ACTIVITY: dict[str, Any] = {
    "packages": [],
    "packages_message": "No package was synced in the last week.",
    "hours": [],
    "hours_message": "CloudWatch has no data for the last day yet.",
}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serving(app: TestApp) -> Iterator[str]:
    """Serve an application; yield its URL."""
    with make_server("127.0.0.1", 0, app.app, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve pypicloud with the add-on; yield its URL. It has no AWS: the tests answer the add-on's routes."""
    with serving(make_file_app(tmp_path_factory.mktemp("pages"))) as url:
        yield url


class Response:
    """An answer that is not a document with status 200."""

    def __init__(self, status: int = 200, body: str = "", **headers: str) -> None:
        self.arguments = {
            "status": status,
            "body": body,
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        }

    def __call__(self, route: Any) -> None:
        route.fulfill(**self.arguments)


def stream(*lines: Any) -> Response:
    """Return a stream of lines: a dict as JSON, a text as it is."""
    body = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return Response(200, body, content_type="application/x-ndjson")


def cut(route: Any) -> None:
    """Close the connection without an answer."""
    route.abort("connectionreset")


def silent(route: Any) -> None:
    """Leave a request without an answer."""


class Panel(Page):
    """The panel, logged in; ``answers`` has an answer for each path below ``/admin/s3sync``."""

    def __init__(self, chromium: Any, url: str, **context: Any) -> None:
        super().__init__(chromium, **context)
        self.url = url
        self.answers: dict[str, Answer] = {"/activity": ACTIVITY}
        #: The method, the path with its query, and the accepted age of each request.
        self.requests: list[str] = []
        # Time passes as usual, and hurry_to() lets it pass faster.
        self.page.clock.install()
        self.log_in()
        self.page.route("**/admin/s3sync**", self._answer)
        self.page.route("**/admin/s3sync/**", self._answer)

    def log_in(self) -> None:
        self.page.goto(f"{self.url}/acct/login")
        self.page.get_by_placeholder("Username").first.fill("admin")
        self.page.get_by_placeholder("Password").first.fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.get_by_role("navigation").get_by_role("link", name="Admin").wait_for(timeout=SOON)

    def _answer(self, route: Any) -> None:
        path = route.request.url.split("/admin/s3sync")[1]
        age = route.request.headers.get("cache-control", "")
        self.requests.append(f"{route.request.method} {path} {age if 'max-age' in age else ''}".strip())
        answer = self.answers.get(path.split("?")[0])
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if answer is None:
            route.continue_()
        elif callable(answer):
            answer(route)
        else:
            route.fulfill(json=answer)

    def show(self, status: Answer, title: str | None = None, **answers: Answer) -> None:
        """Open the panel again; ``plan`` stands for the path ``/plan``."""
        self.answers = {"/activity": ACTIVITY, **{f"/{name}": answer for name, answer in answers.items()}}
        self.answers[""] = status
        self.requests.clear()
        self.errors.clear()
        self.page.goto(f"{self.url}/#/")
        self.page.goto(f"{self.url}/#/admin/s3sync")
        if title is not None:
            self.title(title)

    def title(self, text: str) -> None:
        """Wait until the panel has a title."""
        self.page.get_by_role("heading", name=text, exact=True).wait_for(timeout=SOON)

    def hurry_to(self, text: str) -> None:
        """Wait until the panel has a title, and let the page's timers end early."""
        heading = self.page.get_by_role("heading", name=text, exact=True)

        def is_shown() -> bool:
            self.page.clock.fast_forward(3000)
            self.page.wait_for_timeout(50)
            return bool(heading.count())

        wait_until(is_shown, f"the panel's title is {text!r}", 15)

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def buttons(self) -> list[str]:
        """Return the names of the visible buttons of the panel."""
        found: Sequence[str] = self.page.locator(".s3sync .btn:visible").all_inner_texts()
        return [name.strip() for name in found]

    def wait_for_buttons(self, *names: str) -> None:
        """Wait until the panel has exactly these buttons."""
        wait_until(lambda: self.buttons() == list(names), f"the buttons are {names}", SOON / 1000)

    def text(self) -> str:
        """Return the visible text of the panel, without the live region."""
        text: str = self.page.locator(".s3sync").inner_text()
        announced: str = self.page.locator("[s3sync-live-region]").inner_text()
        return text.replace(announced, "", 1)

    def announced(self) -> list[str]:
        """Return what the live region has said since the panel was opened."""
        lines: list[str] = self.page.locator("[s3sync-live-region] p").all_text_contents()
        return lines

    def focus(self) -> str:
        """Return the id, the text or the tag of the element that has the focus."""
        name: str = self.page.evaluate(
            "(element => element.id || element.innerText.trim() || element.tagName)(document.activeElement)"
        )
        return name

    def focused(self, *names: str) -> None:
        """Wait until one of these elements has the focus, which the panel sets after it has shown them."""
        wait_until(lambda: self.focus() in names, f"the focus is on {' or '.join(names)}", SOON / 1000)

    def style(self, selector: str, name: str) -> str:
        """Return a computed style of the first such element."""
        value: str = self.page.locator(selector).first.evaluate(
            "(element, name) => getComputedStyle(element)[name]", name
        )
        return value


@pytest.fixture(scope="module")
def opened(chromium: Any, pages: str) -> Panel:
    """The panel, for all tests."""
    return Panel(chromium, pages, timezone_id="UTC")


@pytest.fixture
def panel(opened: Panel) -> Iterator[Panel]:
    """The panel at its usual width."""
    yield opened
    opened.page.set_viewport_size({"width": WIDTHS["wide"], "height": 900})
    opened.page.emulate_media(forced_colors="none", reduced_motion="reduce")


def run(panel: Panel, verb: str = "Repair") -> None:
    """Ask for a run and confirm it."""
    panel.click(f"{verb} S3 sync")
    panel.title(f"{verb} S3 sync?")
    panel.click(verb)
