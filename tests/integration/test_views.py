"""The admin routes on pypicloud's application and a real bucket."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from webob import Request
from webtest import TestApp

from pypicloud_s3sync.devtools.ports import free_port
from pypicloud_s3sync.devtools.processes import wait_until
from support.apps import PASSWORD, lines, log_in, make_app, use_basic
from support.sites import Site, ini_settings, user_without_rights

pytestmark = pytest.mark.untraced

ROUTES = [
    ("GET", "/admin/s3sync"),
    ("GET", "/admin/s3sync/plan"),
    ("GET", "/admin/s3sync/activity"),
    ("GET", "/admin/s3sync/metrics"),
    ("POST", "/admin/s3sync/enable"),
    ("POST", "/admin/s3sync/disable"),
    ("POST", "/admin/s3sync/reconcile"),
]
POSTS = [path for method, path in ROUTES if method == "POST"]


@pytest.fixture
def app(tmp_path: Path, site: Site) -> TestApp:
    """The application with its files and tables in the tests' AWS."""
    return make_app(tmp_path, ini_settings(site, db__namespace=f"{site.function}-"))


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process of each run end at once: it imports the SDK, and the test looks only at the access."""
    monkeypatch.setattr("pypicloud_s3sync.web.runs.BOOTSTRAP", "import sys; sys.stdin.read()")


# Access


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_basic_credentials_of_an_admin_are_enough(app: TestApp, method: str, path: str) -> None:
    assert use_basic(app).request(path, method=method, status=200)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_session_of_an_admin_with_the_token_of_its_pages_is_enough(
    app: TestApp, method: str, path: str
) -> None:
    token = log_in(app)
    headers = {"X-CSRF-Token": token, "Origin": "http://localhost"}
    assert app.request(path, method=method, headers=headers, status=200)


@pytest.mark.parametrize("path", POSTS)
def test_a_post_that_another_site_forged_changes_nothing(app: TestApp, site: Site, path: str) -> None:
    log_in(app)
    response = app.post(path, headers={"Origin": "https://evil.example"}, status=403)
    assert response.json["error"] == "csrf"
    assert site.remains()["functions"] == []


@pytest.mark.usefixtures("short_runs")
def test_a_post_of_pypiclouds_own_pages_is_accepted_behind_a_proxy_that_ends_tls(app: TestApp) -> None:
    headers = {"Origin": "https://localhost"}
    use_basic(app).post("/admin/s3sync/disable", headers=headers, status=200)


# Runs


def check_form(document: list[dict[str, Any]]) -> None:
    """Fail if a line of a run does not have the documented form."""
    *steps, last = document
    assert set(last) == {"result", "message"}
    assert steps
    for step in steps:
        assert {"step", "state", "message"} <= set(step)
        assert step["state"] in ("running", "done", "skipped", "failed")


def test_s3_sync_is_enabled_and_disabled_again_with_lines_of_the_documented_form(
    app: TestApp, site: Site
) -> None:
    use_basic(app)
    assert app.get("/admin/s3sync").json["state"] == "off"
    planned = app.get("/admin/s3sync/plan").json
    written = lines(app.post("/admin/s3sync/enable"))
    check_form(written)
    *steps, last = written
    same = "Bucket and cache are in sync: 0 objects, 0 rows."
    assert last == {"result": "ok", "message": f"S3 sync is on. {same}"}
    assert [step["step"] for step in steps if step["state"] == "done"] == [
        *(f"{action['verb']} {action['resource']}" for action in planned["actions"]),
        *("list rows", "list bucket"),
    ]
    assert app.get("/admin/s3sync").json["state"] == "on"
    assert lines(app.post("/admin/s3sync/enable"))[-1] == {
        "result": "ok",
        "message": f"Nothing to do. {same}",
    }

    removed = app.get("/admin/s3sync/plan?command=disable").json
    assert {action["verb"] for action in removed["actions"]} == {"delete"}
    assert lines(app.post("/admin/s3sync/disable"))[-1] == {"result": "ok", "message": "S3 sync is off."}
    assert app.get("/admin/s3sync").json["state"] == "off"
    assert site.remains()["functions"] == []


def test_the_panel_compares_and_adds_what_the_bucket_held_before(app: TestApp, site: Site) -> None:
    use_basic(app)
    s3 = site.client("s3")
    for version in ("1.0", "2.0"):
        metadata = {"name": "pkg", "version": version}
        s3.put_object(Bucket=site.bucket, Key=f"a/pkg-{version}.tar.gz", Body=b"x", Metadata=metadata)
    s3.put_object(Bucket=site.bucket, Key="notes.txt", Body=b"no package")
    before = app.get("/admin/s3sync").json
    assert (before["contents"]["objects"], before["contents"]["objects_exact"]) == (2, True)

    *steps, last = lines(app.post("/admin/s3sync/reconcile?dry_run=true"))
    assert last == {"result": "ok", "message": "Bucket and cache differ: 2 missing."}
    assert [step for step in steps if "total" in step]
    compared = app.get("/admin/s3sync").json["compared"]
    assert (compared["dry_run"], compared["in_sync"], compared["objects"], compared["rows"]) == (
        True,
        False,
        3,
        0,
    )
    assert compared["differences"] == {"missing": 2, "gone": 0, "stale": 0, "summaries": 0}

    last = lines(app.post("/admin/s3sync/enable"))[-1]
    assert "Added 2 packages that the cache lacked." in last["message"]
    assert "pkg" in app.get("/simple/").text
    after = app.get("/admin/s3sync").json
    assert (after["compared"]["in_sync"], after["compared"]["added"]) == (True, 2)


def test_a_run_continues_after_the_client_has_disconnected(app: TestApp, site: Site) -> None:
    request = Request.blank("/admin/s3sync/enable", method="POST")
    request.authorization = ("Basic", base64.b64encode(f"admin:{PASSWORD}".encode()).decode())
    _, _, answer = request.call_application(app.app)
    next(iter(answer))
    if hasattr(answer, "close"):
        answer.close()
    use_basic(app)
    wait_until(lambda: app.get("/admin/s3sync").json["state"] == "on", "S3 sync is on", 60)
    assert site.remains()["functions"] == [site.function]


# Errors


def test_an_aws_that_does_not_answer_is_an_error_and_pypicloud_goes_on_serving(app: TestApp) -> None:
    app.app.registry.settings["s3sync.endpoint_url"] = f"http://127.0.0.1:{free_port()}"
    response = use_basic(app).get("/admin/s3sync", status=502)
    assert "does not answer" in response.json["message"]
    assert app.get("/health").status_code == 200


def test_a_missing_bucket_is_a_conflict(app: TestApp, site: Site) -> None:
    use_basic(app).get("/admin/s3sync")
    site.client("s3").delete_bucket(Bucket=site.bucket)
    document = app.get("/admin/s3sync").json
    assert (document["state"], document["healthy"]) == ("conflict", False)
    assert "does not exist" in document["problems"][0]["message"]
    response = app.get("/admin/s3sync/plan", status=409)
    assert response.json["error"] == "conflict"
    assert "does not exist" in response.json["message"]
    assert lines(app.post("/admin/s3sync/enable"))[-1]["result"] == "failed"


def test_a_bundle_that_cannot_be_read_is_named(tmp_path: Path, site: Site) -> None:
    app = use_basic(make_app(tmp_path, ini_settings(site, s3sync__bundle="/nowhere.zip")))
    for path in ("/admin/s3sync", "/admin/s3sync/plan"):
        response = app.get(path, status=500)
        assert response.json["error"] == "bundle"
        assert "/nowhere.zip" in response.json["message"]
    assert "/nowhere.zip" in lines(app.post("/admin/s3sync/enable"))[-1]["message"]


def test_a_denied_call_is_an_error_with_the_policy_that_allows_it(tmp_path: Path, site: Site) -> None:
    """The server's user may run pypicloud, but not create roles or functions."""
    keys = user_without_rights(site)
    app = use_basic(make_app(tmp_path, ini_settings(site, **keys)))
    response = app.get("/admin/s3sync", status=502)
    assert response.json["error"] == "aws"
    # All rights that reading needs, not only the first one that is missing.
    actions = [action for statement in response.json["policy"]["Statement"] for action in statement["Action"]]
    assert {"iam:GetRole", "lambda:GetFunction", "logs:FilterLogEvents"} <= set(actions)
    assert any(action in response.json["message"] for action in actions)
    assert lines(app.post("/admin/s3sync/enable"))[-1]["policy"] == response.json["policy"]
    assert keys["storage__aws_secret_access_key"] not in response.text


# What must not be in an answer


def test_markup_in_names_is_data(app: TestApp, site: Site) -> None:
    """The answers are JSON, which a browser does not render as a page, and the panel shows it as text."""
    queue = site.client("sqs").create_queue(QueueName=f"q-{site.bucket}")["QueueUrl"]
    arn = f"arn:aws:sqs:{site.region}:{site.aws.account_id}:q-{site.bucket}"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    site.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    entry = {"Id": "<script>alert(1)</script>", "QueueArn": arn, "Events": ["s3:ObjectTagging:*"]}
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration={"QueueConfigurations": [entry]}
    )
    response = use_basic(app).get("/admin/s3sync/plan")
    assert response.content_type == "application/json"
    assert response.json["foreign"][0]["id"] == entry["Id"]


def test_no_answer_contains_a_secret(tmp_path: Path, site: Site, redis_url: str) -> None:
    # The server has no password and refuses one, so another part of the URL stands for the secret.
    url = f"{redis_url}?client_name=hunter2"
    settings = ini_settings(site, pypi__db="redis", db__url=url, db__region_name=None)
    app = use_basic(make_app(tmp_path, settings))
    for method, path in ROUTES:
        text = app.request(path, method=method).text
        assert "hunter2" not in text, path
        assert site.aws.secret_access_key not in text, path


def test_prometheus_reads_what_the_function_did(app: TestApp, site: Site) -> None:
    use_basic(app)
    site.deployment(db__namespace=f"{site.function}-").enable(reconcile=True)
    group, now = f"/aws/lambda/{site.function}", int(time.time())
    logs = site.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName="x")
    record = {"action": "saved", "key": "a/pkg-1.0.zip", "lag_ms": 250}
    events = [{"timestamp": now * 1000, "message": json.dumps(record)}]
    logs.put_log_events(logGroupName=group, logStreamName="x", logEvents=events)
    text = app.get("/admin/s3sync/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    expected = {
        'events_last_day{outcome="saved"}': 1,
        "last_event_timestamp_seconds": now,
        "lag_seconds": 0.25,
        "waiting_events": 0,
        "last_reconcile_success": 1,
        'drift{kind="missing"}': 0,
    }
    assert {name: float(values[f"pypicloud_s3sync_{name}"]) for name in expected} == expected
