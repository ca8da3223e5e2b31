"""Define the admin routes: state and plan as JSON, enable and disable as a stream of steps.

Each request reads the running application's settings. Starting the application makes no call to AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pypicloud.route import AdminResource
from pyramid.csrf import check_csrf_token
from pyramid.response import Response
from pyramid.view import view_config, view_defaults

from ..config.settings import SyncSettings, read, snapshot
from ..deploy import Deployment, contents, failure, plan_document, run_lock
from ..exceptions import AwsError, BundleError, BusyError, ConfigError, ConflictError, S3SyncError
from ..sync.masking import secrets_of
from . import runs
from .prometheus import exposition
from .reads import Reads

#: The HTTP status and the value of ``error`` for each kind of error.
ERRORS: dict[type[S3SyncError], tuple[int, str]] = {
    ConfigError: (400, "config"),
    ConflictError: (409, "conflict"),
    AwsError: (502, "aws"),
    BundleError: (500, "bundle"),
    BusyError: (503, "busy"),
}
#: How the plan of each command is read.
PLANS: dict[str, Callable[[Deployment], dict[str, Any]]] = {
    "enable": lambda deployment: plan_document(deployment.plan(), "enable"),
    "disable": lambda deployment: plan_document(deployment.plan_disable(), "disable"),
}
#: Seconds for which the figures of CloudWatch, which has a value a minute, are good.
SCRAPE = 60
READS = Reads()


def includeme(config: Any) -> None:
    """Add the routes to the application, and the panel to its pages."""
    config.include("pypicloud_s3sync.web.assets")
    config.include("pypicloud_s3sync.web.login")
    config.include("pypicloud_s3sync.web.framing")
    config.scan(__name__)


def json_errors(view: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decorate a view to return errors in pypicloud's form, ``{"error", "message"}``.

    If AWS denied a call, the answer also has a ``policy`` that allows it.
    """

    @wraps(view)
    def answer(self: S3SyncViews) -> Any:
        try:
            return view(self)
        except S3SyncError as error:
            return _error_document(self.request, error)

    return answer


def _error_document(request: Any, error: S3SyncError) -> dict[str, Any]:
    found = (ERRORS[kind] for kind in type(error).__mro__ if kind in ERRORS)
    request.response.status_code, name = next(found, (500, "s3sync"))
    if isinstance(error, BusyError):
        request.response.headers["Retry-After"] = "2"
    secrets = secrets_of(snapshot(request.registry.settings).items())
    return {"error": name, **failure(error, secrets)}


@view_defaults(context=AdminResource, name="s3sync", permission="admin", renderer="json")
class S3SyncViews:
    """The routes under ``/admin/s3sync``."""

    def __init__(self, request: Any) -> None:
        self.request = request

    @view_config(request_method="GET", subpath=())
    @json_errors
    def status(self) -> Any:
        """Return the status document with the last run, or the current run."""
        settings = self._settings()
        run = run_lock.current(settings)
        if run is not None:
            return {"state": "running", "in_sync": False, "healthy": False, "running": run}
        last = run_lock.last(settings)
        # A client whose connection broke learns how the run ended, even if AWS cannot be read.
        end = {} if last is None else {"last_run": last}
        try:
            document = READS.answer(
                settings, "status", Deployment.status, max_age=_max_age(self.request), since=_after(last)
            )
        except S3SyncError as error:
            return {**_error_document(self.request, error), **end}
        return {**document, **end}

    @view_config(request_method="GET", subpath=("plan",))
    @json_errors
    def plan(self) -> Any:
        """Return what enable would change, or disable with ``?command=disable``."""
        command = "disable" if self._query("command") == "disable" else "enable"
        return READS.answer(self._settings(), f"plan {command}", PLANS[command])

    @view_config(request_method="GET", subpath=("activity",))
    @json_errors
    def activity(self) -> Any:
        """Return the packages that were synced last, and the events and errors of a day."""
        return READS.answer(self._settings(), "activity", Deployment.activity)

    @view_config(request_method="GET", subpath=("metrics",))
    @json_errors
    def metrics(self) -> Any:
        """Return figures for Prometheus; AWS is read once a minute at most."""
        settings = self._settings()
        since = _after(run_lock.last(settings))
        figures = READS.answer(settings, "figures", Deployment.figures, max_age=SCRAPE, since=since)
        accept = self.request.headers.get("Accept", "")
        body, content_type = exposition(settings, figures, contents.last_comparison(settings), accept)
        response = Response(body)
        # With the parameters that Pyramid's own attribute would drop.
        response.headers["Content-Type"] = content_type
        return response

    @view_config(request_method="POST", subpath=("enable",))
    @json_errors
    def enable(self) -> Any:
        """Turn S3 sync on, or update it to match the settings; stream the steps."""
        return self._run("enable")

    @view_config(request_method="POST", subpath=("disable",))
    @json_errors
    def disable(self) -> Any:
        """Remove what enable created; stream the steps."""
        return self._run("disable")

    @view_config(request_method="POST", subpath=("reconcile",))
    @json_errors
    def reconcile(self) -> Any:
        """Make the cache equal to the bucket, or compare them with ``?dry_run=true``; stream the steps."""
        return self._run("compare" if self._query("dry_run") == "true" else "reconcile")

    @view_config(request_method="POST", subpath=("replay",))
    @json_errors
    def replay(self) -> Any:
        """Let the function process its failed events again; stream the steps."""
        return self._run("replay")

    def _query(self, name: str) -> str | None:
        """Return a value of the query, or None."""
        # Not request.params, which fails on a query that is no UTF-8.
        values = parse_qs(self.request.query_string).get(name, [])
        return values[0] if len(values) == 1 else None

    def _settings(self) -> SyncSettings:
        return read(self.request.registry.settings)

    def _run(self, command: str) -> Any:
        if not _is_same_site(self.request):
            self.request.response.status_code = 403
            return {
                "error": "csrf",
                "message": "the request does not come from pypicloud's own pages: reload the page",
            }
        record = runs.start(self._settings(), command, snapshot(self.request.registry.settings))
        response = Response(content_type="application/x-ndjson", charset="utf-8")
        # A proxy that buffers would pass the lines on only at the end; this header tells nginx not to.
        response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.app_iter = runs.follow(record)
        return response


def _is_same_site(request: Any) -> bool:
    """Return whether a POST comes from pypicloud's own pages or a program, and not from another site.

    A browser sends the session's cookie with any site's request, so a session needs the token of pypicloud's
    own pages. HTTP Basic credentials are sent by a program, or by a browser that remembers them; a browser
    also sends the origin.
    """
    # Without the form's field: no route takes a body, and a malformed one must not become an error.
    if check_csrf_token(request, token=None, raises=False):
        return True
    if request.session.get("user") is not None:
        return False
    origin = request.headers.get("Origin")
    # Only the hosts are compared: behind a proxy that ends TLS, the application may not know its own scheme.
    return origin is None or _host(origin) == _without_port(request.host)


def _host(origin: str) -> str | None:
    """Return the host of an origin, or None if it is not a valid one."""
    try:
        return _without_port(urlsplit(origin).netloc)
    except ValueError:
        return None


def _without_port(host: str) -> str:
    """Return a host without the default port of HTTP or HTTPS."""
    return host.removesuffix(":80").removesuffix(":443")


def _after(last: Mapping[str, Any] | None) -> float:
    """Return the time after the last run, before which no answer is of use."""
    return 0 if last is None else float(last["ended"]) + 1


def _max_age(request: Any) -> float:
    """Return the age in seconds that an answer may have: ``Cache-Control: max-age=60`` in the request."""
    age = request.cache_control.max_age
    return age if isinstance(age, int) else 0
