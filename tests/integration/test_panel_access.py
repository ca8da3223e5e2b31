"""The panel in a real browser for everyone: keyboard, screen reader, contrast, small windows and locales."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.browsers import WIDTHS
from support.panel_documents import (
    BUSY_ACTIVITY,
    DIFFERS,
    ENABLE,
    MIDNIGHT,
    OFF,
    ON,
    REPAIR,
    RESULT,
    STEPS,
    ended,
    running,
)
from support.panels import SOON, Panel, Response, run, stream

pytestmark = [pytest.mark.xdist_group("panel access"), pytest.mark.slow, pytest.mark.untraced]


def test_the_focus_is_never_lost(panel: Panel) -> None:
    page = panel.page
    panel.show([OFF, OFF, ON], "S3 sync is off", plan=ENABLE, enable=stream(*STEPS, RESULT))
    panel.focused("s3sync-title")
    page.get_by_role("button", name="Refresh").press("Enter")
    page.wait_for_function("!document.querySelector('.s3sync .fa-spin')")
    panel.focused("Refresh")
    page.get_by_role("button", name="Enable S3 sync").press("Enter")
    page.wait_for_function("document.activeElement.id === 's3sync-confirm'", timeout=SOON)
    page.get_by_role("button", name="Cancel").first.press("Enter")
    page.wait_for_function("document.activeElement.id === 's3sync-title'", timeout=SOON)
    page.get_by_role("button", name="Enable S3 sync").press("Enter")
    page.get_by_role("button", name="Enable", exact=True).first.press("Enter")
    panel.title("S3 sync is on")
    panel.focused("s3sync-title")
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
    # The frame of an hour without events would be a line, as if there were a few.
    assert BUSY_ACTIVITY["hours"][0]["events"] == 0
    assert panel.style(".s3sync-hour .s3sync-events", "visibility") == "hidden"


def test_the_values_of_the_chart_are_in_a_table_that_the_keyboard_reaches(panel: Panel) -> None:
    panel.show(ON, "S3 sync is on", activity=BUSY_ACTIVITY)
    panel.page.get_by_text("Values as a table").press("Enter")
    rows = panel.page.get_by_role("table", name="Last 24 hours").get_by_role("row")
    assert rows.count() == 25
    assert panel.page.locator(".s3sync-at").count() == 4
    assert panel.barriers() == []


#: The number of lines of keys that begin under the icon and not under the text.
LINES_UNDER_ICONS = """() => [...document.querySelectorAll('.s3sync-key')].flatMap(cell => {
    const right = cell.querySelector('.fa').getBoundingClientRect().right;
    return [...cell.querySelector('.s3sync-name').getClientRects()].filter(line => line.left < right);
}).length"""


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
    assert panel.page.evaluate(LINES_UNDER_ICONS) == 0
    assert panel.page.get_by_text("1 min 15 s").is_visible()
    panel.click("Repair S3 sync")
    panel.title("Repair S3 sync?")
    assert panel.page.evaluate(overflowing) == []


def test_nothing_turns_if_motion_is_to_be_reduced(panel: Panel) -> None:
    panel.page.emulate_media(reduced_motion="no-preference")
    panel.show(running(STEPS[0]), "S3 sync is being changed")
    assert panel.style("#s3sync-title .fa-spin", "animationName") != "none"
    panel.page.emulate_media(reduced_motion="reduce")
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


#: The visible labels of the chart that overlap the next one.
TOUCHING_LABELS = """() => {
    const labels = [...document.querySelectorAll('.s3sync-at')].filter(label => label.offsetWidth);
    return labels.slice(1)
        .filter((label, n) => label.getBoundingClientRect().left < labels[n].getBoundingClientRect().right)
        .map(label => label.innerText);
}"""


def test_the_labels_of_the_chart_do_not_overlap_on_a_phone(chromium: Any, pages: str) -> None:
    reader = Panel(chromium, pages, locale="de-DE", timezone_id="UTC")
    reader.page.set_viewport_size({"width": 320, "height": 900})
    reader.show(ON, "S3 sync is on", activity=BUSY_ACTIVITY)
    reader.page.get_by_text("12 Uhr", exact=True).wait_for(timeout=SOON)
    assert reader.page.evaluate(TOUCHING_LABELS) == []
    reader.context.close()
