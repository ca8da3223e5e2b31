from __future__ import annotations

from dataclasses import replace
from typing import Any

from pypicloud_s3sync.deploy.desired.tags import SNAP_START_TAG
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.published import find_published
from pypicloud_s3sync.deploy.snap_start import ALIAS, Alias, description
from support.fakes import FakeClients, deployed, make_desired, not_none, refusal

ON, OFF = make_desired(s3sync__snap_start="true"), make_desired()
FUNCTION = not_none(deployed(ON).function)
#: What Lambda adds to a version, or reports of $LATEST only.
REPORTED = {"RevisionId": "r", "LastModified": "today", "CodeSize": 9, "State": "Active"}


def version(number: str, **changes: Any) -> dict[str, Any]:
    configuration = {key: value for key, value in FUNCTION.configuration.items() if key != "Environment"}
    status = "Off" if number == "$LATEST" else "On"
    return {
        **configuration,
        **REPORTED,
        "Environment": {"Variables": FUNCTION.configuration["Environment"]},
        "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": status},
        "CodeSha256": "code",
        "Version": number,
        **changes,
    }


def clients(**answers: Any) -> FakeClients:
    pages = [
        {"Versions": [version("$LATEST"), version("1", CodeSha256="old")], "NextMarker": "m"},
        {"Versions": [version("2", Description=description("AROA1"), RevisionId="s")]},
    ]
    routing = {"AdditionalVersionWeights": {"1": 0.1}}
    aliases = [
        {"Name": ALIAS, "FunctionVersion": "2"},
        {"Name": "b", "FunctionVersion": "2", "RoutingConfig": routing},
    ]
    return FakeClients(
        {
            "list_versions_by_function": pages,
            "list_aliases": {"Aliases": aliases},
            "get_function": {"Configuration": {"State": "Inactive"}},
            "get_policy": {"Policy": '{"Statement": [{"Sid": "a"}]}'},
            **answers,
        }
    )


def test_versions_aliases_policy_and_state_are_read() -> None:
    made = clients()
    found = not_none(find_published(Calls(made), ON, FUNCTION))
    assert [(each.number, each.is_own, each.role_id) for each in found.versions] == [
        ("1", False, None),
        ("2", True, "AROA1"),
    ]
    assert found.versions[1].content == found.latest.content != found.versions[0].content
    assert found.aliases == (Alias(ALIAS, "2"), Alias("b", "2", {"1": 0.1}))
    assert (found.statements, found.state, found.failure) == (({"Sid": "a"},), "Inactive", None)
    assert found.current == found.versions[1]
    assert made.arguments("get_policy") == {"FunctionName": "sync", "Qualifier": ALIAS}


def test_what_others_set_on_the_function_is_a_part_of_a_version() -> None:
    for changes in ({"Layers": [{"Arn": "a", "CodeSize": 1}]}, {"TracingConfig": {"Mode": "Active"}}):
        pages = {"Versions": [version("$LATEST", **changes), version("1")]}
        found = not_none(find_published(Calls(clients(list_versions_by_function=pages)), ON, FUNCTION))
        assert found.versions[0].content != found.latest.content


def test_without_the_alias_its_policy_and_state_are_not_read() -> None:
    made = clients(list_aliases={"Aliases": []})
    assert not_none(find_published(Calls(made), ON, FUNCTION)).statements == ()
    assert not {"get_function", "get_policy"}.intersection(made.operations)


def test_they_are_read_only_if_they_may_exist() -> None:
    nobody = FakeClients()
    unrecorded = not_none(deployed(OFF).function)
    assert find_published(Calls(nobody), OFF, unrecorded) is None
    assert find_published(Calls(nobody), OFF, replace(FUNCTION, tags={SNAP_START_TAG: ""})) is None
    assert find_published(Calls(nobody), ON, None) is None
    assert nobody.calls == []
    assert find_published(Calls(clients()), OFF, FUNCTION) is not None


def test_a_function_that_is_deleted_while_it_is_read_has_none() -> None:
    gone = refusal("ResourceNotFoundException", status=404)
    assert find_published(Calls(clients(list_versions_by_function=gone)), ON, FUNCTION) is None
