"""The HTTP API page documents all fields of the real documents, and no others."""

from __future__ import annotations

import datetime
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.cache.contents import Contents, result_of
from pypicloud_s3sync.deploy.models import Observed, Progress
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.deploy.problems import Problem
from pypicloud_s3sync.deploy.replication.documents import replication_document
from pypicloud_s3sync.deploy.replication.planner import plan_removal, plan_replication
from pypicloud_s3sync.deploy.state.activity import activity
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.exceptions import AwsError
from pypicloud_s3sync.reconcile.models import Count, Report
from pypicloud_s3sync.web.prometheus import PREFIX as METRICS
from pypicloud_s3sync.web.prometheus import exposition
from pypicloud_s3sync.web.views import ERRORS
from support.fakes import NOTHING, FakeClients, deployed, make_desired, make_settings, not_none, refusal
from support.replication import AP, EU, US, configuration, foreign, region, wanted

PAGE = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
#: A row of a table of fields: the field's path, with ``[]`` for each item of a list.
ROW = re.compile(r"^\| `([^`]+)` \| (?:string|integer|boolean|object|list|any)", re.MULTILINE)
#: Fields whose values come from AWS, in any form.
OPAQUE = ("before", "after", "policy")
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
DELIVERIES = ("direct", "sqs", "eventbridge")


def section(title: str) -> str:
    """Return the text of a section of the page."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/http-api.md has no section {title!r}"
    return found[1]


def documented(title: str) -> set[str]:
    """Return the fields that the tables of a section describe."""
    return set(ROW.findall(section(title)))


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every field of a document."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (inside := f"{path}.{key}" if path else str(key))
            if key not in OPAQUE:
                yield from paths(inner, inside)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from paths(item, f"{path}[]")


def assert_documented(title: str, documents: Sequence[Any]) -> None:
    """Fail if a section lacks a field, or describes a field that no document has."""
    real = {path for document in documents for path in paths(document)}
    missing, invented = sorted(real - documented(title)), sorted(documented(title) - real)
    assert not missing, f"docs/http-api.md, {title}: describe {', '.join(missing)}"
    assert not invented, f"docs/http-api.md, {title}: no document has {', '.join(invented)}"


def desired_by(delivery: str) -> Any:
    return make_desired(s3sync__delivery=delivery)


def test_every_field_of_the_status_document_is_described() -> None:
    problem = Problem("denied", "m", "r", {"Version": "2012-10-17"})
    documents = [
        status_document(compare(desired, observed), make_settings(), [problem])
        for desired in map(desired_by, DELIVERIES)
        for observed in (NOTHING, deployed(desired), changed(deployed(desired)))
    ]
    numbers = {"contents": Contents(Count(1), None, ("m",)).document(), "compared": result_of(Report(False))}
    assert_documented("Status document", [*documents, numbers])


def changed(observed: Observed) -> Observed:
    """Return AWS with another timeout and other code of a function, and with a role of another owner."""
    function, role = not_none(observed.function), not_none(observed.role)
    configuration = {**function.configuration, "Timeout": 3}
    return replace(
        observed,
        function=replace(function, configuration=configuration, code_sha256="other"),
        role=replace(role, tags={}),
    )


def test_every_field_of_the_plan_document_is_described() -> None:
    foreign = {"Id": "x", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:x", "Events": ["s3:ObjectAcl:Put"]}
    documents = []
    for desired in map(desired_by, DELIVERIES):
        shared = replace(NOTHING, notifications={"TopicConfigurations": [foreign]})
        documents += [
            plan_document(plan_enable(desired, shared), "enable"),
            plan_document(plan_disable(desired, deployed(desired)), "disable"),
            plan_document(compare(desired, changed(deployed(desired))), "enable"),
        ]
    assert_documented("Plan document", documents)


def test_every_field_of_the_result_of_replicate_is_described() -> None:
    opaque = ("lifecycle_rule", "needs[].statements", "batch_jobs[].role.trust")
    regions = [region(US, versioning="", configuration=configuration(foreign(destination=AP))), region(EU)]
    plan = plan_replication(regions)
    removal = plan_removal([replace(regions[0], configuration=configuration(wanted())), regions[1]])
    documents = [replication_document(plan), replication_document(removal)]
    found = {path for document in documents for path in paths(document)}
    real = {path for path in found if not any(path != name and path.startswith(name) for name in opaque)}
    assert documented("Result of replicate") == real | {"result", "message"}


def test_every_field_of_the_activity_document_is_described() -> None:
    line = {"action": "saved", "key": "a/x-1.0.tar.gz", "lag_ms": 3}
    metrics = [{"Id": name, "Timestamps": [NOW], "Values": [3.0]} for name in ("invocations", "failed")]
    answers = {
        "filter_log_events": {"events": [{"timestamp": 1_772_366_400_000, "message": json.dumps(line)}]},
        "get_metric_data": {"MetricDataResults": metrics},
    }
    clients: Any = FakeClients(answers)
    document = activity(clients, desired_by("direct").names, NOW)
    assert document["packages"]
    assert document["hours"]
    denied: Any = FakeClients(
        {"filter_log_events": refusal("AccessDenied"), "get_metric_data": refusal("AccessDenied")}
    )
    assert_documented("Activity document", [document, activity(denied, desired_by("direct").names, NOW)])


def test_every_field_of_a_line_of_the_stream_is_described() -> None:
    of_a_step = {field.name for field in fields(Progress)}
    assert documented("Stream of lines") == of_a_step | {"result", "message", "policy"}


def run_with(*ends: Any) -> Iterator[dict[str, Any]]:
    """Yield what other processes see of a run, before and after it ended with each of the errors."""
    settings = make_settings()
    for end in ends:
        with suppress(AwsError), run_lock.hold(settings, "enable", lambda progress: None) as (_, report):
            report(Progress("build bundle", "running", "zipped", 5, 6, "wheels are fetched"))
            yield {
                "state": "running",
                "in_sync": False,
                "healthy": False,
                "running": run_lock.current(settings),
            }
            if end is not None:
                raise end
        yield {"last_run": run_lock.last(settings)}


def test_every_field_of_a_run_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    documents = list(run_with(None, AwsError("m", "AccessDenied", "iam:GetRole")))
    for document in documents:
        document.get("last_run", {}).pop("policy", None)
    described = documented("The last run")
    assert_documented("Running document", documents[::2])
    real = {path for document in documents[1::2] for path in paths(document)}
    assert described == real | {"last_run.policy"}


@pytest.mark.parametrize(("status", "name"), sorted({(403, "csrf"), (500, "s3sync"), *ERRORS.values()}))
def test_every_kind_of_error_is_described_with_its_status(status: int, name: str) -> None:
    assert f"\n| {status} | `{name}` | " in section("Errors")


@pytest.mark.parametrize(
    "title", ["Status document", "Running document", "The last run", "Plan document", "Activity document"]
)
def test_an_example_of_a_document_has_only_fields_that_are_described(title: str) -> None:
    example = json.loads(section(title).split("```json\n")[1].split("```")[0])
    assert set(paths(example)) <= documented(title)


def test_every_metric_is_described() -> None:
    figures: Any = defaultdict(lambda: None, events={})
    body, _ = exposition(make_settings(), figures, None, "")
    real = set(re.findall(r"^# TYPE (\w+) ", body.decode(), re.MULTILINE))
    table = section("Metrics").partition("| --- |")[2]
    assert set(re.findall(rf"`({METRICS}\w+)`", table)) == real


@pytest.mark.parametrize("page", ["http-api.md", "production.md"])
def test_a_metric_of_an_example_exists(page: str) -> None:
    """An alert rule with a misspelt name never fires."""
    text = (Path(__file__).parents[2] / "docs" / page).read_text()
    assert set(re.findall(rf"{METRICS}\w+", text)) <= set(
        re.findall(rf"`({METRICS}\w+)`", section("Metrics"))
    )
