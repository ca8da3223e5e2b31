"""What people see of plans, states and steps."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from pypicloud_s3sync.cli.console import plan_summary, show_plan, show_status

ONE_UPDATE = "0 to create, 1 to update, 0 to delete."


def make_console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def action(verb: str, *changes: tuple[str, Any, Any], resource: str = "function") -> dict[str, Any]:
    fields = [{"field": field, "before": before, "after": after} for field, before, after in changes]
    return {"verb": verb, "resource": resource, "name": "sync", "changes": fields}


def plan(*actions: dict[str, Any], command: str = "enable", foreign: int = 0) -> dict[str, Any]:
    return {
        "command": command,
        "function": "sync",
        "region": "eu-west-1",
        "bucket": "packages",
        "in_sync": not actions,
        "foreign_notifications": foreign,
        "actions": list(actions),
    }


def status(**more: Any) -> dict[str, Any]:
    return {
        "state": "on",
        "in_sync": True,
        "bucket": "packages",
        "prefix": "",
        "region": "eu-west-1",
        "cache": "dynamo",
        "runtime": "python3.12",
        "architecture": "x86_64",
        "delivery": "direct",
        "events": {
            "waiting": 0,
            "oldest_waiting_seconds": None,
            "failed": 0,
            "oldest_failed_seconds": None,
            "dead_letter_target": None,
        },
        "foreign_notifications": 0,
        "resources": [{"resource": "role", "name": "sync-role", "state": "ok"}],
        **more,
    }


def shown_plan(document: dict[str, Any]) -> list[str]:
    console = make_console()
    show_plan(console, document)
    return printed(console).splitlines()


def shown_status(document: dict[str, Any]) -> list[str]:
    console = make_console()
    show_status(console, document)
    return printed(console).splitlines()


# Plans


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        (plan(), "Nothing to do."),
        (plan(command="disable"), "Nothing to remove."),
        (
            plan(action("create"), action("create"), action("delete")),
            "2 to create, 0 to update, 1 to delete.",
        ),
        (
            plan(action("update"), foreign=1),
            f"{ONE_UPDATE} 1 other notification on this bucket will not be changed.",
        ),
        (
            plan(action("update"), foreign=2),
            f"{ONE_UPDATE} 2 other notifications on this bucket will not be changed.",
        ),
    ],
)
def test_a_plan_has_a_summary(document: dict[str, Any], summary: str) -> None:
    assert plan_summary(document) == summary
    assert shown_plan(document)[-1] == summary


def test_a_changed_field_is_shown_with_both_values() -> None:
    assert shown_plan(plan(action("update", ("MemorySize", 512, 1024)))) == [
        "sync in eu-west-1, bucket packages",
        "",
        "~ function  sync",
        "    - MemorySize: 512",
        "    + MemorySize: 1024",
        "",
        ONE_UPDATE,
    ]


def test_a_created_field_is_shown_without_a_previous_value() -> None:
    lines = shown_plan(plan(action("create", ("MemorySize", 128, 1024))))
    assert "    + MemorySize: 1024" in lines
    assert "    - MemorySize: 128" not in lines


def test_a_policy_is_shown_as_a_line_for_each_action() -> None:
    def policy(*actions: str) -> dict[str, Any]:
        return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "arn:b"}]}

    change = ("policy", policy("s3:GetObject"), policy("s3:GetObject", "s3:ListBucket"))
    lines = shown_plan(plan(action("update", change, resource="role")))
    assert "      policy:" in lines
    assert "        Allow s3:GetObject  arn:b" in lines
    assert "    +   Allow s3:ListBucket  arn:b" in lines


def test_markup_in_a_plan_is_text() -> None:
    assert "    + Description: [red]x[/red]" in shown_plan(
        plan(action("create", ("Description", None, "[red]x[/red]")))
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("Größe 大小 \u202egnp.exe", r"Größe 大小 \u202egnp.exe"),
        ("two\nlines\r", r"two\nlines\r"),
        ({"Grüße": "\x9b2J", "x": "y"}, r'{"Grüße": "\x9b2J", "x": "y"}'),
    ],
    ids=str,
)
def test_control_characters_in_what_aws_returns_are_escaped(value: Any, shown: str) -> None:
    document = plan(action("update", ("Description", "before", value)))
    assert f"    + Description: {shown}" in shown_plan(document)


def test_the_name_of_a_resource_cannot_control_the_terminal() -> None:
    named = {**action("delete"), "name": "rule\x1b[8m"}
    assert r"- rule  rule\x1b[8m" in shown_plan(plan({**named, "resource": "rule"}))
    document = status(resources=[{"resource": "role", "name": "r\x1b[8m", "state": "ok"}])
    assert r"  role      ✓ r\x1b[8m" in shown_status(document)


# States


def test_a_healthy_state_is_shown_with_its_resources() -> None:
    assert shown_status(status()) == [
        "S3 sync is on.",
        "  bucket    packages",
        "  region    eu-west-1",
        "  cache     dynamo",
        "  runtime   python3.12 on x86_64",
        "  delivery  direct",
        "  events    0 waiting, 0 failed",
        "  role      ✓ sync-role",
    ]


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("off", "S3 sync is off."),
        ("partial", "S3 sync is incomplete."),
        ("differs", "S3 sync is on, but differs from the settings."),
    ],
)
def test_any_other_state_is_shown_with_what_to_do(state: str, title: str) -> None:
    lines = shown_status(status(state=state, in_sync=False))
    assert lines[0] == title
    assert lines[-1].startswith(
        "Run `ppc-s3sync plan` to see the difference, and `ppc-s3sync enable` to apply"
    )


@pytest.mark.parametrize(
    ("waiting", "failed", "shown"),
    [
        ((1234, 45), (0, None), "1,234 waiting (the oldest for 45 s), 0 failed"),
        ((3, None), (2, 7200), "3 waiting, 2 failed (the oldest for 2 h)"),
        ((1, 600), (1, 200_000), "1 waiting (the oldest for 10 min), 1 failed (the oldest for 2 d)"),
    ],
)
def test_events_that_wait_and_failed_are_counted_with_their_age(
    waiting: tuple[int, int | None], failed: tuple[int, int | None], shown: str
) -> None:
    events = {
        **status()["events"],
        "waiting": waiting[0],
        "oldest_waiting_seconds": waiting[1],
        "failed": failed[0],
        "oldest_failed_seconds": failed[1],
    }
    assert f"  events    {shown}" in shown_status(status(events=events))


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        (None, []),
        ("arn:aws:sqs:eu-west-1:1:sync-queue", []),
        (
            "arn:aws:sns:eu-west-1:1:alarm",
            ["  failed events  go to arn:aws:sns:eu-west-1:1:alarm, which someone else set"],
        ),
    ],
)
def test_a_dead_letter_target_that_someone_else_set_is_shown(target: str | None, lines: list[str]) -> None:
    events = {**status()["events"], "dead_letter_target": target}
    queue = {"resource": "queue", "name": "sync-queue", "state": "ok", "messages": 0}
    shown = shown_status(status(events=events, resources=[queue]))
    assert [line for line in shown if line.startswith("  failed events")] == lines


def test_the_prefix_of_the_bucket_is_shown() -> None:
    assert "  bucket    packages under team/" in shown_status(status(prefix="team/"))


@pytest.mark.parametrize(
    ("resource", "line"),
    [
        ({"resource": "role", "name": "r", "state": "missing"}, "  role      ✗ r  (missing)"),
        ({"resource": "role", "name": "r", "state": "differs"}, "  role      ~ r  (differs)"),
        ({"resource": "role", "name": "r", "state": "given"}, "  role      ✓ r  (given)"),
        (
            {"resource": "queue", "name": "q", "state": "ok", "messages": 3},
            "  queue     ✓ q  (3 messages)",
        ),
        (
            {"resource": "queue", "name": "q", "state": "ok", "messages": 1},
            "  queue     ✓ q  (1 message)",
        ),
        ({"resource": "queue", "name": "q", "state": "ok", "messages": 0}, "  queue     ✓ q"),
    ],
)
def test_a_resource_is_shown_with_its_state(resource: dict[str, Any], line: str) -> None:
    assert shown_status(status(resources=[resource]))[-1] == line


@pytest.mark.parametrize(
    ("count", "line"),
    [(1, "  1 other notification on this bucket"), (2, "  2 other notifications on this bucket")],
)
def test_foreign_notifications_are_counted(count: int, line: str) -> None:
    assert shown_status(status(foreign_notifications=count))[-1] == line


# What is wrong


STATES = ("on", "off", "partial", "differs", "failing", "paused", "conflict")


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_title(state: str) -> None:
    assert shown_status(status(state=state, healthy=state == "on"))[0].endswith(".")


def test_a_state_that_is_not_known_to_work_is_not_called_on() -> None:
    title = shown_status(status(healthy=False, problems=[]))[0]
    assert title == "S3 sync is on, but it is unknown whether it works."


def test_each_problem_is_shown_with_what_to_do() -> None:
    problems = [{"problem": "paused", "message": "the function never runs", "remedy": "run `x`"}]
    lines = shown_status(status(state="paused", healthy=False, problems=problems))
    assert lines[1:3] == ["  ! the function never runs", "    run `x`"]


def test_a_row_says_what_differs_and_a_long_difference_is_left_to_plan() -> None:
    differences = [
        {"field": "memory", "before": 512, "after": 1024, "unit": "MB"},
        {"field": "boundary", "before": None, "after": "b"},
        {"field": "policy", "before": "x" * 100, "after": None},
    ]
    part = {"resource": "function", "name": "sync", "state": "differs", "differences": differences}
    (line,) = [line for line in shown_status(status(resources=[part])) if "sync  " in line]
    assert line.endswith("~ sync  (memory 512 → 1024 MB, boundary none → b)")


@pytest.mark.parametrize(("days", "text"), [(1, "30 → 1 day"), (90, "30 → 90 days")])
def test_a_row_has_its_unit_in_the_right_form(days: int, text: str) -> None:
    differences = [{"field": "retention", "before": 30, "after": days, "unit": "days"}]
    part = {"resource": "log group", "name": "sync", "state": "differs", "differences": differences}
    assert any(
        line.endswith(f"~ sync  (retention {text})") for line in shown_status(status(resources=[part]))
    )


@pytest.mark.parametrize(
    ("before", "words"), [("older", "older than the server's"), ("different", "not deployed by this tool")]
)
def test_a_row_says_how_old_the_code_is_in_words(before: str, words: str) -> None:
    differences = [{"field": "code", "before": before, "after": "current"}]
    part = {"resource": "function", "name": "sync", "state": "differs", "differences": differences}
    assert f"  function  ~ sync  (code {words} → current)" in shown_status(status(resources=[part]))


def test_a_part_of_another_owner_is_marked() -> None:
    part = {"resource": "role", "name": "r", "state": "differs", "differences": [], "foreign": True}
    lines = shown_status(status(resources=[part]))
    assert any(line.endswith("! r  (not created by this tool)") for line in lines)


@pytest.mark.parametrize(("code", "words"), [("current", "current"), ("older", "older than the server's")])
def test_the_code_is_described_in_words(code: str, words: str) -> None:
    assert any(line.split() == ["code", *words.split()] for line in shown_status(status(code=code)))


def test_what_is_off_is_explained() -> None:
    assert "what it is" in shown_status(status(state="off", about="what it is"))
