"""Creating, updating and deleting the function, and uploading its code."""

from __future__ import annotations

from typing import Any

import pytest
from pypicloud.util import PackageParseError, parse_filename

from pypicloud_s3sync.deploy.bundle import DIRECT_UPLOAD_LIMIT, Bundle
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, ROLE_TAG, bundle_tag
from pypicloud_s3sync.deploy.writers.functions import ROLE_PROPAGATION, FunctionWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import BUCKET, FakeCalls, FakeTime, make_desired, refusal

FUNCTION = make_desired(s3sync__tags="team=infra").function
BUNDLE = Bundle(b"zip", 3)
#: The function's configuration as an update sends it.
CONFIGURATION = {key: value for key, value in FUNCTION.configuration.items() if key != "Architectures"}
LIMIT = "pypicloud_s3sync.deploy.writers.staging.DIRECT_UPLOAD_LIMIT"
SETTLED = ["get_function"]


def create(calls: FakeCalls) -> None:
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)


def test_a_function_is_created_and_waited_for() -> None:
    calls = FakeCalls()
    create(calls)
    assert calls.clients.operations == ["get_role", "create_function", *SETTLED]
    created = calls.clients.arguments("create_function")
    assert created["Code"] == {"ZipFile": b"zip"}
    assert created["Environment"] == {"Variables": FUNCTION.configuration["Environment"]}
    assert created["Tags"] == {**FUNCTION.tags, BUNDLE_TAG: f"inputs/{BUNDLE.code_sha256}"}
    assert {key: created[key] for key in FUNCTION.configuration if key != "Environment"} == {
        key: value for key, value in FUNCTION.configuration.items() if key != "Environment"
    }


@pytest.mark.parametrize("message", ROLE_PROPAGATION)
def test_creating_a_function_is_retried_until_its_role_has_propagated(message: str) -> None:
    time = FakeTime()
    error = refusal("InvalidParameterValueException", message)
    calls = FakeCalls({"create_function": [error, error, {}]}, time)
    create(calls)
    assert calls.clients.operations == ["get_role"] + ["create_function"] * 3 + SETTLED
    assert len(time.pauses) == 2


def test_any_other_error_of_a_creation_is_raised_immediately() -> None:
    calls = FakeCalls({"create_function": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for lambda:CreateFunction on the function sync"):
        create(calls)
    assert calls.clients.operations == ["get_role", "create_function"]


@pytest.mark.parametrize("deployed", [None, "other code"])
def test_code_is_uploaded_between_two_waits_and_tagged_after_them(deployed: str | None) -> None:
    """If the tag came first, it would be wrong after an interrupted upload."""
    calls = FakeCalls()
    FunctionWriter(calls, BUCKET).update_code("sync", FUNCTION.arn, "inputs", "arm64", deployed, BUNDLE)
    assert calls.clients.operations == [*SETTLED, "update_function_code", *SETTLED, "tag_resource"]
    assert calls.clients.arguments("update_function_code") == {
        "FunctionName": "sync",
        "Architectures": ["arm64"],
        "ZipFile": b"zip",
    }
    assert calls.clients.arguments("tag_resource") == {
        "Resource": FUNCTION.arn,
        "Tags": {BUNDLE_TAG: f"inputs/{BUNDLE.code_sha256}"},
    }


def test_code_that_is_deployed_already_is_only_tagged_with_its_inputs() -> None:
    calls = FakeCalls()
    writer = FunctionWriter(calls, BUCKET)
    writer.update_code("sync", FUNCTION.arn, "inputs", "x86_64", BUNDLE.code_sha256, BUNDLE)
    assert calls.clients.operations == ["tag_resource"]
    assert calls.clients.arguments("tag_resource")["Tags"] == {BUNDLE_TAG: f"inputs/{BUNDLE.code_sha256}"}


def test_a_configuration_is_updated_between_two_waits() -> None:
    calls = FakeCalls()
    FunctionWriter(calls, BUCKET).update_configuration("sync", CONFIGURATION)
    assert calls.clients.operations == [*SETTLED, "update_function_configuration", *SETTLED]
    sent = calls.clients.arguments("update_function_configuration")
    assert sent["Environment"] == {"Variables": FUNCTION.configuration["Environment"]}


def test_updating_a_configuration_is_retried_until_its_role_has_propagated() -> None:
    error = refusal("InvalidParameterValueException", "The role cannot be assumed by Lambda.")
    calls = FakeCalls({"update_function_configuration": [error, {}]})
    FunctionWriter(calls, BUCKET).update_configuration("sync", CONFIGURATION)
    assert calls.clients.operations.count("update_function_configuration") == 2


# Waiting for Lambda


def state(**fields: str) -> dict[str, Any]:
    """Return GetFunction's answer; the fields are those of the configuration."""
    return {"Configuration": {"State": "Active", "LastUpdateStatus": "Successful", **fields}}


PENDING = state(State="Pending", StateReasonCode="Creating", StateReason="The function is being created.")
UPDATING = state(LastUpdateStatus="InProgress")
WAKING = state(State="Pending", StateReasonCode="Restoring", StateReason="The function is being restored.")
INACTIVE = state(State="Inactive", StateReasonCode="Idle", StateReason="The function is idle.")
FAILED = state(State="Failed", StateReasonCode="InvalidSubnet", StateReason="The subnet is full")
FAILED_UPDATE = state(LastUpdateStatus="Failed", LastUpdateStatusReason="The key is disabled")


@pytest.mark.parametrize("unsettled", [PENDING, UPDATING, WAKING])
def test_a_function_is_updated_once_it_is_settled(unsettled: dict[str, Any]) -> None:
    time = FakeTime()
    calls = FakeCalls({"get_function": [unsettled, unsettled, state(), UPDATING, state()]}, time)
    FunctionWriter(calls, BUCKET).update_configuration("sync", CONFIGURATION)
    update = "update_function_configuration"
    assert calls.clients.operations == ["get_function"] * 3 + [update] + ["get_function"] * 2
    assert len(time.pauses) == 3


@pytest.mark.parametrize("settled", [INACTIVE, FAILED, FAILED_UPDATE])
def test_an_inactive_or_failed_function_is_updated_immediately(settled: dict[str, Any]) -> None:
    """Lambda makes a function in a VPC inactive after some idle weeks, and never active by itself."""
    time = FakeTime()
    calls = FakeCalls({"get_function": [settled, WAKING, state()]}, time)
    FunctionWriter(calls, BUCKET).update_configuration("sync", CONFIGURATION)
    assert (
        calls.clients.operations == ["get_function", "update_function_configuration"] + ["get_function"] * 2
    )
    assert len(time.pauses) == 1


def test_a_function_that_stays_inactive_after_an_update_is_ready() -> None:
    calls = FakeCalls({"get_function": INACTIVE})
    FunctionWriter(calls, BUCKET).update_configuration("sync", CONFIGURATION)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (FAILED, "The subnet is full"),
        (FAILED_UPDATE, "The key is disabled"),
        (state(State="Failed"), "it has failed"),
        (PENDING, "The function is being created"),
        (UPDATING, "timed out after 10 minutes"),
    ],
)
def test_a_function_that_does_not_become_ready_is_an_error_with_the_reason_of_aws(
    answer: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AwsError, match=f"the function sync did not become ready: {reason}"):
        create(FakeCalls({"get_function": answer}))


def test_a_wait_that_is_denied_names_the_action_that_it_needs() -> None:
    with pytest.raises(AwsError, match="AccessDenied for lambda:GetFunction on the function sync"):
        create(FakeCalls({"get_function": refusal("AccessDeniedException")}))


# The role and the network


DESIRED = make_desired()
ROLE_ARN = DESIRED.role_arn


def renew(calls: FakeCalls) -> None:
    FunctionWriter(calls, BUCKET).renew_role("sync", FUNCTION.arn, ROLE_ARN, DESIRED.spare_role)


def roles_given(calls: FakeCalls) -> list[str]:
    updates = [sent for name, sent in calls.clients.calls if name == "update_function_configuration"]
    assert all(set(sent) == {"FunctionName", "Role"} for sent in updates)
    return [sent["Role"] for sent in updates]


def test_a_role_is_assigned_again_with_the_spare_role_in_between_and_then_recorded() -> None:
    """AWS documents another role in between: the same ARN once more may change nothing."""
    calls = FakeCalls({"get_role": {"Role": {"RoleId": "AROANEW"}}})
    renew(calls)
    assert roles_given(calls) == [DESIRED.spare_role.arn, ROLE_ARN]
    operations = calls.clients.operations
    assert operations[:2] == ["create_role", "put_role_policy"]
    assert operations[-3:] == ["delete_role", "get_role", "tag_resource"]
    assert calls.clients.arguments("tag_resource")["Tags"] == {ROLE_TAG: "AROANEW"}


def test_assigning_a_role_again_waits_until_lambda_may_use_the_new_roles() -> None:
    time = FakeTime()
    not_yet = refusal("InvalidParameterValueException", "The role defined cannot be assumed by Lambda.")
    calls = FakeCalls({"update_function_configuration": [not_yet, {}, not_yet, {}]}, time)
    renew(calls)
    assert len(time.pauses) == 2


@pytest.mark.parametrize(
    "operation",
    ["create_role", "put_role_policy", "update_function_configuration", "delete_role", "tag_resource"],
)
def test_a_role_is_not_recorded_before_it_was_assigned_again(operation: str) -> None:
    calls = FakeCalls({operation: refusal("AccessDenied")})
    with pytest.raises(AwsError, match="AccessDenied"):
        renew(calls)
    assert "tag_resource" not in calls.clients.operations[:-1]


def test_a_new_function_is_tagged_with_the_id_of_its_role() -> None:
    calls = FakeCalls({"get_role": {"Role": {"RoleId": "AROANEW"}}})
    create(calls)
    assert calls.clients.arguments("create_function")["Tags"][ROLE_TAG] == "AROANEW"


def test_a_function_leaves_its_vpc_and_is_waited_for() -> None:
    calls = FakeCalls({"get_function": [state(), UPDATING, state()]})
    FunctionWriter(calls, BUCKET).leave_vpc("sync")
    sent = calls.clients.arguments("update_function_configuration")
    assert sent == {"FunctionName": "sync", "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}}
    assert calls.clients.operations[-2:] == ["get_function", "get_function"]


@pytest.mark.parametrize(
    "error",
    [
        refusal("InvalidParameterValueException", "The role defined for the function cannot be assumed."),
        refusal("ResourceNotFoundException", status=404),
    ],
)
def test_a_function_that_cannot_leave_its_vpc_is_deleted_nevertheless(error: Exception) -> None:
    FunctionWriter(FakeCalls({"update_function_configuration": error}), BUCKET).leave_vpc("sync")


def test_a_denied_departure_from_a_vpc_is_an_error() -> None:
    calls = FakeCalls({"update_function_configuration": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="lambda:UpdateFunctionConfiguration"):
        FunctionWriter(calls, BUCKET).leave_vpc("sync")


def test_deleting_a_missing_function_is_no_error() -> None:
    error = refusal("ResourceNotFoundException", status=404)
    FunctionWriter(FakeCalls({"delete_function": error}), BUCKET).delete("sync")


# A bundle that is too large for a direct upload


@pytest.fixture
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMIT, len(BUNDLE.data) - 1)


KEY = f"pypicloud-s3sync/{BUNDLE.sha256}.bundle"
UPLOADED = {"S3Bucket": BUCKET, "S3Key": KEY}


def test_the_limit_is_that_of_lambda() -> None:
    assert DIRECT_UPLOAD_LIMIT == 50 * 1024**2


def test_a_bundle_of_exactly_the_limit_is_uploaded_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMIT, len(BUNDLE.data))
    calls = FakeCalls()
    create(calls)
    assert "put_object" not in calls.clients.operations


VERSIONS = {"Versions": [{"Key": KEY, "VersionId": "v1"}]}
REMOVAL = ("list_object_versions", "delete_object", "tag_resource")


@pytest.mark.usefixtures("low_limit")
def test_a_new_function_gets_a_large_bundle_through_the_bucket_temporarily() -> None:
    calls = FakeCalls({"list_object_versions": VERSIONS})
    create(calls)
    assert calls.clients.operations == ["get_role", "put_object", "create_function", *SETTLED, *REMOVAL]
    assert calls.clients.arguments("put_object") == {"Bucket": BUCKET, "Key": KEY, "Body": b"zip"}
    created = calls.clients.arguments("create_function")
    assert created["Code"] == UPLOADED
    assert created["Tags"][BUNDLE_TAG] == "", "the code is recorded after the upload is removed"
    assert calls.clients.arguments("delete_object") == {"Bucket": BUCKET, "Key": KEY, "VersionId": "v1"}
    assert calls.clients.arguments("tag_resource")["Tags"].keys() == {BUNDLE_TAG}


@pytest.mark.usefixtures("low_limit")
def test_an_existing_function_gets_a_large_bundle_through_the_bucket_temporarily() -> None:
    calls = FakeCalls({"list_object_versions": VERSIONS})
    FunctionWriter(calls, BUCKET).update_code("sync", FUNCTION.arn, "inputs", "x86_64", None, BUNDLE)
    sent = calls.clients.arguments("update_function_code")
    assert {key: sent[key] for key in UPLOADED} == UPLOADED
    assert "ZipFile" not in sent
    operations = calls.clients.operations
    assert operations.index("tag_resource") < operations.index("put_object")
    assert operations.index("put_object") < operations.index("update_function_code")
    assert operations.index("update_function_code") < operations.index("delete_object")
    tags = [
        arguments["Tags"][BUNDLE_TAG] for name, arguments in calls.clients.calls if name == "tag_resource"
    ]
    assert tags == ["", bundle_tag("inputs", BUNDLE.code_sha256)]


@pytest.mark.usefixtures("low_limit")
def test_a_large_bundle_is_removed_from_the_bucket_after_an_error() -> None:
    answers = {"create_function": refusal("AccessDeniedException"), "list_object_versions": VERSIONS}
    calls = FakeCalls(answers)
    with pytest.raises(AwsError, match="lambda:CreateFunction"):
        create(calls)
    assert calls.clients.operations == ["get_role", "put_object", "create_function", *REMOVAL[:2]]


@pytest.mark.usefixtures("low_limit")
def test_no_function_is_created_if_a_large_bundle_cannot_be_uploaded() -> None:
    calls = FakeCalls({"put_object": refusal("AccessDenied")})
    with pytest.raises(AwsError, match=f"AccessDenied for s3:PutObject on s3://{BUCKET}/{KEY}"):
        create(calls)
    assert calls.clients.operations == ["get_role", "put_object", "list_object_versions"]


def test_a_bundle_in_the_bucket_is_not_a_package() -> None:
    with pytest.raises(PackageParseError):
        parse_filename(KEY.rpartition("/")[2])


@pytest.mark.usefixtures("low_limit")
def test_a_large_bundle_that_is_missing_from_the_bucket_is_no_error() -> None:
    missing = refusal("NoSuchBucket", status=404)
    calls = FakeCalls({"list_object_versions": VERSIONS, "delete_object": missing})
    create(calls)
    assert calls.clients.operations[-2:] == ["delete_object", "tag_resource"]
