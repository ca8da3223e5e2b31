"""The panel and the Admin page in a real browser, in each state: the tests answer its requests."""

from __future__ import annotations

import io
import itertools
import json
import re
from typing import Any

import pytest
from rich.console import Console

from pypicloud_s3sync.cli.console import show_status
from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.state.status_document import RESOURCES
from pypicloud_s3sync.devtools.processes import wait_until
from support.browsers import WIDTHS
from support.panel_documents import (
    BUSY_ACTIVITY,
    CONFLICT,
    DESIRED,
    DIFFERS,
    DISABLE,
    ENABLE,
    FAILING,
    OFF,
    ON,
    PARTIAL,
    PAUSED,
    REPAIR,
    RESULT,
    STEPS,
    ended,
    running,
)
from support.panels import SOON, Panel, Response, run, stream

pytestmark = [pytest.mark.xdist_group("panel states"), pytest.mark.slow, pytest.mark.untraced]


MINUS = "\N{MINUS SIGN}"
BUSY = Response(503, json.dumps({"error": "busy", "message": "another request is reading AWS"}))


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


@pytest.mark.parametrize(
    ("waiting", "failed", "text"),
    [
        ((0, None), (0, None), "0 waiting, 0 failed"),
        ((1234, 45), (0, None), "1,234 waiting (the oldest for 45 s), 0 failed"),
        ((3, 0), (2, 7200), "3 waiting (the oldest for 0 s), 2 failed (the oldest for 2 h)"),
        ((1, 3599), (1, 200_000), "1 waiting (the oldest for 59 min), 1 failed (the oldest for 2 d)"),
    ],
)
def test_what_waits_and_what_failed_has_its_age_in_the_words_of_the_command_line(
    panel: Panel, waiting: tuple[int, int | None], failed: tuple[int, int | None], text: str
) -> None:
    events = {
        **ON["events"],
        "waiting": waiting[0],
        "oldest_waiting_seconds": waiting[1],
        "failed": failed[0],
        "oldest_failed_seconds": failed[1],
    }
    status = {**ON, "events": events}
    panel.show(status, "S3 sync is on")
    assert panel.page.locator("dt:text-is('events') + dd").inner_text() == text
    assert panel.barriers() == []
    output = io.StringIO()
    show_status(Console(file=output), status)
    (row,) = re.findall(r"^  events +(.*)$", output.getvalue(), re.MULTILINE)
    assert row == text


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
    panel.focused("s3sync-confirm")
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


# A server that reads AWS for someone else


def test_a_page_that_is_reloaded_while_aws_is_read_asks_again_by_itself(panel: Panel) -> None:
    panel.show([BUSY, BUSY, DIFFERS], activity=[BUSY, BUSY_ACTIVITY], plan=[BUSY, REPAIR])
    panel.hurry_to("S3 sync differs from the settings")
    assert panel.requests[:3] == ["GET"] * 3
    spinning = panel.page.locator(".s3sync .fa-spin")
    wait_until(lambda: has_passed(panel, 3000, not spinning.count()), "all is read")
    assert "a/y-1.0.tar.gz" in panel.text()
    panel.click("Repair S3 sync")
    panel.hurry_to("Repair S3 sync?")
    assert not any("another request" in text for text in panel.announced())


def test_a_page_does_not_ask_a_busy_server_for_ever(panel: Panel) -> None:
    panel.show(BUSY)
    panel.hurry_to("The state of S3 sync is unknown")
    assert "Another request is reading AWS." in panel.text()
    panel.wait_for_buttons("Refresh")


def test_a_page_that_was_left_does_not_ask_a_busy_server_again(panel: Panel) -> None:
    panel.show(BUSY)
    wait_until(lambda: has_passed(panel, 0, panel.requests), "the state was requested")
    panel.page.evaluate("location.hash = '#/'")
    panel.page.locator(".s3sync").wait_for(state="detached", timeout=SOON)
    panel.requests.clear()
    for _ in range(5):
        has_passed(panel, 3000, True)
    # One more, if the page was left during a pause.
    assert len(panel.requests) <= 1


def has_passed(panel: Panel, milliseconds: int, result: Any) -> Any:
    """Return a result after the page's clock was moved, so that its timers end early."""
    panel.page.clock.fast_forward(milliseconds)
    panel.page.wait_for_timeout(50)
    return result


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
    panel.answers[""] = [BUSY, BUSY, ON]
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

    # The browser keeps a view or two for a while. What a visit leaves behind would be more each time.
    counts = [visit(3) for _ in range(7)]
    for name in ("nodes", "jsEventListeners"):
        numbers = [count[name] for count in counts]
        assert any(after <= before for before, after in itertools.pairwise(numbers)), f"{name}: {numbers}"


def test_an_answer_for_a_panel_that_was_left_changes_nothing(panel: Panel) -> None:
    held: list[Any] = []
    panel.show(ON, "S3 sync is on")
    panel.answers[""] = held.append
    panel.click("Refresh")
    wait_until(lambda: panel.page.wait_for_timeout(20) or held, "the status was requested", SOON / 1000)
    panel.show(OFF, "S3 sync is off")
    asked = len(panel.requests)
    with panel.page.expect_response("**/admin/s3sync"):
        held[0].fulfill(json=running())
    panel.page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    assert panel.announced() == ["S3 sync is off"]
    panel.page.clock.fast_forward(60_000)
    assert panel.requests[asked:] == []
