"""Runs, lost sessions and broken answers in the panel, in a real browser: the tests answer its requests."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pypicloud_s3sync.devtools.processes import wait_until
from support.panel_documents import (
    BUSY_ACTIVITY,
    DIFFERS,
    FAILING,
    MIDNIGHT,
    NOW,
    OFF,
    ON,
    PARTIAL,
    REPAIR,
    RESULT,
    STEPS,
    ended,
    running,
)
from support.panels import SOON, Panel, Response, cut, run, silent, stream

pytestmark = [pytest.mark.xdist_group("panel runs"), pytest.mark.untraced]


# Runs


def test_success_is_said_once_with_the_number_of_packages_that_were_added(panel: Panel) -> None:
    added = "Added 1,234 packages that the cache lacked."
    last = {**RESULT, "message": f"S3 sync is on. {added}"}
    panel.show([PARTIAL, ON], "S3 sync is incomplete", plan=REPAIR, enable=stream(*STEPS, last))
    run(panel)
    panel.title("S3 sync is on")
    assert panel.text().count("S3 sync is on") == 1
    assert added in panel.text()
    panel.focused("s3sync-title")
    assert panel.barriers() == []


def test_what_was_missed_is_said_even_if_the_repaired_function_fails(panel: Panel) -> None:
    missed = "Events may have been missed, because resources were missing or different (queue)."
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


def test_one_of_something_is_named_in_the_right_form(panel: Panel) -> None:
    repaired = {**COMPARED, "in_sync": True, "repaired": 1}
    events: dict[str, Any] = {"events": {**ON["events"], "failed": 1}, "foreign_notifications": 1}
    panel.show(contents(3, 3, compared=repaired, **events), "S3 sync is on")
    assert fact(panel, "compared").endswith("1 difference was repaired")
    assert panel.buttons()[0] == "Process 1 failed event again"
    assert "1 other notification on this bucket will not be changed." in panel.text()


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
    # The status is read again after the result is shown.
    wait_until(lambda: fact(panel, "in the cache") == "3", "the cache has 3 files")
    panel.focused("s3sync-title")


def test_compare_changes_nothing(panel: Panel) -> None:
    result = {"result": "ok", "message": "Bucket and cache differ: 345 missing, 2 stale."}
    after = contents(3, 0, compared=COMPARED)
    panel.show([contents(3, 0), after], "S3 sync is on", reconcile=stream(result))
    panel.click("Compare")
    panel.page.get_by_text(result["message"]).wait_for(timeout=SOON)
    assert "POST /reconcile?dry_run=true" in panel.requests
    wait_until(lambda: "345 missing in the cache" in fact(panel, "compared"), "the comparison is shown")


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
    panel.focused("s3sync-title", "s3sync-outcome")


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
    panel.focused("s3sync-title")


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


# Sessions and answers that are none

#: What SSO proxies send to a browser whose session has ended.
LOGIN_PAGE = "<!doctype html><title>Sign in</title><form>…</form>"
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
