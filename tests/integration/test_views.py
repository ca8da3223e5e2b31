"""The admin routes, on the real pypicloud application: who gets in, what they answer, and in which form."""

import base64
import json
import socket
import threading

import pytest
from pyramid.paster import get_app
from webob import Request
from webtest import TestApp

from pypicloud_s3sync.deploy import run_lock

ROUTES = [
    ("GET", "/admin/s3sync"),
    ("GET", "/admin/s3sync/plan"),
    ("GET", "/admin/s3sync/activity"),
    ("POST", "/admin/s3sync/enable"),
    ("POST", "/admin/s3sync/disable"),
]
POSTS = [path for method, path in ROUTES if method == "POST"]
PASSWORD = "secret"
INI = """
[app:main]
use = egg:pypicloud
pyramid.includes = pypicloud_s3sync
pypi.default_read = everyone
auth.admins = admin
user.admin = {password}
user.mallory = {password}
session.encrypt_key = ZGV2ZWxvcG1lbnQtb25seS1lbmNyeXB0LWtleS0wMDE=
session.validate_key = ZGV2ZWxvcG1lbnQtb25seS12YWxpZGF0ZS1rZXktMDE=
session.secure = false
"""
FILES = """
pypi.storage = file
storage.dir = {folder}/packages
db.url = sqlite:///{folder}/db.sqlite
"""


def hashed(password):
    from passlib.hash import sha512_crypt

    return sha512_crypt.using(rounds=1000).hash(password).replace("%", "%%")


def make_app(folder, settings):
    path = folder / "server.ini"
    path.write_text(INI.format(password=hashed(PASSWORD)) + settings)
    return TestApp(get_app(str(path)))


@pytest.fixture
def app(tmp_path, site):
    """pypicloud with its files and tables in the tests' AWS."""
    return make_app(tmp_path, of_site(site))


def of_site(site, **more):
    """A site's settings as an ini has them."""
    given = {
        **site.given,
        "storage.endpoint_url": site.aws.endpoint_url,
        "db.host": "127.0.0.1",
        "db.port": str(site.aws.port),
        "db.aws_access_key_id": site.aws.access_key_id,
        "db.aws_secret_access_key": site.aws.secret_access_key,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return "\n".join(f"{name} = {value}" for name, value in given.items() if value is not None)


@pytest.fixture
def on_files(tmp_path):
    """pypicloud with settings that cannot sync."""
    return make_app(tmp_path, FILES.format(folder=tmp_path))


def basic(app, user="admin"):
    app.authorization = ("Basic", (user, PASSWORD))
    return app


def log_in(app, user="admin"):
    """Log in with a session, as a browser does; the token that its pages carry."""
    app.post_json("/acct/login", {"username": user, "password": PASSWORD})
    page = app.get("/").text
    return page.split('token: "')[1].split('"')[0] if "S3SYNC" in page else None


def lines(response):
    assert response.content_type == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_no_call_to_aws_is_made_when_it_starts_and_serves(on_files, monkeypatch):
    """The application starts and serves whatever AWS does; what asks AWS is told that it does not answer."""

    def refuse(*arguments):
        raise AssertionError("a client was made")

    monkeypatch.setattr("pypicloud_s3sync.deploy.aws.Clients.__init__", refuse)
    monkeypatch.setattr("pypicloud_s3sync.deploy.Clients.__init__", refuse)
    assert basic(on_files).get("/").status_code == 200
    assert on_files.get("/simple/").status_code == 200


def test_an_aws_that_does_not_answer_is_said(app, site, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    app.app.registry.settings["s3sync.endpoint_url"] = f"http://127.0.0.1:{port}"
    response = basic(app).get("/admin/s3sync", status=502)
    assert "does not answer" in response.json["message"]
    assert app.get("/health").status_code == 200


# Who gets in


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_is_asked_who_they_are(on_files, method, path):
    response = on_files.request(path, method=method, status=401)
    assert response.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("way", [basic, log_in], ids=["basic", "session"])
def test_a_user_is_refused(on_files, method, path, way):
    way(on_files, "mallory")
    on_files.request(path, method=method, status=403)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_an_admin_gets_in_with_basic_credentials_alone(app, method, path):
    assert basic(app).request(path, method=method, status=200)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_an_admin_gets_in_with_a_session_and_the_token_of_its_pages(app, method, path):
    token = log_in(app)
    headers = {"X-CSRF-Token": token, "Origin": "http://localhost"}
    assert app.request(path, method=method, headers=headers, status=200)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"X-CSRF-Token": "guessed"}, {"X-CSRF-Token": "", "Origin": "https://evil.example"}],
    ids=["no token", "a guess", "another site"],
)
def test_a_post_that_another_site_forged_is_refused_and_does_nothing(app, site, path, headers):
    log_in(app)
    response = app.post(path, headers=headers, status=403)
    assert response.json["error"] == "csrf"
    assert site.remains()["functions"] == []


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_a_post_of_another_site_with_credentials_that_a_browser_remembers_is_refused(app, path, origin):
    assert basic(app).post(path, headers={"Origin": origin}, status=403).json["error"] == "csrf"


def test_our_own_pages_may_post_behind_a_proxy_that_ends_tls(app):
    behind = {"Origin": "https://localhost"}
    basic(app).post("/admin/s3sync/disable", headers=behind, status=200)


def test_the_token_is_only_on_an_admins_pages(on_files):
    assert "S3SYNC" not in on_files.get("/").text
    log_in(on_files, "mallory")
    assert "S3SYNC" not in on_files.get("/").text


def test_what_the_panel_is_made_of_is_served(on_files):
    page = basic(on_files).get("/").text
    for name, kind in (("s3sync.js", "javascript"), ("s3sync.css", "css"), ("panel.html", "html")):
        assert f"/static/s3sync/{name}" in page
        assert kind in on_files.get(f"/static/s3sync/{name}").content_type


@pytest.mark.parametrize("order", [("pypicloud", "pypicloud_s3sync"), ("pypicloud_s3sync", "pypicloud")])
def test_a_larger_app_has_routes_and_panel_whichever_it_includes_first(tmp_path, order):
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
    app = basic(TestApp(config.make_wsgi_app()))
    assert app.get("/admin/s3sync", status=400).json["error"] == "config"
    page = app.get("/").text
    assert "S3SYNC" in page
    assert "pypicloud.js" in page


def test_pypiclouds_own_pages_are_as_they_were(on_files):
    assert on_files.get("/health").status_code == 200
    page = on_files.get("/").text
    assert "pypicloud.js" in page
    assert "S3SYNC" not in page
    assert "pypicloud.js" in on_files.get("/acct/login").text


def test_the_admin_page_loads_where_users_stand_in_the_ini(on_files):
    assert basic(on_files).get("/admin/pending_users").json == []


# What they answer


def test_from_off_to_on_and_back(app, site):
    basic(app)
    assert app.get("/admin/s3sync").json["state"] == "off"
    planned = app.get("/admin/s3sync/plan").json
    done = lines(app.post("/admin/s3sync/enable"))
    assert done[-1] == {"result": "ok", "message": "S3 sync is on."}
    assert [line["step"] for line in done[:-1] if line["state"] == "done"] == [
        f"{action['verb']} {action['resource']}" for action in planned["actions"]
    ]
    assert app.get("/admin/s3sync").json["state"] == "on"
    assert lines(app.post("/admin/s3sync/enable")) == [{"result": "ok", "message": "Nothing to do."}]

    removed = app.get("/admin/s3sync/plan?command=disable").json
    assert {action["verb"] for action in removed["actions"]} == {"delete"}
    assert lines(app.post("/admin/s3sync/disable"))[-1] == {"result": "ok", "message": "S3 sync is off."}
    assert app.get("/admin/s3sync").json["state"] == "off"
    assert site.remains()["functions"] == []


def test_every_line_of_a_run_has_the_form_of_the_contract(app):
    *steps, last = lines(basic(app).post("/admin/s3sync/enable"))
    assert set(last) == {"result", "message"}
    for line in steps:
        assert {"step", "state", "message"} <= set(line)
        assert line["state"] in ("running", "done", "skipped", "failed")


def test_settings_that_cannot_sync_are_said_with_what_to_change(on_files):
    for method, path in ROUTES:
        response = basic(on_files).request(path, method=method, status=400)
        assert response.json["error"] == "config"
        assert "pypi.storage" in response.json["message"]


def test_what_is_in_the_way_is_a_conflict(app, site):
    basic(app).get("/admin/s3sync")
    site.client("s3").delete_bucket(Bucket=site.bucket)
    response = app.get("/admin/s3sync", status=409)
    assert response.json["error"] == "conflict"
    assert "does not exist" in response.json["message"]
    assert lines(app.post("/admin/s3sync/enable"))[-1]["result"] == "failed"


def test_a_bundle_that_cannot_be_read_is_said(tmp_path, site):
    app = basic(make_app(tmp_path, of_site(site, s3sync__bundle="/nowhere.zip")))
    for path in ("/admin/s3sync", "/admin/s3sync/plan"):
        response = app.get(path, status=500)
        assert response.json["error"] == "bundle"
        assert "/nowhere.zip" in response.json["message"]
    assert "/nowhere.zip" in lines(app.post("/admin/s3sync/enable"))[-1]["message"]


def test_what_nobody_foresaw_ends_the_stream_and_is_in_the_log_only(app, monkeypatch, caplog):
    def fail(self, **kwargs):
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr("pypicloud_s3sync.deploy.Deployment.enable", fail)
    (last,) = lines(basic(app).post("/admin/s3sync/enable"))
    assert last["result"] == "failed"
    assert "see the server's log" in last["message"]
    assert "hunter2" not in last["message"]
    assert "ZeroDivisionError" in caplog.text


def test_a_missing_right_comes_with_the_policy_that_gives_it(tmp_path, site):
    """Of who may run pypicloud, and not make roles or functions."""
    iam, user = site.client("iam"), f"server-{site.bucket}"
    iam.create_user(UserName=user)
    allow = {"Effect": "Allow", "Action": ["s3:*", "dynamodb:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=user, PolicyName="server", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    keys = {
        "storage__aws_access_key_id": key["AccessKeyId"],
        "storage__aws_secret_access_key": key["SecretAccessKey"],
    }
    app = basic(make_app(tmp_path, of_site(site, **keys)))
    response = app.get("/admin/s3sync", status=502)
    assert response.json["error"] == "aws"
    (statement,) = response.json["policy"]["Statement"]
    assert statement["Action"] in response.json["message"]
    assert lines(app.post("/admin/s3sync/enable"))[-1]["policy"] == response.json["policy"]
    assert key["SecretAccessKey"] not in response.text


def test_a_second_run_is_told_that_one_is_under_way_and_by_whom_it_was_begun(app, site):
    basic(app)
    began, end = threading.Event(), threading.Event()

    def hold():
        with run_lock.alone(site.settings(), "enable") as run:
            run.note(type("P", (), {"step": "create role", "message": "creating the role x"}))
            began.set()
            end.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert began.wait(30)
    try:
        status = app.get("/admin/s3sync").json
        assert status["state"] == "running"
        assert status["run_lock"]["message"] == "creating the role x"
        for path in POSTS:
            assert app.post(path, status=409).json["error"] == "conflict"
    finally:
        end.set()
        holder.join()
    assert app.get("/admin/s3sync").json["state"] == "off"


def test_a_client_that_goes_away_leaves_a_run_that_ends(app, site):
    request = Request.blank("/admin/s3sync/enable", method="POST")
    request.authorization = ("Basic", base64.b64encode(f"admin:{PASSWORD}".encode()).decode())
    _, _, answer = request.call_application(app.app)
    next(iter(answer))
    if hasattr(answer, "close"):
        answer.close()
    for thread in threading.enumerate():
        if thread.name == "s3sync":
            thread.join(60)
    assert basic(app).get("/admin/s3sync").json["state"] == "on"
    assert site.remains()["functions"] == [site.function]


def test_markup_in_names_and_messages_is_data(app, site):
    """The answers are JSON, which no browser takes for a page; the panel shows it as text."""
    queue = site.client("sqs").create_queue(QueueName=f"q-{site.bucket}")["QueueUrl"]
    arn = f"arn:aws:sqs:{site.region}:{site.aws.account_id}:q-{site.bucket}"
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    site.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(allow)})
    entry = {"Id": "<script>alert(1)</script>", "QueueArn": arn, "Events": ["s3:ObjectTagging:*"]}
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration={"QueueConfigurations": [entry]}
    )
    response = basic(app).get("/admin/s3sync/plan")
    assert response.content_type == "application/json"
    assert response.json["foreign"][0]["id"] == entry["Id"]


def test_no_answer_holds_a_secret(tmp_path, site, redis_url):
    # The server has no password, and refuses one: any other part of the URL is as secret.
    url = f"{redis_url}?client_name=hunter2"
    app = basic(make_app(tmp_path, of_site(site, pypi__db="redis", db__url=url, db__region_name=None)))
    for method, path in ROUTES:
        said = app.request(path, method=method).text
        assert "hunter2" not in said, path
        assert site.aws.secret_access_key not in said, path
