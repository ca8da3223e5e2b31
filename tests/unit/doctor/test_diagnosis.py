"""A canary is sent only if it will arrive, disappear everywhere, and never be listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.doctor import diagnosis
from pypicloud_s3sync.doctor.models import Facts, Finding, ok
from pypicloud_s3sync.exceptions import AwsError, UnreachableError
from support.examinations import facts, rule, rules
from support.fakes import BUCKET, FakeClients, make_settings


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The places to which a canary was sent."""
    places: list[Any] = []

    class Canary:
        def __init__(self, place: Any, report: Any) -> None:
            places.append(place)

        def send(self) -> Finding:
            return ok("sent")

    monkeypatch.setattr(diagnosis, "Canary", Canary)
    monkeypatch.setattr(diagnosis, "open_adapter", lambda settings: "adapter")
    return places


class Clients(FakeClients):
    """Clients whose bucket is its name."""

    def s3_bucket(self, name: str) -> Any:
        return f"bucket {name}"


def diagnose(monkeypatch: pytest.MonkeyPatch, given: Facts, *, canary: bool = True) -> dict[str, Any]:
    """Return the canary's check of an installation."""
    monkeypatch.setattr(diagnosis, "read_facts", lambda settings, clients: given)
    steps: list[Progress] = []
    clients: Any = lambda settings, region=None: Clients()  # noqa: E731
    found = diagnosis.diagnose(given.settings, steps.append, canary=canary, clients=clients)
    assert steps[0].message == "reading AWS and the cache"
    check: dict[str, Any] = found.document()["checks"][-1]
    assert check["check"] == "canary"
    return check


def test_without_the_option_none_is_sent(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    check = diagnose(monkeypatch, facts(), canary=False)
    assert (check["state"], check["remedy"]) == ("skipped", "add --canary to send a package through")
    assert not sent


@pytest.mark.parametrize(("replication", "replicates"), [(rules(rule()), True), (None, False)])
@pytest.mark.parametrize("storage", ["s3", "cloudfront"])
def test_one_is_sent_by_the_storage_of_the_server(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], replication: Any, replicates: bool, storage: str
) -> None:
    changes: dict[str, str | None] = {
        "pypi__storage": storage,
        "storage__prefix": "pypi/",
        "storage__prepend_hash": "false",
        "storage__storage_class": "STANDARD_IA",
        "storage__server_side_encryption": "AES256",
    }
    assert diagnose(monkeypatch, facts(settings=changes, replication=replication))["state"] == "ok"
    (place,) = sent
    assert (place.bucket, place.prefix, place.replicates) == (BUCKET, "pypi/", replicates)
    assert place.log_group == "/aws/lambda/sync"
    used = place.storage
    assert (used.bucket, used.bucket_prefix, used.prepend_hash) == (f"bucket {BUCKET}", "pypi/", False)
    assert (used.storage_class, used.sse) == ("STANDARD_IA", "AES256")


@pytest.mark.parametrize(
    ("given", "evidence", "remedy"),
    [
        (
            replace(facts(), settings=replace(make_settings(), cache="own.Cache", cache_backend=None)),
            "the cache own.Cache would list it",
            "",
        ),
        (facts(function=None), "these checks failed: function", "repair these first"),
        (
            facts(replication=rules(rule(DeleteMarkerReplication={"Status": "Disabled"}))),
            "these checks failed: delete_markers",
            "repair these first",
        ),
        (
            facts(replication=AwsError("AccessDenied for it", "AccessDenied")),
            "it might stay in another region",
            "see the check of replication",
        ),
        (
            facts(cache=UnreachableError("the cache cannot be reached: x")),
            "this host cannot reach the cache",
            "run it on a host that can reach the cache",
        ),
        (facts(fingerprint="others"), "the function has other code", "run `ppc-s3sync enable`"),
        (facts(fingerprint=AwsError("m")), "the function has other code", "run `ppc-s3sync enable`"),
    ],
)
def test_none_is_sent_if_it_could_stay_or_be_listed(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], given: Facts, evidence: str, remedy: str
) -> None:
    check = diagnose(monkeypatch, given)
    assert (check["state"], evidence in check["evidence"], check["remedy"]) == ("skipped", True, remedy), (
        check
    )
    assert not sent


def test_a_storage_class_that_cannot_be_created_is_named(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    def refuse(name: str) -> Any:
        raise TypeError("it needs a token")

    monkeypatch.setattr(diagnosis, "storage_class", refuse)
    check = diagnose(monkeypatch, facts())
    assert (check["state"], "TypeError: it needs a token" in check["evidence"]) == ("skipped", True)
