"""The panel in a real browser, on real servers in two regions, used as an administrator uses it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rich.console import Console

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.demo import story
from pypicloud_s3sync.demo.servers import FUNCTION, TwoRegions, free_ports, two_regions
from pypicloud_s3sync.demo.tools import PASSWORD, USER, request
from pypicloud_s3sync.demo.transcript import Transcript
from pypicloud_s3sync.demo.wheel import build
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG
from pypicloud_s3sync.deploy.state.status_document import RESOURCES
from pypicloud_s3sync.devtools.processes import wait_until
from support.apps import make_app
from support.browsers import PICTURES, WIDTHS, Page
from support.cutting_proxy import CuttingProxy
from support.distribution import Installed
from support.panels import Panel, serving
from support.restarts import make_scripts, restart, run_process
from support.sites import Site, ini_settings, user_without_rights

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.untraced]

SOON = 60_000  # milliseconds
#: Markup in names and messages; pictures for the documentation show a plain word instead.
MARKUP = "reports" if PICTURES else "<img src=x onerror=alert(1)>"
PAST_KEY = "c3d4/past/past-1.0.tar.gz"
MARKED_KEY = f"{'a1b2' if PICTURES else 'evil'}/{MARKUP}-1.0.tar.gz"


@pytest.fixture(scope="module")
def company(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoRegions]:
    """Two regions without S3 sync; the bucket of the second one has a foreign notification."""
    scripts = make_scripts(installed, tmp_path_factory.mktemp("company"))
    transcript = Transcript(Console())
    with two_regions(transcript, free_ports(), scripts) as running:
        story.replicate(running, transcript)
        add_foreign_notification(running)
        yield running
        running.servers[running.second.name].stop()


def add_foreign_notification(company: TwoRegions) -> None:
    """Add a notification to another queue, with markup as its id."""
    region, aws = company.second, company.aws
    sqs = aws.client("sqs", region.name)
    url = sqs.create_queue(QueueName="other-queue")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    principal = {"Service": "s3.amazonaws.com"}
    allow = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    entry = {"Id": MARKUP, "QueueArn": arn, "Events": ["s3:ObjectTagging:*"]}
    aws.client("s3", region.name).put_bucket_notification_configuration(
        Bucket=region.bucket, NotificationConfiguration={"QueueConfigurations": [entry]}
    )


@pytest.fixture(scope="module")
def admin(chromium: Any, company: TwoRegions) -> Page:
    """A page of the second region's pypicloud, on which an administrator is logged in."""
    logged_in = Page(chromium)
    page = logged_in.page
    page.goto(f"{company.second.url}/acct/login")
    page.get_by_placeholder("Username").first.fill(USER)
    page.get_by_placeholder("Password").first.fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("navigation").get_by_role("link", name="Admin").wait_for(timeout=SOON)
    return logged_in


@pytest.fixture
def clean(admin: Page) -> Iterator[Page]:
    """The page; after the test, the browser's console must not have shown an error."""
    admin.errors.clear()
    yield admin
    assert admin.errors == []


def title(page: Any, text: str) -> None:
    """Wait until the panel has a title."""
    page.get_by_role("heading", name=text, exact=True).wait_for(timeout=SOON)


def focused(page: Any, name: str) -> None:
    """Wait until an element has the focus of the keyboard."""
    page.wait_for_function("name => document.activeElement.id === name", arg=name, timeout=SOON)


def is_read(page: Any) -> None:
    """Wait until nothing is loaded any more."""
    page.wait_for_function("!document.querySelector('.s3sync .fa-spin')", timeout=SOON)


def open_panel(page: Any, company: TwoRegions, text: str) -> None:
    """Open the panel again, and wait until it has a title and everything else."""
    page.goto(f"{company.second.url}/#/")
    page.goto(f"{company.second.url}/#/admin/s3sync")
    title(page, text)
    is_read(page)


def part(page: Any, name: str) -> str:
    """Return the panel's text about a part."""
    row = page.locator(".s3sync-parts li").filter(has=page.locator(f".s3sync-kind:text-is('{name}')"))
    text: str = row.inner_text()
    return text


@pytest.mark.in_order
class TestPanel:
    """The tests run in this order; each continues where the previous one ended."""

    def test_the_admin_page_links_to_the_panel(self, clean: Page) -> None:
        page = clean.page
        # A page without packages has a second link of that name.
        page.get_by_role("navigation").get_by_role("link", name="Admin").click()
        page.get_by_role("link", name="Enable S3 sync").wait_for(timeout=SOON)
        assert page.get_by_role("button", name="Rebuild package list").is_visible()
        clean.picture("admin")
        assert clean.barriers() == []
        page.get_by_role("link", name="Enable S3 sync").click()
        title(page, "S3 sync is off")
        clean.picture("off")
        assert clean.barriers() == []

    def test_the_plan_is_shown_before_anything_is_changed(self, clean: Page, company: TwoRegions) -> None:
        page = clean.page
        page.get_by_role("button", name="Enable S3 sync").click()
        page.get_by_role("heading", name="Enable S3 sync?").wait_for(timeout=SOON)
        focused(page, "s3sync-confirm")
        assert page.locator(".s3sync-plan > li").count() == len(RESOURCES[Delivery.DIRECT])
        assert page.get_by_text(MARKUP).is_visible()
        page.locator("summary").first.press("Enter")
        assert page.get_by_text("allow sts:AssumeRole").is_visible()
        clean.picture("plan")
        assert clean.barriers() == []
        assert clean.is_within(WIDTHS["narrow"])
        functions = company.aws.client("lambda", company.second.name).list_functions()["Functions"]
        assert functions == []

    def test_s3_sync_is_enabled_with_the_keyboard_and_each_step_is_shown(
        self, clean: Page, company: TwoRegions
    ) -> None:
        page = clean.page
        # The bucket has a past, of which the cache knows nothing.
        metadata = {"name": "past", "version": "1.0"}
        company.aws.client("s3", company.second.name).put_object(
            Bucket=company.second.bucket, Key=PAST_KEY, Body=b"x", Metadata=metadata
        )
        page.get_by_role("button", name="Enable", exact=True).first.press("Enter")
        page.get_by_role("progressbar").wait_for(timeout=SOON)
        clean.picture("enabling")
        assert clean.barriers() == []
        title(page, "S3 sync is on")
        focused(page, "s3sync-title")
        # A step for each part, one for the bundle, and three that list rows and bucket and add the package.
        assert page.locator(".s3sync-steps .s3sync-good").count() == len(RESOURCES[Delivery.DIRECT]) + 4
        assert page.get_by_text("Added 1 package that the cache lacked.").is_visible()
        assert "past-1.0.tar.gz" in request(f"{company.second.url}/simple/past/")[1]
        for name in ("role", "log group", "function", "permission", "notification"):
            assert FUNCTION in part(page, name)
        assert page.locator("dt:text-is('code') + dd").inner_text() == "current"

    def test_a_row_that_was_lost_is_back_after_reconcile(self, clean: Page, company: TwoRegions) -> None:
        page, key = clean.page, {"filename": {"S": PAST_KEY.rpartition("/")[2]}}
        tables = company.aws.client("dynamodb", company.second.name)
        tables.delete_item(TableName="DynamoPackage", Key=key)
        page.get_by_role("button", name="Compare", exact=True).click()
        page.get_by_text("Bucket and cache differ: 1 missing.").wait_for(timeout=SOON)
        page.get_by_role("button", name="Reconcile", exact=True).click()
        page.get_by_text("Repaired 1 difference. Bucket and cache are in sync.").wait_for(timeout=SOON)
        focused(page, "s3sync-title")
        assert clean.barriers() == []
        assert "Item" in tables.get_item(TableName="DynamoPackage", Key=key)

    def test_packages_that_were_synced_are_shown(self, clean: Page, company: TwoRegions) -> None:
        page, wheel = clean.page, build(company.workspace, "hello-panel", "1.0")
        story.upload(company, company.first, wheel)
        story.wait_until_listed(company, company.second, wheel)
        metadata = {"name": "evil", "version": "1.0"}
        company.aws.client("s3", company.second.name).put_object(
            Bucket=company.second.bucket, Key=MARKED_KEY, Body=b"x", Metadata=metadata
        )

        def is_shown() -> bool:
            page.get_by_role("button", name="Refresh").click()
            # Each click makes the server read AWS, so the next one waits for the answer.
            is_read(page)
            return all(
                page.locator(".s3sync-name", has_text=name).count() for name in (wheel.filename, MARKUP)
            )

        wait_until(is_shown, "both packages are among the last synced", 60)
        # Unlike AWS, the emulator does not count the invocations by S3.
        function = {"FunctionName": FUNCTION, "Payload": json.dumps({"Event": "s3:TestEvent"})}
        company.aws.client("lambda", company.second.name).invoke(**function)
        page.get_by_role("button", name="Refresh").click()
        page.locator(".s3sync-chart").wait_for(timeout=SOON)
        page.locator(".fa-refresh:not(.fa-spin)").wait_for(timeout=SOON)
        clean.picture("on")
        assert clean.barriers() == []
        assert clean.is_within(WIDTHS["narrow"])
        page.goto(f"{company.second.url}/#/")
        page.get_by_text("hello-panel").first.wait_for(timeout=SOON)

    def test_a_function_that_never_runs_is_shown(self, clean: Page, company: TwoRegions) -> None:
        functions = company.aws.client("lambda", company.second.name)
        functions.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)
        open_panel(clean.page, company, "S3 sync is paused")
        clean.picture("paused")
        assert clean.barriers() == []
        assert clean.is_within(WIDTHS["narrow"])
        functions.delete_function_concurrency(FunctionName=FUNCTION)

    def test_failed_events_are_shown_and_processed_again(self, clean: Page, company: TwoRegions) -> None:
        page, sqs = clean.page, company.aws.client("sqs", company.second.name)
        (url,) = sqs.list_queues(QueueNamePrefix="failed-")["QueueUrls"]
        s3 = {"bucket": {"name": company.second.bucket}, "object": {"key": quote(MARKED_KEY)}}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))
        open_panel(page, company, "S3 sync is failing")
        clean.picture("failing")
        assert clean.barriers() == []
        assert clean.is_within(WIDTHS["narrow"])
        page.get_by_role("button", name="Process 1 failed event again").click()
        title(page, "S3 sync is on")
        assert "1 event processed." in page.locator(".s3sync").inner_text()

    def test_a_changed_role_is_shown_and_repaired(self, clean: Page, company: TwoRegions) -> None:
        page, iam = clean.page, company.aws.client("iam", company.second.name)
        (role,) = [found["RoleName"] for found in iam.list_roles()["Roles"] if FUNCTION in found["RoleName"]]
        iam.delete_role_policy(RoleName=role, PolicyName="sync")
        open_panel(page, company, "S3 sync differs from the settings")
        assert "differs" in part(page, "role")
        clean.picture("differs")
        assert clean.barriers() == []
        page.get_by_role("button", name="Repair S3 sync").click()
        page.get_by_role("button", name="Repair", exact=True).first.click()
        title(page, "S3 sync is on")
        assert "Repaired" in page.locator(".s3sync").inner_text()
        clean.picture("repaired")
        assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["sync"]

    def test_a_run_continues_after_a_reload_and_a_second_run_is_refused(
        self, clean: Page, company: TwoRegions
    ) -> None:
        page, functions = clean.page, company.aws.client("lambda", company.second.name)
        arn = functions.get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
        # Without this tag the bundle is built again, which takes seconds.
        functions.untag_resource(Resource=arn, TagKeys=[BUNDLE_TAG])
        page.reload()
        title(page, "S3 sync differs from the settings")
        page.get_by_role("button", name="Repair S3 sync").click()
        page.get_by_role("button", name="Repair", exact=True).first.click()
        page.get_by_role("progressbar").wait_for(timeout=SOON)
        page.reload()
        title(page, "S3 sync is being changed")
        assert page.get_by_role("button", name="Disable S3 sync").count() == 0
        status, body = request(f"{company.second.url}/admin/s3sync/disable", "POST")
        assert (status, json.loads(body)["error"]) == (409, "conflict")
        clean.picture("running")
        assert clean.barriers() == []
        title(page, "S3 sync is on")

    def test_s3_sync_is_disabled(self, clean: Page, company: TwoRegions) -> None:
        page = clean.page
        page.get_by_role("button", name="Disable S3 sync").click()
        page.get_by_role("heading", name="Disable S3 sync?").wait_for(timeout=SOON)
        is_read(page)
        clean.picture("disable")
        assert clean.barriers() == []
        page.get_by_role("button", name="Cancel").first.click()
        focused(page, "s3sync-title")
        page.get_by_role("button", name="Disable S3 sync").click()
        page.get_by_role("button", name="Disable", exact=True).first.click()
        title(page, "S3 sync is off")
        functions = company.aws.client("lambda", company.second.name).list_functions()["Functions"]
        assert functions == []

    def test_a_notification_that_is_in_the_way_is_shown(self, clean: Page, company: TwoRegions) -> None:
        s3, bucket = company.aws.client("s3", company.second.name), {"Bucket": company.second.bucket}
        before = s3.get_bucket_notification_configuration(**bucket)["QueueConfigurations"]
        after = [{**entry, "Events": ["s3:ObjectCreated:*"]} for entry in before]
        for entries, text in ((after, "Something is in the way of S3 sync"), (before, "S3 sync is off")):
            s3.put_bucket_notification_configuration(
                **bucket, NotificationConfiguration={"QueueConfigurations": entries}
            )
            open_panel(clean.page, company, text)
            if entries == after:
                clean.picture("conflict")
                assert clean.barriers() == []
                assert clean.is_within(WIDTHS["narrow"])


@pytest.fixture(scope="class")
def off_in_the_end(company: TwoRegions) -> Iterator[None]:
    """Turn S3 sync off for the other tests, which may run after these."""
    yield
    status, lines = request(f"{company.second.url}/admin/s3sync/disable", method="POST")
    assert (status, json.loads(lines.splitlines()[-1])["result"]) == (200, "ok"), lines


@pytest.mark.usefixtures("off_in_the_end")
@pytest.mark.in_order
class TestBreaks:
    """Runs whose connection, server or process is lost. The tests run in this order."""

    def test_a_run_is_followed_through_a_cut_connection_and_a_killed_server(
        self, admin: Page, company: TwoRegions
    ) -> None:
        page = admin.page
        with CuttingProxy(company.second.port).running() as proxy:
            page.goto(f"{proxy.url}/#/admin/s3sync")
            title(page, "S3 sync is off")
            page.get_by_role("button", name="Enable S3 sync").click()
            page.get_by_role("button", name="Enable", exact=True).first.click()
            page.get_by_role("progressbar").wait_for(timeout=SOON)
            proxy.cut()
            page.get_by_text("This page asks again until it knows the result.").wait_for(timeout=SOON)
            admin.picture("lost")
            assert admin.barriers() == []
            restart(company)
            proxy.restore()
            title(page, "S3 sync is on")
            text = page.locator(".s3sync").inner_text()
            assert "Enabled on" in text, text
            assert "does not answer" not in text
            is_read(page)

    def test_a_run_whose_process_was_killed_is_named_and_can_be_continued(
        self, admin: Page, company: TwoRegions
    ) -> None:
        page, functions = admin.page, company.aws.client("lambda", company.second.name)
        arn = functions.get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
        functions.untag_resource(Resource=arn, TagKeys=[BUNDLE_TAG])
        # The request that a reload gives up still reads AWS, so the next one may be refused at first.
        page.goto(f"{company.second.url}/#/admin/s3sync")
        page.reload()
        title(page, "S3 sync differs from the settings")
        page.get_by_role("button", name="Repair S3 sync").click()
        page.get_by_role("button", name="Repair", exact=True).first.click()
        os.kill(run_process(company), signal.SIGKILL)
        title(page, "S3 sync differs from the settings")
        focused(page, "s3sync-outcome")
        assert "The run was stopped before its end" in page.locator("#s3sync-outcome").inner_text()
        assert page.locator(".fa-spin").count() == 0
        admin.picture("stopped")
        assert admin.barriers() == []
        page.reload()
        title(page, "S3 sync differs from the settings")
        assert "The run was stopped before its end" in page.locator("#s3sync-outcome").inner_text()
        page.get_by_role("button", name="Repair S3 sync").click()
        page.get_by_role("button", name="Repair", exact=True).first.click()
        title(page, "S3 sync is on")


def test_a_denied_call_is_shown_with_the_policy_that_allows_it(
    chromium: Any, site: Site, tmp_path: Path
) -> None:
    """The server's user may run pypicloud, but not read the function."""
    keys = user_without_rights(site)
    with serving(make_app(tmp_path, ini_settings(site, **keys))) as url:
        panel = Panel(chromium, url)
        panel.answers.clear()
        panel.page.goto(f"{url}/#/admin/s3sync")
        panel.title("The state of S3 sync is unknown")
        assert '"Statement"' in panel.page.locator(".alert pre").inner_text()
        panel.picture("denied")
        assert panel.barriers() == []
        panel.context.clear_cookies()
        panel.click("Refresh")
        panel.title("You are logged out")
        panel.picture("logged-out")
        panel.context.close()
