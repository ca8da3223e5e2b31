"""The state as it is reported while something is wrong, on the emulated AWS."""

from __future__ import annotations

import datetime
from typing import Any

from support.sites import Site


def kinds(document: dict[str, Any]) -> list[str]:
    return [problem["problem"] for problem in document["problems"]]


def states(document: dict[str, Any]) -> dict[str, str]:
    return {resource["resource"]: resource["state"] for resource in document["resources"]}


def test_a_function_without_concurrency_is_paused_until_it_has_some(site: Site) -> None:
    site.deployment().enable()
    functions = site.client("lambda")
    assert site.deployment().status()["healthy"]

    functions.put_function_concurrency(FunctionName=site.function, ReservedConcurrentExecutions=0)
    document = site.deployment().status()
    assert (document["state"], document["in_sync"], document["healthy"]) == ("paused", True, False)
    assert site.function in document["problems"][0]["remedy"]

    functions.delete_function_concurrency(FunctionName=site.function)
    assert site.deployment().status()["state"] == "on"


def test_a_disabled_mapping_is_paused_and_repaired(site: Site) -> None:
    settings = {"s3sync__delivery": "sqs"}
    site.deployment(**settings).enable()
    functions = site.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName=site.function)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    document = site.deployment(**settings).status()
    assert document["state"] == "paused"
    assert states(document)["event source mapping"] == "differs"

    site.deployment(**settings).enable()
    assert site.deployment(**settings).status()["state"] == "on"
    site.deployment(**settings).disable()


def test_failing_events_are_part_of_the_state(site: Site) -> None:
    site.deployment().enable()
    record(site, "Saved", 1_884_571)
    assert site.deployment().status()["state"] == "on"

    record(site, "Failed", 250_053)
    document = site.deployment().status()
    assert (document["state"], document["in_sync"], document["healthy"]) == ("failing", True, False)
    assert "250,053 of 2,134,624 events failed" in document["problems"][0]["message"]
    activity = site.deployment().activity()
    assert (activity["failing"]["failed"], activity["failing"]["events"]) == (250_053, 2_134_624)
    assert sum(hour["errors"] for hour in activity["hours"]) == 250_053


def record(site: Site, name: str, value: int) -> None:
    """Report a metric of the function, as it does itself."""
    site.client("cloudwatch").put_metric_data(
        Namespace="pypicloud-s3sync",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "FunctionName", "Value": site.function}],
                "Timestamp": datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1),
                "Value": value,
                "Unit": "Count",
            }
        ],
    )


def test_a_foreign_notification_in_the_way_is_shown_beside_the_parts(site: Site) -> None:
    site.deployment().enable()
    s3 = site.client("s3")
    topic = site.client("sns").create_topic(Name=f"t-{site.bucket}")["TopicArn"]
    entry = {"Id": "theirs", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration={"TopicConfigurations": [entry]}
    )
    document = site.deployment().status()
    assert (document["state"], document["healthy"], document["installed"]) == ("conflict", False, True)
    assert kinds(document) == ["conflict"]
    assert "theirs" in document["problems"][0]["message"]
    assert states(document)["function"] == "ok"
    assert states(document)["notification"] == "missing"


def test_missing_tables_are_shown_beside_the_parts(site: Site) -> None:
    site.deployment().enable()
    document = site.deployment(db__tablenames="rows summaries").status()
    assert (document["state"], document["installed"]) == ("conflict", True)
    (problem,) = document["problems"]
    assert problem["problem"] == "tables"
    assert "the DynamoDB table rows does not exist" in problem["message"]
    assert "start pypicloud once" not in problem["remedy"]


def test_a_deleted_bucket_leaves_parts_that_can_be_removed(site: Site) -> None:
    site.deployment().enable()
    site.client("s3").delete_bucket(Bucket=site.bucket)
    document = site.deployment().status()
    assert (document["state"], document["installed"]) == ("conflict", True)
    assert states(document)["function"] == "ok"
    assert site.deployment().disable().actions
