"""No secret in what is shown: the plan and the status are printed, logged and sent to browsers."""

import json
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.documents import plan_document, status_document
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.sync.environment import MASK, redact
from support.fakes import NOTHING, deployed, make_desired, make_settings

#: In every URL below; no part of any user, host or name.
SECRET = "hunter2"
#: Each is a password in a URL that a driver takes: redis-py parses with urllib, SQLAlchemy 1.4 with a pattern
#: of its own, in which a password is all up to the "@", and a user all up to ":" or "/".
URLS = {
    "no user": f"redis://:{SECRET}@cache.example",
    "port and number": f"redis://:{SECRET}@cache.example:6379/0",
    "TLS": f"rediss://:{SECRET}@cache.example:6379/0",
    "user": f"redis://app:{SECRET}@cache.example:6379",
    "a driver": f"postgresql+psycopg2://app:{SECRET}@db.example:5432/pypi",
    "an @ in it": f"redis://app:x@{SECRET}@cache.example",
    "an @ at its end": f"redis://app:{SECRET}@@cache.example",
    "a % in it": f"redis://app:%41{SECRET}%40x@cache.example",
    "a : in it": f"redis://app:x:{SECRET}@cache.example",
    "a : at its start": f"redis://app::{SECRET}@cache.example",
    "a / in it": f"postgresql://app:x/{SECRET}@db.example/pypi",
    "a / at its end": f"postgresql://app:{SECRET}/@db.example/pypi",
    "a ? in it": f"postgresql://app:x?{SECRET}@db.example/pypi",
    "a # in it": f"postgresql://app:x#{SECRET}@db.example/pypi",
    "a blank in it": f"postgresql://app:x {SECRET}@db.example/pypi",
    "signs in it": f"redis://app:!$&'()*+,;=~{SECRET}^|@cache.example",
    "quotes in it": f"redis://app:\"{SECRET}\\'@cache.example",
    "beyond ASCII": f"redis://app:pä{SECRET}ß@cache.example",
    "a user with an @": f"mysql+pymysql://app@server:{SECRET}@server.example/pypi",
    "a user with a %": f"mysql+pymysql://app%40server:{SECRET}@server.example/pypi",
    "IPv6": f"redis://:{SECRET}@[2001:db8::1]:6379/0",
    "two URLs": f"redis://a.example,redis://:{SECRET}@b.example",
    "password in the query": f"redis://cache.example/0?password={SECRET}",
    "password later in the query": f"postgresql://db.example/pypi?user=app&password={SECRET}&sslmode=require",
    "PASSWORD in the query": f"postgresql://db.example/pypi?PASSWORD={SECRET}",
    "sslpassword in the query": f"postgresql://db.example/pypi?sslpassword={SECRET}",
    "passwd in the query": f"mysql://db.example/pypi?passwd={SECRET}",
    "pwd in the query": f"mssql://db.example/pypi?pwd={SECRET}",
    "token in the query": f"postgresql://db.example/pypi?auth_token={SECRET}",
    "secret in the query": f"postgresql://db.example/pypi?client_secret={SECRET}",
    "an @ in a password in the query": f"redis://cache.example/0?password=x@{SECRET}",
    "a ? in a password in the query": f"redis://cache.example/0?password=x?{SECRET}",
    "in both": f"postgresql://app:{SECRET}@db.example/pypi?password={SECRET}",
}


def shown_settings(**settings):
    configuration = {"Environment": {"PYPICLOUD_SETTINGS": json.dumps(settings)}}
    return redact(configuration)["Environment"]["PYPICLOUD_SETTINGS"]


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_password_in_a_url_is_masked(url):
    shown = shown_settings(**{"db.url": url})["db.url"]
    assert SECRET not in shown
    assert MASK in shown


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_of_a_url_at_least_the_scheme_is_shown(url):
    """It says which kind of server is meant, and a password cannot be in it."""
    assert shown_settings(**{"db.url": url})["db.url"].startswith(url.partition("://")[0] + "://")


@pytest.mark.parametrize(
    "name",
    [
        *("db.password", "db.PASSWORD", "db.passwd", "db.passphrase", "db.sslpassword", "db.pwd"),
        *(
            "db.secret",
            "db.client_secret",
            "db.auth_token",
            "db.apikey",
            "db.api_key",
            "db.auth",
            "db.credentials",
        ),
        *("db.aws_access_key_id", "db.aws_secret_access_key", "db.aws_session_token", "db.sentinel_password"),
    ],
)
def test_an_option_that_is_called_like_a_secret_is_masked_whole(name):
    assert shown_settings(**{name: SECRET}) == {name: MASK}


def test_other_options_are_shown():
    settings = {
        "pypi.db": "dynamo",
        "db.region_name": "eu-west-1",
        "db.namespace": "eu-",
        "db.tablenames": "rows summaries",
        "db.graceful_reload": True,
        "storage.bucket": "packages",
        "storage.prefix": "pkgs/",
    }
    assert shown_settings(**settings) == settings


@pytest.mark.parametrize(
    "value",
    [{"url": f"redis://:{SECRET}@h"}, {"password": SECRET}, [f"redis://:{SECRET}@h"], [[{"token": SECRET}]]],
    ids=str,
)
def test_a_secret_deeper_in_somebodys_settings_is_masked(value):
    """A function that was made by hand may hold anything there, and -f shows it."""
    assert SECRET not in json.dumps(shown_settings(db=value))


@pytest.mark.parametrize("text", [SECRET, f'"{SECRET}"', f'["{SECRET}"]', f"{{'db.url': '{SECRET}'", ""])
def test_settings_that_are_no_object_are_masked_whole(text):
    assert redact({"Environment": {"PYPICLOUD_SETTINGS": text}}) == {
        "Environment": {"PYPICLOUD_SETTINGS": MASK}
    }


@pytest.mark.parametrize("name", ["PPC_DB_URL", "DEBUG", "pypicloud_settings", "PYPICLOUD_SETTINGS_2"])
def test_of_variables_that_somebody_added_only_the_name_is_shown(name):
    assert redact({"Environment": {name: SECRET}}) == {"Environment": {name: MASK}}


def test_the_rest_of_a_configuration_is_left_as_it_is_and_so_is_the_original():
    configuration = {"Timeout": 3, "Environment": {"X": SECRET}}
    assert redact(configuration) == {"Timeout": 3, "Environment": {"X": MASK}}
    assert configuration == {"Timeout": 3, "Environment": {"X": SECRET}}
    assert redact({"Timeout": 3}) == {"Timeout": 3}


# Through everything that is shown


def observations(desired, settings):
    """What AWS may have when a deployment is looked at."""
    yield "nothing", NOTHING
    yield "as wanted", deployed(desired)
    for what, environment in {
        "another password": {"PYPICLOUD_SETTINGS": settings.replace(SECRET, f"old-{SECRET}")},
        "another host": {"PYPICLOUD_SETTINGS": settings.replace("example", "invalid")},
        "variables of others": {"PYPICLOUD_SETTINGS": "{}", "DB_PASSWORD": SECRET, "X": SECRET},
        "no settings": {"PPC_DB_URL": f"redis://:{SECRET}@h"},
        "no JSON": {"PYPICLOUD_SETTINGS": f"db.url={SECRET}"},
    }.items():
        whole = deployed(desired)
        configuration = {**whole.function.configuration, "Timeout": 3, "Environment": environment}
        yield what, replace(whole, function=replace(whole.function, configuration=configuration))


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_the_password_is_nowhere_in_the_plan_and_status_documents(url):
    cache = "redis" if url.startswith("redis") else "sql"
    given = {"pypi__db": cache, "db__region_name": None, "db__url": url, "db__password": SECRET}
    settings, desired = make_settings(**given), make_desired(**given)
    sent = desired.function.configuration["Environment"]["PYPICLOUD_SETTINGS"]
    assert SECRET in sent, "the function itself must know it"
    for what, observed in observations(desired, sent):
        for force in (False, True):
            plan = plan_enable(desired, observed, "code", force=force)
            for document in (plan_document(plan, "enable"), status_document(plan, settings)):
                assert SECRET not in json.dumps(document), what
        document = plan_document(plan_disable(desired, observed), "disable")
        assert SECRET not in json.dumps(document), what


def test_settings_and_plans_never_show_a_password_in_their_repr():
    """They end up in tracebacks and logs."""
    given = {
        "pypi__db": "redis",
        "db__url": URLS["user"],
        "storage__aws_access_key_id": "AKIA",
        "storage__aws_secret_access_key": SECRET,
        "storage__aws_session_token": SECRET,
    }
    desired = make_desired(**given)
    plan = plan_enable(desired, NOTHING)
    for value in (
        make_settings(**given),
        desired,
        plan,
        *plan.actions,
        plan_enable(desired, deployed(desired)),
    ):
        assert SECRET not in repr(value)
