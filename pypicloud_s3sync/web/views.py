"""The admin routes: state and plan as JSON, enable and disable as a stream of their steps.

Everything is read from the running application's settings when a request comes: no call to AWS at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from pypicloud.route import AdminResource
from pyramid.csrf import check_csrf_token
from pyramid.response import Response
from pyramid.view import view_config, view_defaults

from ..config.settings import SyncSettings, read
from ..deploy import Deployment, documents, run_lock
from ..exceptions import AwsError, BundleError, ConfigError, ConflictError, S3SyncError
from .runs import failure, stream

#: HTTP status and ``error`` for each kind of error.
KINDS: dict[type[S3SyncError], tuple[int, str]] = {
    ConfigError: (400, "config"),
    ConflictError: (409, "conflict"),
    AwsError: (502, "aws"),
    BundleError: (500, "bundle"),
}


def includeme(config: Any) -> None:
    """Add the routes, and the panel to pypicloud's pages."""
    config.include("pyramid_jinja2")
    config.add_jinja2_search_path("pypicloud_s3sync:web/templates", prepend=True)
    config.add_static_view("static/s3sync", "pypicloud_s3sync:web/static", cache_max_age=3600)
    config.scan(__name__)


def explained(view: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Answer an error in pypicloud's form, ``{"error", "message"}``, with a policy for a missing right."""

    @wraps(view)
    def answer(self: S3SyncViews) -> Any:
        try:
            return view(self)
        except S3SyncError as error:
            kinds = (KINDS[kind] for kind in type(error).__mro__ if kind in KINDS)
            self.request.response.status_code, name = next(kinds, (500, "s3sync"))
            return {"error": name, **failure(error)}

    return answer


@view_defaults(context=AdminResource, name="s3sync", permission="admin", renderer="json")
class S3SyncViews:
    """The routes under ``/admin/s3sync``."""

    def __init__(self, request: Any) -> None:
        self.request = request

    @view_config(request_method="GET", subpath=())
    @explained
    def status(self) -> Any:
        """Whether S3 sync is on, and what differs; or the run that is under way."""
        settings = self._settings()
        run = run_lock.current(settings)
        if run is not None:
            return {"state": "running", "in_sync": False, "running": run}
        return documents.status_document(Deployment(settings).plan(), settings)

    @view_config(request_method="GET", subpath=("plan",))
    @explained
    def plan(self) -> Any:
        """What enabling would change, or disabling with ``?command=disable``."""
        deployment = Deployment(self._settings())
        if self.request.params.get("command") == "disable":
            return documents.plan_document(deployment.plan_disable(), "disable")
        return documents.plan_document(deployment.plan(), "enable")

    @view_config(request_method="GET", subpath=("activity",))
    @explained
    def activity(self) -> Any:
        """The last packages that were synced, and a day of events and errors."""
        return Deployment(self._settings()).activity()

    @view_config(request_method="POST", subpath=("enable",))
    @explained
    def enable(self) -> Any:
        """Make it so."""
        return self._stream("S3 sync is on.", lambda deployment: deployment.enable())

    @view_config(request_method="POST", subpath=("disable",))
    @explained
    def disable(self) -> Any:
        """Remove what enable made."""
        return self._stream("S3 sync is off.", lambda deployment: deployment.disable())

    def _settings(self) -> SyncSettings:
        return read(self.request.registry.settings)

    def _stream(self, done: str, run: Callable[[Deployment], Any]) -> Any:
        if not _is_meant(self.request):
            self.request.response.status_code = 403
            return {
                "error": "csrf",
                "message": "this request does not come from pypicloud's own pages: reload",
            }
        settings = self._settings()
        if run_lock.current(settings) is not None:
            raise ConflictError("a run is under way already: its steps are in GET /admin/s3sync")
        response = Response(content_type="application/x-ndjson", charset="utf-8")
        # A proxy that buffers hands all of it over at the end; nginx is asked not to.
        response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.app_iter = stream(settings, done, run)
        return response


def _is_meant(request: Any) -> bool:
    """Whether a POST was meant by who is logged in, and not sent by another site in his name.

    A browser sends the session's cookie with any site's request, so that needs the token of our own pages.
    Basic credentials are given by a program, or by a browser that remembers them: that one tells the origin.
    """
    if check_csrf_token(request, raises=False):
        return True
    if request.session.get("user") is not None:
        return False
    origin = request.headers.get("Origin")
    # Hosts only: behind a proxy that ends TLS, the application may not know its own scheme.
    return origin is None or _without_port(urlsplit(origin).netloc) == _without_port(request.host)


def _without_port(host: str) -> str:
    """A host without the port that its scheme has anyway."""
    return host.removesuffix(":80").removesuffix(":443")
