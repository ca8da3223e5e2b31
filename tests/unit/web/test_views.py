"""The admin routes and the panel on pypicloud's application, as far as they need no AWS."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy import Deployment, contents, run_lock
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.exceptions import (
    AwsError,
    BundleError,
    BusyError,
    ConfigError,
    ConflictError,
    S3SyncError,
)
from pypicloud_s3sync.reconcile.models import Options, Report
from pypicloud_s3sync.web import assets, run_main, views
from pypicloud_s3sync.web.reads import Reads
from support.apps import PASSWORD, hashed, lines, log_in, make_file_app, use_basic
from support.fakes import make_settings, not_none
from support.run_threads import use_threads

ROUTES = [
    ("GET", "/admin/s3sync"),
    ("GET", "/admin/s3sync/plan"),
    ("GET", "/admin/s3sync/activity"),
    ("GET", "/admin/s3sync/metrics"),
    ("POST", "/admin/s3sync/enable"),
    ("POST", "/admin/s3sync/disable"),
    ("POST", "/admin/s3sync/reconcile"),
    ("POST", "/admin/s3sync/replay"),
]
PANEL = f"/static/s3sync/{assets.version(assets.STATIC)}/panel.html"
EVERYTHING = Options()
POSTS = [path for method, path in ROUTES if method == "POST"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the application, which all tests share."""
    return tmp_path_factory.mktemp("application")


@functools.cache
def built(directory: Path) -> TestApp:
    """Return the application, built during the first test, so without the settings of a developer."""
    return make_file_app(directory)


@pytest.fixture
def app(directory: Path) -> TestApp:
    """A new client of the application, with settings with which S3 sync cannot work."""
    return TestApp(built(directory).app)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SyncSettings:
    """Let the routes see settings with which S3 sync can work, and no run of another process."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = make_settings()
    for module in (views, run_main):
        monkeypatch.setattr(module, "read", lambda _: settings)
    use_threads(monkeypatch)
    return settings


def fail(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Let a method of every deployment fail."""

    def method(self: Deployment, *positional: Any, **arguments: Any) -> None:
        raise error

    monkeypatch.setattr(Deployment, name, method)


# Starting and serving


def test_starting_and_serving_makes_no_call_to_aws(app: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a client was created")

    monkeypatch.setattr("pypicloud_s3sync.deploy.aws.clients.Clients.__init__", refuse)
    assert use_basic(app).get("/").status_code == 200
    assert app.get("/simple/").status_code == 200


def test_pypiclouds_own_pages_do_not_change_for_other_users(app: TestApp) -> None:
    assert app.get("/health").status_code == 200
    page = app.get("/").text
    assert "pypicloud.js" in page
    assert "S3SYNC" not in page
    assert "pypicloud.js" in app.get("/acct/login").text


def test_the_files_of_the_panel_are_served(app: TestApp) -> None:
    page = use_basic(app).get("/").text
    for path in assets.STATIC.iterdir():
        (address,) = re.findall(rf"/static/s3sync/[0-9a-f]+/{path.name}", page)
        response = app.get(address)
        assert {".js": "javascript", ".css": "css", ".html": "html"}[path.suffix] in response.content_type
        assert response.cache_control.max_age == assets.YEAR


def test_a_changed_file_of_the_panel_has_another_address(tmp_path: Path) -> None:
    path = tmp_path / "panel.js"
    path.write_text("1")
    before = assets.version(tmp_path)
    path.write_text("2")
    changed = assets.version(tmp_path)
    path.rename(tmp_path / "other.js")
    assert len({before, changed, assets.version(tmp_path)}) == 3


def test_the_address_of_another_version_is_not_answered_with_this_versions_file(app: TestApp) -> None:
    """A browser would keep it for a year."""
    use_basic(app).get("/static/s3sync/0123456789ab/panel.js", status=404)


def test_the_admin_page_loads_if_the_users_are_in_the_ini(app: TestApp) -> None:
    assert use_basic(app).get("/admin/pending_users").json == []


@pytest.mark.parametrize("order", [("pypicloud", "pypicloud_s3sync"), ("pypicloud_s3sync", "pypicloud")])
def test_a_larger_application_may_include_pypicloud_and_the_add_on_in_either_order(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    from pyramid.config import Configurator

    config = Configurator(
        settings={
            "pypi.storage": "file",
            "storage.dir": str(tmp_path / "packages"),
            "db.url": f"sqlite:///{tmp_path}/db.sqlite",
            "auth.admins": "admin",
            "user.admin": hashed(PASSWORD),
            "session.encrypt_key": "ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0LWtleS0wMDE=",
            "session.validate_key": "ZGV2ZWxvcG1lbnQtb25seS12YWxpZGF0ZS1rZXktMDE=",
        }
    )
    for name in order:
        config.include(name)
    config.scan("pypicloud.views")
    app = use_basic(TestApp(config.make_wsgi_app()))
    assert app.get("/admin/s3sync", status=400).json["error"] == "config"
    page = app.get("/").text
    assert "S3SYNC" in page
    assert "pypicloud.js" in page


# Access


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_an_anonymous_request_is_asked_for_credentials(app: TestApp, method: str, path: str) -> None:
    response = app.request(path, method=method, status=401)
    assert response.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_panel_without_a_session_is_refused_without_a_challenge(
    app: TestApp, method: str, path: str
) -> None:
    """The browser would ask for a password, and the script would wait for it."""
    response = app.request(path, method=method, headers={"X-Requested-With": "XMLHttpRequest"}, status=401)
    assert "WWW-Authenticate" not in response.headers


def test_scripts_of_other_pages_are_challenged_as_before(app: TestApp) -> None:
    response = app.get("/admin/user", headers={"X-Requested-With": "XMLHttpRequest"}, status=401)
    assert "WWW-Authenticate" in response.headers


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("authenticate", [use_basic, log_in], ids=["basic", "session"])
def test_a_user_who_is_not_an_admin_is_refused(
    app: TestApp, method: str, path: str, authenticate: Callable[[TestApp, str], object]
) -> None:
    authenticate(app, "mallory")
    app.request(path, method=method, status=403)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"X-CSRF-Token": "guessed"}, {"X-CSRF-Token": "", "Origin": "https://evil.example"}],
    ids=["no token", "a wrong token", "another site"],
)
def test_a_post_with_a_session_but_without_its_token_is_refused(
    app: TestApp, path: str, headers: dict[str, str]
) -> None:
    log_in(app)
    assert app.post(path, headers=headers, status=403).json["error"] == "csrf"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://localhost.evil.example"),
        # Malformed ones, on which urlsplit fails or finds no host.
        *("http://[", "http://[::1", "http://]", "http://a[b]", "http://\xe9", "localhost", "", "http:"),
    ],
)
def test_a_post_of_another_site_is_refused_even_if_the_browser_adds_basic_credentials(
    app: TestApp, path: str, origin: str
) -> None:
    assert use_basic(app).post(path, headers={"Origin": origin}, status=403).json["error"] == "csrf"


@pytest.mark.parametrize("origin", ["http://localhost", "https://localhost", "https://localhost:443"])
def test_a_post_of_pypiclouds_own_pages_is_accepted_behind_a_proxy_that_ends_tls(
    app: TestApp, origin: str
) -> None:
    """The request gets as far as the settings."""
    response = use_basic(app).post("/admin/s3sync/disable", headers={"Origin": origin}, status=400)
    assert response.json["error"] == "config"


@pytest.mark.parametrize("query", ["%ff", "command=%ff", "command=disable&command=%80", "&=;%"])
def test_a_malformed_query_is_no_error_of_the_server(app: TestApp, query: str) -> None:
    """The request gets as far as the settings."""
    response = use_basic(app).get(f"/admin/s3sync/plan?{query}", status=400)
    assert response.json["error"] == "config"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "application/x-www-form-urlencoded; charset=utf-99", "x"]
)
def test_a_body_of_any_form_is_ignored(app: TestApp, path: str, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    response = use_basic(app).post(path, params=b"--\xff", headers=headers, status=400)
    assert response.json["error"] == "config"


def test_only_the_pages_of_an_admin_have_a_token(app: TestApp) -> None:
    assert "S3SYNC" not in app.get("/").text
    assert log_in(app, "mallory") is None
    assert log_in(app) is not None


# Frames


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", PANEL)])
@pytest.mark.parametrize("user", ["admin", "mallory"])
def test_no_site_may_show_an_answer_in_a_frame(app: TestApp, method: str, path: str, user: str) -> None:
    """Errors are answers, too."""
    response = use_basic(app, user).request(path, method=method, expect_errors=True)
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_a_stream_of_steps_may_not_be_shown_in_a_frame(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "_plan", AwsError("m"))
    assert use_basic(app).post("/admin/s3sync/enable").headers["X-Frame-Options"] == "DENY"


def test_another_site_may_not_show_the_page_with_the_panel_in_a_frame(app: TestApp) -> None:
    assert "X-Frame-Options" not in app.get("/").headers
    headers = use_basic(app).get("/").headers
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'self'"
    assert "X-Frame-Options" not in app.get("/simple/").headers


# Errors


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_settings_that_cannot_work_are_an_error_with_what_to_change(
    app: TestApp, method: str, path: str
) -> None:
    response = use_basic(app).request(path, method=method, status=400)
    assert response.json["error"] == "config"
    assert "pypi.storage" in response.json["message"]


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (ConfigError("m"), 400, "config"),
        (ConflictError("m"), 409, "conflict"),
        (AwsError("m"), 502, "aws"),
        (BundleError("m"), 500, "bundle"),
        (BusyError("m"), 503, "busy"),
        (S3SyncError("m"), 500, "s3sync"),
    ],
)
def test_each_kind_of_error_has_a_status_and_a_name(
    app: TestApp,
    settings: SyncSettings,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    name: str,
) -> None:
    fail(monkeypatch, "plan", error)
    response = use_basic(app).get("/admin/s3sync/plan", status=status)
    assert response.json == {"error": name, "message": "m"}


def test_a_denied_call_is_an_error_with_the_policy_that_allows_it(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "plan", AwsError("m", "AccessDenied", "iam:GetRole", "arn:aws:iam::1:role/r"))
    response = use_basic(app).get("/admin/s3sync/plan", status=502)
    assert response.json["policy"]["Statement"] == [
        {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "arn:aws:iam::1:role/r"}
    ]


# Runs


def test_a_run_is_streamed_step_by_step(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enable(self: Deployment, *, reconcile: bool) -> None:
        assert reconcile
        with run_lock.hold(settings, "enable", self.report, self._run) as (run, report):
            report(Progress("create role", "running", "creating the role"))
            report(Progress("build bundle", "running", "zipped", 5, 6))
            run.message = "S3 sync is on."

    monkeypatch.setattr(Deployment, "enable", enable)
    assert lines(use_basic(app).post("/admin/s3sync/enable")) == [
        {"step": "create role", "state": "running", "message": "creating the role"},
        {"step": "build bundle", "state": "running", "message": "zipped", "done": 5, "total": 6},
        {"result": "ok", "message": "S3 sync is on."},
    ]


@pytest.mark.parametrize(
    ("query", "command", "dry_run"), [("", "reconcile", False), ("?dry_run=true", "compare", True)]
)
def test_a_long_step_of_a_comparison_is_streamed_with_its_total(
    app: TestApp,
    settings: SyncSettings,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    command: str,
    dry_run: bool,
) -> None:
    def reconcile(self: Deployment, options: Options = EVERYTHING) -> None:
        assert options.dry_run is dry_run
        with run_lock.hold(settings, "x", self.report, self._run) as (run, report):
            report(Progress("list rows", "running", "listing", 0, 7))
            report(Progress("list rows", "done", "listed 7 rows"))
            report(Progress("repair", "running", "repairing 2 files", 1, 2, "slow"))
            run.message = "Repaired 2 differences."

    monkeypatch.setattr(Deployment, "reconcile", reconcile)
    assert lines(use_basic(app).post(f"/admin/s3sync/reconcile{query}")) == [
        {"step": "list rows", "state": "running", "message": "listing", "done": 0, "total": 7},
        {"step": "list rows", "state": "done", "message": "listed 7 rows"},
        {
            "step": "repair",
            "state": "running",
            "message": "repairing 2 files",
            "done": 1,
            "total": 2,
            "note": "slow",
        },
        {"result": "ok", "message": "Repaired 2 differences."},
    ]
    assert not_none(run_lock.last(settings))["command"] == command


def test_an_error_ends_the_stream(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "_plan_disable", AwsError("m"))
    assert lines(use_basic(app).post("/admin/s3sync/disable")) == [{"result": "failed", "message": "m"}]


def test_an_error_does_not_quote_a_secret_of_the_settings(
    tmp_path: Path, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda quotes the environment that it refuses."""
    monkeypatch.setenv("PPC_STORAGE_AWS_SECRET_ACCESS_KEY", "hunter2-of-web")
    app = make_file_app(tmp_path)
    error = AwsError("lambda:CreateFunction on the function x failed: Value '{db.url: hunter2-of-web}'")
    fail(monkeypatch, "status", error)
    message = use_basic(app).get("/admin/s3sync", status=502).json["message"]
    assert message.endswith("Value '{db.url: ********}'")


def test_an_unexpected_error_ends_the_stream_and_is_only_in_the_log(
    app: TestApp,
    settings: SyncSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail(monkeypatch, "_plan", ZeroDivisionError("hunter2"))
    (last,) = lines(use_basic(app).post("/admin/s3sync/enable"))
    assert last["result"] == "failed"
    assert "see the server's log" in last["message"]
    assert "hunter2" not in last["message"]
    # The process writes it after the result.
    wait_until(lambda: "ZeroDivisionError" in caplog.text, "the error is in the log")


@pytest.fixture
def status_off(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the status document be a short one."""
    monkeypatch.setattr(Deployment, "status", lambda self: {"state": "off"})
    return {"state": "off"}


def test_a_second_run_is_refused_while_the_first_one_is_running(
    app: TestApp, settings: SyncSettings, status_off: dict[str, Any]
) -> None:
    use_basic(app)
    assert app.get("/admin/s3sync").json == status_off
    with run_lock.hold(settings, "enable", lambda progress: None) as (_, report):
        report(Progress("create role", "running", "creating the role x"))
        status = app.get("/admin/s3sync").json
        assert (status["state"], status["in_sync"]) == ("running", False)
        assert status["running"]["command"] == "enable"
        (step,) = status["running"]["steps"]
        assert (step["step"], step["state"], step["message"]) == (
            *("create role", "running"),
            "creating the role x",
        )
        for path in POSTS:
            error = app.post(path, status=409).json
            assert error["error"] == "conflict"
            assert "enable of sync is already running (creating the role x): wait until" in error["message"]
    last = app.get("/admin/s3sync").json["last_run"]
    assert (last["command"], last["result"]) == ("enable", "ok")


def test_the_status_may_be_as_old_as_the_request_allows_but_not_older_than_a_run(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def status(self: Deployment) -> dict[str, Any]:
        reads.append(len(reads))
        return {"state": "off"}

    monkeypatch.setattr(Deployment, "status", status)
    monkeypatch.setattr(views, "READS", Reads())
    use_basic(app)
    for control, total in (
        *(("max-age=60", 1), ("max-age=60", 1), ("max-age=0", 2), ("max-age=60", 2)),
        *(("max-age=x", 3), ("no-cache", 4), ("max-age=99999999999999999999", 4)),
    ):
        app.get("/admin/s3sync", headers={"Cache-Control": control})
        assert len(reads) == total, control
    with run_lock.hold(settings, "enable", lambda progress: None):
        pass
    app.get("/admin/s3sync", headers={"Cache-Control": "max-age=60"})
    assert len(reads) == 5


# Prometheus


def test_prometheus_reads_aws_once_a_minute_at_most(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def figures(self: Deployment) -> dict[str, Any]:
        reads.append(len(reads))
        return {
            "events": {"saved": 1},
            "last_event": None,
            "lag_seconds": None,
            "waiting": len(reads),
            "oldest_waiting_seconds": None,
            "failed": 0,
            "oldest_failed_seconds": None,
            "reconciled": None,
        }

    monkeypatch.setattr(Deployment, "figures", figures)
    monkeypatch.setattr(views, "READS", Reads())
    use_basic(app)
    for _ in range(3):
        response = app.get("/admin/s3sync/metrics", headers={"Cache-Control": "no-cache"})
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "\npypicloud_s3sync_waiting_events 1.0\n" in response.text
        assert "\npypicloud_s3sync_objects " not in response.text
    assert len(reads) == 1
    # What this host itself knows is never old.
    contents.remember(settings, Report(dry_run=True, objects=7))
    assert "\npypicloud_s3sync_objects 7.0\n" in app.get("/admin/s3sync/metrics").text
    with run_lock.hold(settings, "replay", lambda progress: None):
        pass
    assert "\npypicloud_s3sync_waiting_events 2.0\n" in app.get("/admin/s3sync/metrics").text


def test_a_scrape_that_aws_denies_is_an_error_with_the_policy_that_allows_it(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "figures", AwsError("m", "AccessDenied", "cloudwatch:GetMetricData"))
    monkeypatch.setattr(views, "READS", Reads())
    response = use_basic(app).get("/admin/s3sync/metrics", status=502)
    assert response.json["policy"]["Statement"][0]["Action"] == "cloudwatch:GetMetricData"


def test_a_scrape_does_not_wait_for_other_requests(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "figures", BusyError("m"))
    monkeypatch.setattr(views, "READS", Reads())
    response = use_basic(app).get("/admin/s3sync/metrics", status=503)
    assert response.headers["Retry-After"] == "2"


def test_the_end_of_the_last_run_is_known_even_if_aws_cannot_be_read(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_lock.hold(settings, "enable", lambda progress: None):
        pass
    fail(monkeypatch, "status", AwsError("m"))
    answer = use_basic(app).get("/admin/s3sync", status=502).json
    assert (answer["error"], answer["last_run"]["result"]) == ("aws", "ok")


def test_of_two_runs_that_begin_at_the_same_time_one_is_refused_with_status_409(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of them sees the other one before it takes the lock."""
    monkeypatch.setattr(run_lock, "current", lambda settings: None)
    with run_lock.hold(settings, "enable", lambda progress: None):
        assert use_basic(app).post("/admin/s3sync/disable", status=409).json["error"] == "conflict"


def test_the_status_says_how_the_last_run_ended(
    app: TestApp, settings: SyncSettings, monkeypatch: pytest.MonkeyPatch, status_off: dict[str, Any]
) -> None:
    fail(monkeypatch, "_plan", AwsError("m", "AccessDenied", "iam:GetRole"))
    use_basic(app).post("/admin/s3sync/enable")
    status = app.get("/admin/s3sync").json
    last = status.pop("last_run")
    assert status == status_off
    assert (last["command"], last["result"], last["message"]) == ("enable", "failed", "m")
    assert last["policy"]["Statement"][0]["Action"] == "iam:GetRole"
