"""The panel in a real browser, in each state: pypicloud serves the page, the tests answer its requests."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.documents import RESOURCES, plan_document, status_document
from pypicloud_s3sync.deploy.health import Failing, failing_problem
from pypicloud_s3sync.deploy.plan.conflicts import conflicts
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.devtools.processes import wait_until
from support.browsers import WIDTHS
from support.fakes import NOTHING, deployed, make_desired, make_settings
from support.panels import ACTIVITY, SOON, Panel, Response, cut, stream

pytestmark = pytest.mark.xdist_group("panel states")

MINUS = "\N{MINUS SIGN}"
NOW = int(time.time())
HOUR = 3600
MIDNIGHT = 1_767_225_600  # in UTC
DESIRED = make_desired()
LONG_KEY = "a1b2/" + "an-uncommonly-long-name-" * 12 + "1.0.tar.gz"
#: What SSO proxies send to a browser whose session has ended.
LOGIN_PAGE = "<!doctype html><title>Sign in</title><form>…</form>"


def status_of(observed: Any, *problems: Any) -> dict[str, Any]:
    """Return the status document of what AWS has."""
    found = [*conflicts(DESIRED, observed), *problems]
    return status_document(compare(DESIRED, observed), make_settings(), found)


def function_of(observed: Any) -> Any:
    assert observed.function
    return observed.function


def with_memory(memory: int) -> Any:
    """Return what AWS has after someone changed the function's memory."""
    observed = deployed(DESIRED)
    configuration = {**function_of(observed).configuration, "MemorySize": memory}
    return replace(observed, function=replace(function_of(observed), configuration=configuration))


ON = status_of(deployed(DESIRED))
OFF = status_of(NOTHING)
DIFFERS = status_of(with_memory(1024))
PARTIAL = status_of(replace(deployed(DESIRED), notifications={}))
PAUSED = status_of(
    replace(deployed(DESIRED), function=replace(function_of(deployed(DESIRED)), reserved_concurrency=0))
)
FAILING = status_of(
    deployed(DESIRED), failing_problem(Failing(2_134_624, 250_053, MIDNIGHT), "/aws/lambda/sync")
)
FOREIGN = {
    "Id": "reports",
    "QueueArn": "arn:aws:sqs:eu-west-1:111122223333:q",
    "Events": ["s3:ObjectCreated:*"],
}
CONFLICT = status_of(replace(deployed(DESIRED), notifications={"QueueConfigurations": [FOREIGN]}))
ENABLE = plan_document(plan_enable(DESIRED, NOTHING), "enable")
REPAIR = plan_document(plan_enable(DESIRED, with_memory(1024)), "enable")
DISABLE = plan_document(plan_disable(DESIRED, deployed(DESIRED)), "disable")
PACKAGES = [
    {"time": NOW, "key": LONG_KEY, "action": "saved", "lag_ms": 258},
    {
        "time": NOW - 60,
        "key": "a/x-1.0.tar.gz",
        "action": "failed",
        "lag_ms": None,
        "error": "Throttled: slow down",
    },
    {"time": NOW - 120, "key": "a/y-1.0.tar.gz", "action": "cleared", "lag_ms": 75_400},
]
#: The last hour has a label, which must not leave the page.
HOURS = [
    {"time": MIDNIGHT - HOUR * (23 - hour), "events": 90_000 * (hour % 3), "errors": hour % 2}
    for hour in range(24)
]
BUSY_ACTIVITY = {**ACTIVITY, "packages": PACKAGES, "hours": HOURS}
STEPS = [
    {"step": "create permission", "state": "running", "message": "creating the permission"},
    {"step": "create permission", "state": "done", "message": "created the permission"},
    {"step": "update function", "state": "done", "message": "updated the function"},
]
RESULT = {"result": "ok", "message": "S3 sync is on."}


def running(*steps: dict[str, Any], since: int = NOW) -> dict[str, Any]:
    """Return the status document during a run."""
    run = {"command": "enable", "since": since, "steps": list(steps)}
    return {"state": "running", "in_sync": False, "running": run}


def ended(result: str, message: str, since: int = NOW, **more: Any) -> dict[str, Any]:
    """Return the ``last_run`` of a status document."""
    run = {"command": "enable", "since": since, "ended": since + 7, "steps": STEPS[1:]}
    return {**run, "result": result, "message": message, **more}


@pytest.fixture(scope="module")
def opened(chromium: Any, pages: str) -> Panel:
    """The panel, for all tests."""
    return Panel(chromium, pages, timezone_id="UTC")


@pytest.fixture
def panel(opened: Panel) -> Iterator[Panel]:
    """The panel at its usual width."""
    yield opened
    opened.page.set_viewport_size({"width": WIDTHS["wide"], "height": 900})
    opened.page.emulate_media(forced_colors="none", reduced_motion="no-preference")


# States


@pytest.mark.parametrize(
    ("status", "title", "is_good"),
    [
        (ON, "S3 sync is on", True),
        (OFF, "S3 sync is off", False),
        (PARTIAL, "S3 sync is incomplete", False),
        (DIFFERS, "S3 sync differs from the settings", False),
        (FAILING, "S3 sync is failing", False),
        (PAUSED, "S3 sync is paused", False),
        (CONFLICT, "Something is in the way of S3 sync", False),
        ({**ON, "state": "hibernating"}, "S3 sync: hibernating", False),
    ],
    ids=lambda value: value["state"] if isinstance(value, dict) else "",
)
def test_a_state_has_a_title_and_only_a_healthy_one_is_green(
    panel: Panel, status: dict[str, Any], title: str, is_good: bool
) -> None:
    panel.show(status, title)
    icon = panel.page.locator("#s3sync-title .fa")
    assert ("s3sync-good" in icon.get_attribute("class")) is is_good
    assert panel.page.title() == f"{title} - Pypicloud"
    assert panel.barriers() == []
    panel.page.evaluate("location.hash = '#/admin'")
    panel.page.locator("#s3sync-open:not(:has(.fa-spin))").wait_for(timeout=SOON)
    button = panel.page.locator("#s3sync-open")
    assert (button.locator(".s3sync-good").count() == 1) is is_good
    assert button.inner_text().strip() == ("Enable S3 sync" if status is OFF else title)


def test_problems_are_shown_with_their_remedy_and_policy(panel: Panel) -> None:
    denied = {"problem": "denied", "message": "It is unknown: x", "remedy": "y", "policy": {"Statement": []}}
    panel.show({**FAILING, "problems": [*FAILING["problems"], denied]}, "S3 sync is failing")
    text = panel.text()
    assert "250,053 of 2,134,624 events failed in the last 24 hours, beginning at Jan 1" in text
    assert "Read the errors in the log group /aws/lambda/sync" in text
    assert '"Statement": []' in text
    assert panel.buttons() == ["Disable S3 sync", "Refresh"]
    assert panel.barriers() == []


def test_what_is_between_backticks_is_shown_as_code_and_markup_as_text(panel: Panel) -> None:
    problems = [
        {
            "problem": "paused",
            "message": "<i>x</i> is 0",
            "remedy": "remove it with `aws x <b>` first",
        },
        *FAILING["problems"],
    ]
    panel.show({**PAUSED, "problems": problems}, "S3 sync is paused")
    assert panel.page.locator(".s3sync-message code").all_inner_texts() == [
        *("aws x <b>", "ppc-s3sync reconcile")
    ]
    text = panel.text()
    assert "<i>x</i> is 0." in text
    assert "Remove it with aws x <b> first." in text
    assert "`" not in text
    result = {"result": "failed", "message": "stopped: run `ppc-s3sync enable`"}
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=REPAIR, enable=stream(*STEPS, result))
    run(panel)
    assert panel.page.locator("#s3sync-outcome code").inner_text(timeout=SOON) == "ppc-s3sync enable"
    denied = Response(502, json.dumps({"error": "aws", "message": "use `x`"}))
    panel.show(denied, "The state of S3 sync is unknown")
    assert panel.page.locator(".s3sync-message code").inner_text() == "x"
    assert panel.announced() == ["The state of S3 sync is unknown", "use x"]


def test_warnings_are_shown_although_everything_works(panel: Panel) -> None:
    warning = "Lambda deprecates python3.12 on 2028-10-31: set `s3sync.runtime`"
    plans = [{**DISABLE, "warnings": [warning]}, {**REPAIR, "warnings": [warning]}]
    panel.show({**ON, "warnings": [warning]}, "S3 sync is on", plan=plans)
    assert panel.page.locator(".alert").all_inner_texts() == [warning.replace("`", "") + "."]
    assert panel.barriers() == []
    panel.click("Disable S3 sync")
    panel.title("Disable S3 sync?")
    assert "Lambda deprecates python3.12" not in panel.text()
    panel.answers[""] = {**DIFFERS, "warnings": [warning]}
    panel.click("Cancel")
    panel.click("Refresh")
    panel.click("Repair S3 sync")
    panel.title("Repair S3 sync?")
    assert panel.text().count("Lambda deprecates python3.12") == 1


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("arn:aws:sqs:eu-west-1:111122223333:alarms", ["go to {}, which someone else set"]),
        ("arn:aws:sns:eu-west-1:111122223333:topic", ["go to {}, which someone else set"]),
        (DESIRED.function.configuration["DeadLetterConfig"]["TargetArn"], []),
        (None, []),
    ],
)
def test_a_dead_letter_target_that_someone_else_set_is_shown(
    panel: Panel, target: str | None, shown: list[str]
) -> None:
    panel.show({**ON, "events": {**ON["events"], "dead_letter_target": target}}, "S3 sync is on")
    found = panel.page.locator("dt:text-is('failed events') + dd").all_inner_texts()
    assert found == [text.format(target) for text in shown]


def test_the_number_of_messages_is_apart_from_the_name_of_the_queue(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    row = panel.page.locator(".s3sync-parts li").filter(has_text="dead-letter queue")
    assert row.locator(".s3sync-messages").inner_text() == "0 messages"
    name, count = row.locator("div > div").bounding_box(), row.locator(".s3sync-messages").bounding_box()
    assert count["x"] > name["x"] + name["width"] + 8 or count["y"] >= name["y"] + name["height"]
    assert re.search(r"\s0 messages", row.text_content())


@pytest.mark.parametrize("status", [OFF, {**CONFLICT, "installed": False}], ids=["off", "conflict"])
def test_without_an_installation_no_activity_is_read_or_shown(panel: Panel, status: dict[str, Any]) -> None:
    panel.show(status, activity=BUSY_ACTIVITY)
    panel.page.locator("#s3sync-title:not(:has(.fa-spin))").wait_for(timeout=SOON)
    panel.click("Refresh")
    panel.page.locator(".fa-refresh:not(.fa-spin)").wait_for(timeout=SOON)
    assert panel.requests == ["GET", "GET"]
    assert panel.page.locator(".s3sync-chart, .s3sync-packages").count() == 0
    assert "Last synced" not in panel.text()


def test_a_conflict_is_shown_beside_the_parts_with_disable(panel: Panel) -> None:
    panel.show(CONFLICT, "Something is in the way of S3 sync")
    assert "reports" in panel.page.locator(".s3sync-problem").inner_text()
    assert panel.page.locator(".s3sync-parts li").count() == len(RESOURCES[Delivery.DIRECT])
    assert panel.buttons() == ["Disable S3 sync", "Refresh"]


def test_a_failed_package_has_its_error_under_its_key(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on", activity=BUSY_ACTIVITY)
    row = panel.page.get_by_role("row").filter(has_text="a/x-1.0.tar.gz")
    row.wait_for(timeout=SOON)
    assert row.locator(".s3sync-error").inner_text() == "Throttled: slow down"


def test_the_off_state_says_what_it_is_and_folds_the_parts(panel: Panel) -> None:
    panel.show(OFF, "S3 sync is off")
    assert OFF["about"] in panel.text()
    assert not panel.page.locator(".s3sync-parts").is_visible()
    panel.page.get_by_text("Parts", exact=True).press("Enter")
    assert panel.page.locator(".s3sync-parts li").all_inner_texts()[1].split() == [
        *("log", "group", "/aws/lambda/sync", "not", "created")
    ]


def test_a_part_that_differs_says_how_in_its_row(panel: Panel) -> None:
    panel.show(DIFFERS, "S3 sync differs from the settings")
    row = panel.page.locator(".s3sync-parts li").filter(has=panel.page.locator(".s3sync-difference"))
    assert row.locator(".s3sync-difference").all_inner_texts() == ["memory 1024 → 512 MB"]
    assert "s3sync-warning" in row.locator(".fa").first.get_attribute("class")


def test_a_row_says_how_old_the_code_is_in_words(panel: Panel) -> None:
    parts = [dict(part) for part in DIFFERS["resources"]]
    (function,) = [part for part in parts if part["resource"] == "function"]
    function["differences"] = [{"field": "code", "before": "different", "after": "current"}]
    panel.show({**DIFFERS, "resources": parts}, "S3 sync differs from the settings")
    texts = panel.page.locator(".s3sync-difference").all_inner_texts()
    assert texts == ["code not deployed by this tool → current"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("current", "current"),
        ("older", "older than the server's"),
        ("different", "not deployed by this tool"),
    ],
)
def test_the_code_is_named_by_its_age(panel: Panel, code: str, text: str) -> None:
    panel.show({**ON, "code": code}, "S3 sync is on")
    assert panel.page.locator("dt:text-is('code') + dd").inner_text() == text


def test_names_link_to_the_console_of_aws_and_wrap_under_themselves(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    panel.page.set_viewport_size({"width": WIDTHS["narrow"], "height": 900})
    links = panel.page.locator(".s3sync-parts a")
    urls = [part["console_url"] for part in ON["resources"] if "console_url" in part]
    assert [link.get_attribute("href") for link in links.all()] == urls
    assert len(urls) >= 3
    assert links.first.get_attribute("target") == "_blank"
    assert links.first.get_attribute("rel") == "noopener noreferrer"
    boxes = "link => [...link.firstChild.parentNode.getClientRects()].map(box => Math.round(box.left))"
    lefts = links.first.evaluate(boxes)
    assert len(set(lefts)) == 1 < len(lefts)
    metrics = panel.page.get_by_role("link", name="Metrics in the AWS console")
    assert metrics.get_attribute("href") == ON["metrics_url"]


# Plans


def test_a_plan_can_be_confirmed_at_its_top_and_at_its_bottom(panel: Panel) -> None:
    panel.show(OFF, "S3 sync is off", plan=ENABLE)
    panel.click("Enable S3 sync")
    panel.title("Enable S3 sync?")
    buttons = panel.page.locator(".s3sync-buttons:visible, .s3sync-plan:visible")
    assert [text.split() for text in buttons.all_inner_texts()][::2] == [["Enable", "Cancel"]] * 2
    assert panel.focus() == "s3sync-confirm"
    assert panel.barriers() == []


def plan_of(*actions: dict[str, Any]) -> dict[str, Any]:
    """Return a plan of a repair with other actions."""
    return {**REPAIR, "actions": list(actions)}


def lines_of_plan(panel: Panel, *actions: dict[str, Any]) -> list[str]:
    """Return the lines of a plan with these actions."""
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=plan_of(*actions))
    panel.click("Repair S3 sync")
    panel.title("Repair S3 sync?")
    lines: list[str] = panel.page.locator(".s3sync-line:visible").all_inner_texts()
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("older", "code older than the server's → current"),
        ("different", "code not deployed by this tool → current"),
        ("current", "code uploaded again"),
    ],
)
def test_a_plan_says_how_old_the_code_is_and_shows_no_hashes(panel: Panel, code: str, line: str) -> None:
    changes = [
        {"field": "fingerprint", "before": "ab" * 32, "after": "cd" * 32},
        {"field": "CodeSha256", "before": "x=", "after": "y="},
        {"field": "Architectures", "before": ["x86_64"], "after": ["arm64"]},
    ]
    action = {"verb": "update", "resource": "code", "name": "sync", "code": code, "changes": changes}
    assert lines_of_plan(panel, action) == [line, "architectures x86_64 → arm64"]


def test_a_plan_shows_what_differs_in_a_statement_of_a_policy(panel: Panel) -> None:
    def policy(**elements: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "arn:q"}
        return {"Statement": [{**statement, **elements}]}

    service = {"Service": "s3.amazonaws.com"}
    condition = {"ArnLike": {"aws:SourceArn": "arn:b"}, "StringEquals": {"aws:SourceAccount": ["1", "2"]}}
    changes = [
        {"field": "Policy", "before": policy(), "after": policy(Principal=service)},
        {"field": "Trust", "before": policy(), "after": policy(Condition=condition)},
    ]
    action = {"verb": "update", "resource": "queue", "name": "q", "changes": changes}
    before = "allow sqs:SendMessage arn:q principal *"
    sources = "ArnLike aws:SourceArn arn:b, StringEquals aws:SourceAccount 1, 2"
    assert lines_of_plan(panel, action) == [
        f"{MINUS} policy {before}",
        f"+ policy {before.replace('*', 'Service s3.amazonaws.com')}",
        f"{MINUS} trust {before}",
        f"+ trust {before} condition {sources}",
    ]


def test_a_plan_folds_long_lists_leaves_empty_values_out_and_has_units(panel: Panel) -> None:
    plan = json.loads(json.dumps(ENABLE))
    (create,) = [action for action in plan["actions"] if action["resource"] == "function"]
    create["changes"] += [
        {"field": name, "before": None, "after": value}
        for name, value in (("Layers", []), ("KmsKeyArn", ""), ("VpcConfig", {"SubnetIds": []}))
    ]
    plan["foreign"] = [{"id": f"entry-{number}", "events": [], "to": "arn:x"} for number in range(20)]
    panel.show(OFF, "S3 sync is off", plan=plan)
    panel.click("Enable S3 sync")
    panel.title("Enable S3 sync?")
    assert "retention 30 days" in panel.text()
    assert "memory" not in panel.text()
    assert "entry-7" not in panel.text()
    function = panel.page.locator(".s3sync-plan > li").filter(has_text="create function")
    function.locator("summary").press("Enter")
    text = panel.text()
    assert "memory 512 MB" in text
    assert "timeout 60 s" in text
    assert not re.search("layers|encryption|VPC", text)
    panel.page.get_by_text("20 other notifications").press("Enter")
    assert "entry-7" in panel.text()


def test_a_repair_says_repair_in_its_button_question_run_and_result(panel: Panel) -> None:
    panel.show([DIFFERS, ON], "S3 sync differs from the settings", plan=REPAIR, enable=stream(*STEPS, RESULT))
    panel.click("Repair S3 sync")
    panel.title("Repair S3 sync?")
    assert "memory 1024 → 512 MB" in panel.text()
    panel.click("Repair")
    panel.title("S3 sync is on")
    assert "Repaired" in panel.text()
    assert "POST /enable" in panel.requests


def test_failed_events_are_processed_again_with_one_click(panel: Panel) -> None:
    failed = {**ON, "events": {**ON["events"], "failed": 2}}
    done = {"step": "replay failed events", "state": "done", "message": "2 events processed."}
    result = {"result": "ok", "message": "2 events processed."}
    panel.show([failed, ON], "S3 sync is on", replay=stream(done, result))
    panel.click("Process 2 failed events again")
    panel.page.get_by_text("Processed failed events").wait_for(timeout=SOON)
    assert "POST /replay" in panel.requests
    panel.wait_for_buttons("Disable S3 sync", "Refresh")


# Runs


def run(panel: Panel, verb: str = "Repair") -> None:
    """Ask for a run and confirm it."""
    panel.click(f"{verb} S3 sync")
    panel.title(f"{verb} S3 sync?")
    panel.click(verb)


def test_success_is_said_once_with_the_number_of_packages_that_were_added(panel: Panel) -> None:
    added = "Added 1,234 packages that the cache lacked."
    last = {**RESULT, "message": f"S3 sync is on. {added}"}
    panel.show([PARTIAL, ON], "S3 sync is incomplete", plan=REPAIR, enable=stream(*STEPS, last))
    run(panel)
    panel.title("S3 sync is on")
    assert panel.text().count("S3 sync is on") == 1
    assert added in panel.text()
    assert panel.focus() == "s3sync-title"
    assert panel.barriers() == []


def test_what_was_missed_is_said_even_if_the_repaired_function_fails(panel: Panel) -> None:
    missed = "Events may have been missed, because parts were missing or different (queue)."
    last = {**RESULT, "message": f"S3 sync is on. {missed}"}
    panel.show([PARTIAL, FAILING], "S3 sync is incomplete", plan=REPAIR, enable=stream(*STEPS, last))
    run(panel)
    panel.title("S3 sync is failing")
    assert missed in panel.text()


def test_a_repair_that_added_nothing_says_no_more_than_the_title(panel: Panel) -> None:
    lines = [{"step": "update log group", "state": "done", "message": "updated the log group"}, RESULT]
    panel.show([DIFFERS, ON], "S3 sync differs from the settings", plan=REPAIR, enable=stream(*lines))
    run(panel)
    panel.title("S3 sync is on")
    assert panel.page.locator(".s3sync .alert-info").count() == 0


# The bucket and the cache


def contents(objects: int | None, rows: int | None, *, exact: bool = True, **more: Any) -> dict[str, Any]:
    """Return the status document of a working sync with the numbers of packages and rows."""
    counts: dict[str, Any] = {
        "objects": objects,
        "rows": rows,
        "objects_exact": exact,
        "rows_exact": exact,
        "problems": [],
    }
    return {**ON, "contents": {**counts, **more.pop("counts", {})}, "compared": None, **more}


COMPARED = {
    "at": MIDNIGHT,
    "dry_run": True,
    "in_sync": False,
    "objects": 12_345,
    "rows": 12_000,
    "differences": {"missing": 345, "gone": 0, "stale": 2, "summaries": 0},
    "repaired": 0,
    "failed": 0,
}


def fact(panel: Panel, name: str) -> str:
    text: str = panel.page.locator(f".s3sync-facts dt:text-is('{name}') + dd").inner_text()
    return text


def test_equal_numbers_of_packages_and_rows_need_nothing(panel: Panel) -> None:
    panel.show(contents(12_345, 12_345), "S3 sync is on")
    assert (fact(panel, "in the bucket"), fact(panel, "in the cache")) == ("12,345", "12,345")
    assert panel.buttons() == ["Disable S3 sync", "Refresh", "Reconcile", "Compare"]
    assert panel.page.locator("#s3sync-reconcile.btn-primary").count() == 0
    assert panel.barriers() == []


def test_numbers_that_differ_are_a_warning_with_reconcile_as_the_first_choice(panel: Panel) -> None:
    warning = "the bucket holds 3 packages, but the cache has 0 rows"
    panel.show(contents(3, 0, warnings=[warning]), "S3 sync is on")
    assert f"T{warning[1:]}." in panel.text()
    assert panel.page.locator("#s3sync-reconcile.btn-primary").count() == 1
    assert panel.barriers() == []


def test_numbers_that_are_not_exact_are_shown_as_such_with_the_last_comparison(panel: Panel) -> None:
    panel.show(contents(5000, 12_000, exact=False, compared=COMPARED), "S3 sync is on")
    assert (fact(panel, "in the bucket"), fact(panel, "in the cache")) == ("at least 5,000", "about 12,000")
    assert fact(panel, "compared").endswith("345 missing in the cache, 2 out of date")
    assert panel.page.locator("#s3sync-reconcile.btn-primary").count() == 1
    panel.show(contents(None, 7, counts={"problems": ["the bucket cannot be listed"]}), "S3 sync is on")
    assert fact(panel, "in the bucket") == "unknown"
    assert "The bucket cannot be listed." in panel.text()


def test_reconcile_shows_its_progress_and_what_it_has_repaired(panel: Panel) -> None:
    long = {"step": "repair", "state": "running", "message": "repairing 345 files", "done": 69, "total": 345}
    panel.show([contents(3, 0), running(long)], "S3 sync is on", reconcile=cut)
    panel.click("Reconcile")
    bar = panel.page.get_by_role("progressbar")
    bar.wait_for(timeout=SOON)
    assert bar.get_attribute("aria-valuenow") == "20"
    panel.title("Reconciling the cache with the bucket")
    assert panel.barriers() == []
    result = {"result": "ok", "message": "Repaired 345 differences. Bucket and cache are in sync."}
    panel.show([contents(3, 0), contents(3, 3)], "S3 sync is on", reconcile=stream(long, result))
    panel.click("Reconcile")
    panel.page.get_by_text(result["message"]).wait_for(timeout=SOON)
    assert fact(panel, "in the cache") == "3"
    assert panel.focus() == "s3sync-title"


def test_compare_changes_nothing(panel: Panel) -> None:
    result = {"result": "ok", "message": "Bucket and cache differ: 345 missing, 2 stale."}
    after = contents(3, 0, compared=COMPARED)
    panel.show([contents(3, 0), after], "S3 sync is on", reconcile=stream(result))
    panel.click("Compare")
    panel.page.get_by_text(result["message"]).wait_for(timeout=SOON)
    assert "POST /reconcile?dry_run=true" in panel.requests
    assert "345 missing in the cache" in fact(panel, "compared")


def test_the_admin_page_has_reconcile_beside_rebuild(panel: Panel) -> None:
    result = {"result": "ok", "message": "Repaired 2 differences. Bucket and cache are in sync."}
    panel.show(contents(3, 1), "S3 sync is on", reconcile=stream(result))
    panel.page.evaluate("location.hash = '#/admin'")
    button = panel.page.locator("#s3sync-admin-reconcile")
    button.wait_for(timeout=SOON)
    rebuild = panel.page.get_by_role("button", name="Rebuild package list").bounding_box()
    box = button.bounding_box()
    assert box["y"] == rebuild["y"]
    assert box["x"] > rebuild["x"]
    button.click()
    panel.page.get_by_text(result["message"]).wait_for(timeout=SOON)
    assert panel.requests.count("POST /reconcile") == 1
    # Opened again, the panel starts nothing.
    panel.page.evaluate("location.hash = '#/admin'")
    panel.page.locator("#s3sync-open").click()
    panel.title("S3 sync is on")
    assert panel.requests.count("POST /reconcile") == 1


@pytest.mark.parametrize(
    ("command", "steps", "text"),
    [
        ("enable", [], "Checked on"),
        ("enable", [{"step": "reconcile", "state": "done", "message": "compared"}], "Checked on"),
        ("enable", [{"step": "update code", "state": "skipped", "message": "not needed"}], "Checked on"),
        ("disable", [], "Checked on"),
        ("enable", STEPS[1:], "Repaired on"),
        ("enable", [{"step": "create function", "state": "done", "message": "x"}], "Enabled on"),
        ("disable", [{"step": "delete function", "state": "done", "message": "x"}], "Disabled on"),
    ],
)
def test_a_run_that_found_nothing_to_do_is_not_called_a_repair(
    panel: Panel, command: str, steps: list[dict[str, Any]], text: str
) -> None:
    last = {**ended("ok", "Nothing to do."), "command": command, "steps": steps}
    panel.show({**ON, "last_run": last}, "S3 sync is on")
    summary = panel.page.locator("summary", has_text=text).inner_text()
    assert summary.endswith(", in 7 s: nothing had to be changed" if text == "Checked on" else ", in 7 s")


def test_a_damaged_line_and_a_heartbeat_lose_no_other_line(panel: Panel) -> None:
    lines = ["", STEPS[0], '{"step": "cut o', "", "<html>", "null", *STEPS[1:], RESULT]
    panel.show([DIFFERS, ON], "S3 sync differs from the settings", plan=REPAIR, enable=stream(*lines))
    run(panel)
    panel.title("S3 sync is on")
    panel.page.locator("summary", has_text="Repaired").press("Enter")
    steps = panel.page.locator(".s3sync-steps li").all_inner_texts()
    assert [" ".join(step.split()[:4]) for step in steps] == [
        "done: created the permission",
        "done: updated the function",
    ]


def test_a_failed_run_says_why_and_which_policy_helps(panel: Panel) -> None:
    result = {"result": "failed", "message": "AccessDenied for iam:CreateRole", "policy": {"Statement": []}}
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=REPAIR, enable=stream(*STEPS, result))
    run(panel)
    panel.page.locator("#s3sync-outcome pre").wait_for(timeout=SOON)
    panel.page.wait_for_function("document.activeElement.id === 's3sync-outcome'", timeout=SOON)
    assert "AccessDenied for iam:CreateRole" in panel.text()
    assert panel.barriers() == []


@pytest.mark.parametrize(
    ("broken", "truth", "expected"),
    [
        (stream(STEPS[0]), ended("ok", "S3 sync is on."), "Repaired"),
        (
            stream(STEPS[0]),
            ended("failed", "AccessDenied for iam:CreateRole"),
            "AccessDenied for iam:CreateRole",
        ),
        (stream(STEPS[0]), ended("stopped", "The server stopped the run: start it again."), "start it again"),
        (cut, ended("ok", "S3 sync is on."), "Repaired"),
        (Response(504, "<html>Gateway Time-out</html>"), ended("ok", "S3 sync is on."), "Repaired"),
        (stream(STEPS[0]), None, "the server has no result of the run"),
    ],
    ids=["end lost", "failed", "stopped", "nothing received", "a proxy's page", "forgotten"],
)
def test_a_run_is_followed_after_a_break_and_ends_with_the_truth(
    panel: Panel, broken: Any, truth: dict[str, Any] | None, expected: str
) -> None:
    earlier = ended("failed", "an earlier failure", since=NOW - 100)
    after = {**ON, "last_run": truth or earlier}
    # While the page asks, the server is restarted.
    answers = [{**DIFFERS, "last_run": earlier}, cut, Response(502, "<html>"), running(STEPS[0]), after]
    panel.show(answers, "S3 sync differs from the settings", plan=REPAIR, enable=broken)
    run(panel)
    panel.page.get_by_text("This page asks again").wait_for(timeout=SOON)
    panel.hurry_to("S3 sync is on")
    text = panel.text()
    assert expected in text
    assert "an earlier failure" not in text
    assert "does not answer" not in text
    assert panel.page.locator(".s3sync .fa-spin").count() == 0
    assert panel.focus() in ("s3sync-title", "s3sync-outcome")


def test_a_run_has_its_result_even_if_aws_cannot_be_read_after_it(panel: Panel) -> None:
    body = {"error": "aws", "message": "AWS does not answer", "last_run": ended("failed", "no such role")}
    answers = [DIFFERS, running(STEPS[0]), Response(502, json.dumps(body))]
    panel.show(answers, "S3 sync differs from the settings", plan=REPAIR, enable=stream(STEPS[0]))
    run(panel)
    panel.hurry_to("The state of S3 sync is unknown")
    assert "AWS does not answer." in panel.text()
    assert "No such role." in panel.text()
    assert panel.page.locator(".s3sync .fa-spin").count() == 0


def test_a_second_tab_follows_the_run_that_is_in_its_way(panel: Panel) -> None:
    refusal = Response(409, json.dumps({"error": "conflict", "message": "enable is already running"}))
    after = {**ON, "last_run": ended("ok", "S3 sync is on.")}
    panel.show([DIFFERS, running(STEPS[0]), after], plan=REPAIR, enable=refusal)
    run(panel)
    panel.title("S3 sync is being changed")
    assert panel.buttons() == []
    panel.hurry_to("S3 sync is on")
    assert "already running" not in panel.text()


def test_a_second_tab_whose_rival_has_just_ended_does_not_speak_of_it_any_more(panel: Panel) -> None:
    refusal = Response(409, json.dumps({"error": "conflict", "message": "enable is already running"}))
    after = {**ON, "last_run": ended("ok", "S3 sync is on.")}
    panel.show([DIFFERS, after], "S3 sync differs from the settings", plan=REPAIR, enable=refusal)
    run(panel)
    panel.title("S3 sync is on")
    assert "Repaired on" in panel.text()
    assert "already running" not in panel.text()
    assert "enable is already running" in panel.announced()
    assert panel.focus() == "s3sync-title"


def test_a_run_of_another_admin_is_shown_with_elapsed_times_and_each_step_is_announced_once(
    panel: Panel,
) -> None:
    waiting = {"step": "build bundle", "state": "running", "message": "compiling", "done": 3, "total": 6}
    waiting["note"] = "wheels are fetched"
    done = {"step": "build bundle", "state": "done", "message": "built the bundle"}
    answers = [running(waiting), running(waiting), running(done, STEPS[0]), running(done, *STEPS[1:])]
    panel.show([*answers, {**ON, "last_run": ended("ok", "S3 sync is on.")}], "S3 sync is being changed")
    assert panel.page.get_by_role("progressbar").get_attribute("aria-valuenow") == "50"
    panel.page.locator(".s3sync-elapsed").first.wait_for(timeout=SOON)
    assert "Wheels are fetched." in panel.text()
    assert re.fullmatch(r"\d+ s", panel.page.locator(".s3sync-elapsed").first.inner_text())
    panel.hurry_to("S3 sync is on")
    assert panel.announced() == [
        *("S3 sync is being changed", "built the bundle", "created the permission", "updated the function"),
        "S3 sync is on",
    ]


def test_the_activity_is_read_after_a_run_of_another_admin(panel: Panel) -> None:
    after = {**ON, "last_run": ended("ok", "S3 sync is on.")}
    panel.show([running(STEPS[0]), after], "S3 sync is being changed", activity=BUSY_ACTIVITY)
    panel.hurry_to("S3 sync is on")
    panel.page.locator(".s3sync-chart").wait_for(timeout=SOON)
    assert panel.page.locator(".s3sync .fa-spin").count() == 0
    assert panel.requests.count("GET /activity") == 1


def test_a_run_that_the_server_stopped_is_shown_after_a_reload(panel: Panel) -> None:
    stopped = ended("stopped", "The server was stopped during the run: start it again.")
    panel.show({**PARTIAL, "last_run": stopped}, "S3 sync is incomplete")
    assert "start it again" in panel.text()


def silent(route: Any) -> None:
    """Leave a request without an answer."""


# Sessions and answers that are none


LOGGED_OUT = {
    "a challenge": Response(401, "", WWW_Authenticate='Basic realm="pypi"'),
    "a plain 401": Response(401, "401 Unauthorized"),
    "a 401 in JSON": Response(401, '{"message": "token expired"}', content_type="application/json"),
    "a login page": Response(200, LOGIN_PAGE, content_type="text/html"),
    "a redirect": Response(302, "", Location="https://sso.example/login"),
}


@pytest.mark.parametrize("name", LOGGED_OUT)
def test_a_lost_session_is_named_with_the_way_back(panel: Panel, name: str) -> None:
    panel.show(LOGGED_OUT[name], "You are logged out", activity=LOGGED_OUT[name])
    assert panel.buttons() == [
        "Log in" if "401" in name or "challenge" in name else "Reload the page",
        "Refresh",
    ]
    assert panel.page.title().startswith("You are logged out")
    assert panel.barriers() == []
    panel.answers[""] = ON
    panel.click("Refresh")
    panel.title("S3 sync is on")


@pytest.mark.parametrize("name", LOGGED_OUT)
def test_a_session_that_is_lost_before_or_during_a_run_is_named(panel: Panel, name: str) -> None:
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=LOGGED_OUT[name])
    panel.click("Repair S3 sync")
    panel.title("You are logged out")
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=REPAIR, enable=LOGGED_OUT[name])
    run(panel)
    panel.title("You are logged out")
    panel.show([DIFFERS, LOGGED_OUT[name]], plan=REPAIR, enable=stream(STEPS[0]))
    run(panel)
    panel.title("You are logged out")
    assert "The run may still be in progress" in panel.text()
    assert panel.page.locator(".s3sync .fa-spin").count() == 0


def test_the_servers_own_answer_without_a_session_is_understood(chromium: Any, pages: str) -> None:
    """Without a challenge: the browser would open its own dialog, and the page would wait for it."""
    panel = Panel(chromium, pages)
    panel.show(ON, "S3 sync is on")
    panel.answers[""] = [None]
    panel.context.clear_cookies()
    with panel.page.expect_response("**/admin/s3sync") as answer:
        panel.click("Refresh")
    panel.title("You are logged out")
    assert answer.value.status == 401
    assert "www-authenticate" not in answer.value.all_headers()
    link = panel.page.get_by_role("link", name="Log in")
    assert link.get_attribute("href").endswith("/acct/login")
    panel.context.close()


@pytest.mark.parametrize(
    "answer",
    [
        *(
            Response(200, body, content_type="application/json")
            for body in ("[]", "{}", "null", '"on"', '{"state"')
        ),
        Response(200, "", content_type="application/json"),
        Response(200, "ok", content_type="text/plain"),
        Response(204),
        Response(403, "Forbidden"),
        Response(404, "<html>404"),
        Response(500, "Internal Server Error"),
        Response(502, "<html>Bad Gateway"),
        cut,
    ],
    ids=range(13),
)
def test_an_answer_that_is_no_document_is_an_error_without_buttons_that_change_anything(
    panel: Panel, answer: Any
) -> None:
    panel.show(answer, "The state of S3 sync is unknown", activity=answer)
    assert not {"Enable S3 sync", "Repair S3 sync", "Disable S3 sync"} & set(panel.buttons())
    assert panel.page.locator(".alert .s3sync-message").first.inner_text().strip()
    panel.show(OFF, "S3 sync is off", plan=answer)
    panel.click("Enable S3 sync")
    panel.page.locator("#s3sync-outcome, .alert").first.wait_for(timeout=SOON)


def test_a_server_that_never_answers_is_not_waited_for_without_end(panel: Panel) -> None:
    """Its connections stay open, as those through a proxy to a server that hangs."""
    panel.show(silent)
    panel.hurry_to("The state of S3 sync is unknown")
    assert "The server does not answer." in panel.text()
    after = {**ON, "last_run": ended("ok", "S3 sync is on.")}
    panel.show([DIFFERS, after], "S3 sync differs from the settings", plan=REPAIR, enable=silent)
    run(panel)
    panel.hurry_to("S3 sync is on")


def test_a_page_from_before_another_login_is_to_be_reloaded(panel: Panel) -> None:
    refusal = Response(
        403, '{"error": "csrf", "message": "reload the page"}', content_type="application/json"
    )
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=REPAIR, enable=refusal)
    run(panel)
    panel.page.get_by_role("button", name="Reload the page").wait_for(timeout=SOON)
    with panel.page.expect_navigation():
        panel.click("Reload the page")
    panel.title("S3 sync differs from the settings")


def test_settings_with_which_s3_sync_cannot_work_are_named(panel: Panel) -> None:
    panel.show([None], "S3 sync cannot work with these settings")
    assert "file is not in S3" in panel.text() or "pypi.storage" in panel.text()
    assert "Change the settings in pypicloud's ini file" in panel.text()


# The Admin page


def test_the_admin_page_asks_for_a_recent_answer_only(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    panel.requests.clear()
    panel.page.get_by_role("link", name="Admin").first.click()
    panel.page.get_by_role("link", name="S3 sync is on").wait_for(timeout=SOON)
    assert panel.requests == ["GET  max-age=60"]


def test_the_admin_page_of_a_second_tab_follows_a_run_to_its_end(panel: Panel) -> None:
    after = {**ON, "last_run": ended("ok", "S3 sync is on.")}
    panel.show([running(STEPS[0]), running(STEPS[0]), running(STEPS[0]), after], "S3 sync is being changed")
    panel.page.get_by_role("link", name="Admin").first.click()
    panel.page.locator("#s3sync-open").get_by_text("S3 sync is being changed").wait_for(timeout=SOON)
    wait_for_button(panel, "S3 sync is on")


def test_the_admin_page_asks_again_if_another_request_is_reading_aws(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    busy = Response(503, json.dumps({"error": "busy", "message": "another request is reading AWS"}))
    panel.answers[""] = [busy, busy, ON]
    panel.page.get_by_role("link", name="Admin").first.click()
    wait_for_button(panel, "S3 sync is on")
    assert panel.requests[-3:] == ["GET  max-age=60"] * 3


def wait_for_button(panel: Panel, text: str) -> None:
    """Wait until the button on the Admin page has a text, and let its timers end early."""
    button = panel.page.locator("#s3sync-open")

    def has_text() -> bool:
        panel.page.clock.fast_forward(6000)
        panel.page.wait_for_timeout(50)
        shown: str = button.inner_text()
        return shown.strip() == text

    wait_until(has_text, f"the button says {text!r}", 15)


#: Goes to the Admin page and back to the panel, a number of times.
VISITS = """async (times) => {
    const shown = async (selector) => {
        while (!document.querySelector(selector)) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (let time = 0; time < times; time++) {
        location.hash = "#/admin";
        await shown("#s3sync-open .s3sync-good");
        location.hash = "#/admin/s3sync";
        await shown("#s3sync-title .s3sync-good");
    }
}"""


def test_visits_of_the_admin_page_leave_nothing_behind(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    client = panel.context.new_cdp_session(panel.page)

    def visit(times: int) -> dict[str, int]:
        panel.page.evaluate(VISITS, times)
        client.send("HeapProfiler.collectGarbage")
        counts: dict[str, int] = client.send("Memory.getDOMCounters")
        return counts

    before, after = visit(5), visit(50)
    for name in ("nodes", "jsEventListeners"):
        assert after[name] < 1.2 * before[name], (
            f"{name}: {before[name]} before, {after[name]} after 50 visits"
        )


# Access


def test_the_focus_is_never_lost(panel: Panel) -> None:
    page = panel.page
    panel.show([OFF, OFF, ON], "S3 sync is off", plan=ENABLE, enable=stream(*STEPS, RESULT))
    assert panel.focus() == "s3sync-title"
    page.get_by_role("button", name="Refresh").press("Enter")
    page.wait_for_function("!document.querySelector('.s3sync .fa-spin')")
    assert panel.focus() == "Refresh"
    page.get_by_role("button", name="Enable S3 sync").press("Enter")
    page.wait_for_function("document.activeElement.id === 's3sync-confirm'", timeout=SOON)
    page.get_by_role("button", name="Cancel").first.press("Enter")
    page.wait_for_function("document.activeElement.id === 's3sync-title'", timeout=SOON)
    page.get_by_role("button", name="Enable S3 sync").press("Enter")
    page.get_by_role("button", name="Enable", exact=True).first.press("Enter")
    panel.title("S3 sync is on")
    assert panel.focus() == "s3sync-title"
    page.get_by_role("link", name="Admin").last.press("Enter")
    page.wait_for_function("document.activeElement.id === 's3sync-open'", timeout=SOON)
    page.locator("#s3sync-open").press("Enter")
    page.wait_for_function("document.activeElement.id === 's3sync-title'", timeout=SOON)


def test_the_focus_moves_to_the_title_if_its_button_disappears(panel: Panel) -> None:
    panel.show([ON, Response(500, "")], "S3 sync is on")
    panel.page.get_by_role("button", name="Refresh").press("Enter")
    panel.title("The state of S3 sync is unknown")
    panel.page.wait_for_function("document.activeElement.id === 's3sync-title'", timeout=SOON)


def test_a_focus_that_the_page_sets_is_visible(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    panel.page.mouse.click(5, 5)
    panel.page.evaluate("document.getElementById('s3sync-title').focus()")
    assert panel.style("#s3sync-title", "outlineStyle") == "solid"
    assert panel.style("#s3sync-title", "outlineWidth") == "2px"


def test_each_step_is_announced_once_and_a_repeated_text_again(panel: Panel) -> None:
    panel.show(DIFFERS, "S3 sync differs from the settings", plan=REPAIR, enable=stream(*STEPS, RESULT))
    panel.click("Refresh")
    panel.page.wait_for_function("document.querySelectorAll('[s3sync-live-region] p').length === 2")
    assert panel.announced() == ["S3 sync differs from the settings"] * 2
    run(panel)
    panel.page.get_by_text("Repaired").wait_for(timeout=SOON)
    assert panel.announced()[2:6] == [
        *("Reading the current state from AWS", "Repairing S3 sync"),
        *("created the permission", "updated the function"),
    ]
    assert panel.page.locator("[s3sync-live-region]").get_attribute("aria-live") == "polite"


def luminance(color: str) -> float:
    """Return the relative luminance of ``rgb(…)`` (WCAG 2.1)."""
    values = [int(value) / 255 for value in re.findall(r"\d+", color)[:3]]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_bars_differ_in_brightness_and_shape_and_a_single_error_is_visible(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on", activity=BUSY_ACTIVITY)
    panel.page.locator(".s3sync-chart").wait_for(timeout=SOON)
    events = panel.style(".s3sync-hour .s3sync-events", "backgroundColor")
    errors = panel.style(".s3sync-hour .s3sync-errors", "backgroundColor")
    assert min(contrast(events, errors), contrast(events, "rgb(255, 255, 255)")) >= 3
    boxes = panel.page.locator(".s3sync-hour").last
    wide, narrow = (boxes.locator(f".s3sync-{name}").bounding_box() for name in ("events", "errors"))
    assert wide["width"] > 1.5 * narrow["width"]
    assert narrow["height"] >= 3


def test_bars_and_legend_are_visible_in_forced_colors(panel: Panel) -> None:
    panel.page.emulate_media(forced_colors="active")
    panel.show(ON, "S3 sync is on", activity=BUSY_ACTIVITY)
    panel.page.locator(".s3sync-chart").wait_for(timeout=SOON)
    canvas = panel.style("body", "backgroundColor")
    for where in (".s3sync-hour", ".s3sync-legend"):
        assert panel.style(f"{where} .s3sync-errors", "backgroundColor") != canvas
        assert panel.style(f"{where} .s3sync-events", "borderTopWidth") == "1px"


def test_the_values_of_the_chart_are_in_a_table_that_the_keyboard_reaches(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on", activity=BUSY_ACTIVITY)
    panel.page.get_by_text("Values as a table").press("Enter")
    rows = panel.page.get_by_role("table", name="Last 24 hours").get_by_role("row")
    assert rows.count() == 25
    assert panel.page.locator(".s3sync-at").count() == 4
    assert panel.barriers() == []


@pytest.mark.parametrize("width", [WIDTHS["narrow"], 640, 320])
def test_nothing_is_hidden_at_a_large_zoom_or_on_a_phone(panel: Panel, width: int) -> None:
    """A window of 1280 pixels at 200 % has 640 CSS pixels."""
    name = "a-name-" * 20
    status = {**DIFFERS, "resources": [{**part, "name": name} for part in DIFFERS["resources"]]}
    panel.page.set_viewport_size({"width": width, "height": 900})
    panel.show(status, "S3 sync differs from the settings", activity=BUSY_ACTIVITY, plan=REPAIR)
    panel.page.get_by_text("258 ms").wait_for(timeout=SOON)
    overflowing = """() => [...document.querySelectorAll('.s3sync *:not(.sr-only):not(pre)')]
        .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
        .map(element => element.outerHTML.slice(0, 100))"""
    assert panel.page.evaluate(overflowing) == []
    assert panel.page.get_by_text("1 min 15 s").is_visible()
    panel.click("Repair S3 sync")
    panel.title("Repair S3 sync?")
    assert panel.page.evaluate(overflowing) == []


def test_nothing_turns_if_motion_is_to_be_reduced(panel: Panel) -> None:
    panel.page.emulate_media(reduced_motion="reduce")
    panel.show(running(STEPS[0]), "S3 sync is being changed")
    assert panel.style("#s3sync-title .fa-spin", "animationName") == "none"
    panel.answers[""] = ON
    panel.hurry_to("S3 sync is on")


def test_the_title_of_the_page_is_pypiclouds_again_after_the_panel(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on")
    panel.page.goto(f"{panel.url}/#/")
    panel.page.wait_for_function("document.title === 'Pypicloud'", timeout=SOON)


def test_times_and_numbers_are_in_the_readers_locale_with_the_zone(chromium: Any, pages: str) -> None:
    reader = Panel(chromium, pages, locale="de-DE", timezone_id="Asia/Kolkata")
    packages = [{"time": MIDNIGHT, "key": "a/x-1.0.tar.gz", "action": "saved", "lag_ms": 1500}]
    reader.show(ON, "S3 sync is on", activity={**BUSY_ACTIVITY, "packages": packages})
    cells = reader.page.get_by_role("cell").all_inner_texts()
    assert (cells[0], cells[2]) == ("1. Jan., 5:30:00 GMT+5:30", "1,5 s")
    assert "2.160.000 events" in reader.text()
    reader.show({**ON, "last_run": ended("ok", "S3 sync is on.", since=MIDNIGHT)}, "S3 sync is on")
    assert "on 1. Jan., 5:30:07 GMT+5:30" in reader.text()
    reader.context.close()
