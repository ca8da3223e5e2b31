"""What changes AWS: calls in their order, patience for AWS's news only, care with what is shared."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import WaiterError

from pypicloud_s3sync.deploy.bundle import DIRECT_UPLOAD_LIMIT, Bundle
from pypicloud_s3sync.deploy.models import BUNDLE_TAG, OWNER_TAG
from pypicloud_s3sync.deploy.writers import Writers, functions
from pypicloud_s3sync.deploy.writers.calls import PROPAGATION_INTERVAL, PROPAGATION_TIMEOUT, Calls
from pypicloud_s3sync.deploy.writers.functions import ROLE_PROPAGATION, FunctionWriter
from pypicloud_s3sync.deploy.writers.log_groups import LogGroupWriter
from pypicloud_s3sync.deploy.writers.notifications import PERMISSION_PROPAGATION, NotificationWriter
from pypicloud_s3sync.deploy.writers.permissions import PermissionWriter
from pypicloud_s3sync.deploy.writers.roles import RoleWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import ACCOUNT, BUCKET, NOTHING, FakeClients, FakeTime, deployed, make_desired, refusal

DESIRED = make_desired(s3sync__tags="team=infra")
ROLE, GROUP, FUNCTION = DESIRED.role, DESIRED.log_group, DESIRED.function
BUNDLE = Bundle(b"zip", 3)
NOT_YET = refusal(
    "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."
)
GET_NOTIFICATIONS = "get_bucket_notification_configuration"
PUT_NOTIFICATIONS = "put_bucket_notification_configuration"
#: As Lambda, IAM, Logs and S3 say that something is gone.
GONE = {
    "lambda": refusal("ResourceNotFoundException", status=404),
    "logs": refusal("ResourceNotFoundException"),
    "iam": refusal("NoSuchEntity", status=404),
    "s3": refusal("NoSuchBucket", status=404),
}


def calls_with(answers=None, time=None):
    time = time or FakeTime()
    return Calls(FakeClients(answers), time.clock, time.pause)


# A call


def test_a_call_that_is_refused_names_its_action_and_resource():
    calls = calls_with({"create_log_group": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for logs:CreateLogGroup on the log group x") as raised:
        calls.do("logs", "create_log_group", "the log group x", logGroupName="x")
    assert raised.value.action == "logs:CreateLogGroup"


def test_a_call_whose_right_is_called_otherwise_names_the_right():
    calls = calls_with({PUT_NOTIFICATIONS: refusal("AccessDenied")})
    with pytest.raises(AwsError, match="AccessDenied for s3:PutBucketNotification on the bucket b"):
        calls.do("s3", PUT_NOTIFICATIONS, "the bucket b", action="s3:PutBucketNotification", Bucket="b")


def test_a_call_hands_over_its_arguments_and_the_answer():
    calls = calls_with({"get_role": {"Role": {}}})
    assert calls.do("iam", "get_role", "the role r", RoleName="r") == {"Role": {}}
    assert calls.clients.calls == [("get_role", {"RoleName": "r"})]


def test_an_emulator_that_is_down_is_named():
    from botocore.exceptions import EndpointConnectionError

    endpoint = "http://localhost:4566"
    down = EndpointConnectionError(endpoint_url=endpoint)
    calls = Calls(FakeClients({"get_role": down}, endpoint_url=endpoint))
    with pytest.raises(AwsError, match=f"AWS at {endpoint} does not answer iam:GetRole"):
        calls.do("iam", "get_role", "the role r")


@pytest.mark.parametrize("service", GONE)
def test_undoing_what_is_gone_is_no_error(service):
    calls = calls_with({"delete_it": GONE[service]})
    calls.delete_if_exists(service, "delete_it", "it", Name="x")
    assert calls.clients.calls == [("delete_it", {"Name": "x"})]


@pytest.mark.parametrize(
    "code", ["AccessDenied", "DeleteConflict", "ResourceConflictException", "Throttling"]
)
def test_undoing_fails_where_it_is_refused_for_any_other_reason(code):
    with pytest.raises(AwsError, match=code):
        calls_with({"delete_it": refusal(code)}).delete_if_exists("iam", "delete_it", "it")


# Patience


@pytest.mark.parametrize("message", [*ROLE_PROPAGATION, *PERMISSION_PROPAGATION])
def test_a_call_is_made_again_until_the_news_has_arrived(message):
    time = FakeTime()
    calls = calls_with({"it": [refusal("X", f"It {message} yet.")] * 3 + ["done"]}, time)
    assert calls.retry_on((message,), lambda: calls.do("iam", "it", "x")) == "done"
    assert calls.clients.operations == ["it"] * 4
    assert time.pauses == [PROPAGATION_INTERVAL] * 3


def test_patience_ends_with_the_error_of_aws():
    time = FakeTime()
    calls = calls_with({"it": NOT_YET}, time)
    with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
        calls.retry_on(ROLE_PROPAGATION, lambda: calls.do("lambda", "it", "x"))
    assert PROPAGATION_TIMEOUT <= time.now <= PROPAGATION_TIMEOUT + 2 * PROPAGATION_INTERVAL


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "InvalidParameterValueException", "ThrottlingException"]
)
def test_any_other_refusal_is_an_error_at_once(code):
    time = FakeTime()
    calls = calls_with({"it": refusal(code, "The runtime is not supported.")}, time)
    with pytest.raises(AwsError, match="The runtime is not supported"):
        calls.retry_on(ROLE_PROPAGATION + PERMISSION_PROPAGATION, lambda: calls.do("lambda", "it", "x"))
    assert calls.clients.operations == ["it"]
    assert time.pauses == []


def test_the_first_answer_needs_no_patience():
    time = FakeTime()
    assert calls_with(time=time).retry_on(("x",), lambda: "done") == "done"
    assert time.pauses == []


def test_a_role_is_waited_for_no_longer_than_its_news_is_the_reason():
    """The second refusal has another reason."""
    calls = calls_with({"it": [NOT_YET, refusal("ServiceException", "broken")]})
    with pytest.raises(AwsError, match="broken"):
        calls.retry_on(ROLE_PROPAGATION, lambda: calls.do("lambda", "it", "x"))
    assert calls.clients.operations == ["it", "it"]


# Waiting for Lambda


def test_waiting_asks_for_the_function_until_it_is_ready():
    calls = calls_with()
    calls.wait("function_active_v2", "the function f", FunctionName="f")
    ((operation, arguments),) = calls.clients.calls
    assert operation == "wait function_active_v2"
    assert arguments["FunctionName"] == "f"


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ({"Configuration": {"StateReason": "The subnet is full"}}, "The subnet is full"),
        ({"Configuration": {"LastUpdateStatusReason": "The image is broken"}}, "The image is broken"),
        ({"Configuration": {}}, "Max attempts exceeded"),
        ({}, "Max attempts exceeded"),
    ],
    ids=["state", "update", "no reason", "no configuration"],
)
def test_a_function_that_never_gets_ready_is_an_error_with_awss_reason(last, says):
    error = WaiterError(name="FunctionActiveV2", reason="Max attempts exceeded", last_response=last)
    calls = calls_with({"wait function_active_v2": error})
    with pytest.raises(AwsError, match=says) as raised:
        calls.wait("function_active_v2", "the function f", FunctionName="f")
    assert str(raised.value).startswith("the function f did not become ready")
    assert "\n" not in str(raised.value)


def test_waiting_that_is_refused_names_the_right_it_needs():
    calls = calls_with({"wait function_active_v2": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for lambda:GetFunction on the function f"):
        calls.wait("function_active_v2", "the function f", FunctionName="f")


def test_waiting_that_aws_refuses_is_told_as_a_refusal():
    """boto3's waiters put an unexpected error into a WaiterError of their own."""
    last = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    error = WaiterError(
        name="FunctionActiveV2", reason="An error occurred (AccessDeniedException)", last_response=last
    )
    calls = calls_with({"wait function_active_v2": error})
    with pytest.raises(AwsError, match="AccessDenied"):
        calls.wait("function_active_v2", "the function f", FunctionName="f")


# The role


def test_a_role_is_made_with_trust_tags_and_path_and_then_given_its_policy():
    calls = calls_with()
    RoleWriter(calls).create(ROLE)
    assert calls.clients.operations == ["create_role", "put_role_policy"]
    made = calls.clients.arguments("create_role")
    assert json.loads(made["AssumeRolePolicyDocument"]) == ROLE.trust
    assert made["Path"] == "/pypicloud-s3sync/"
    assert made["Tags"] == [{"Key": OWNER_TAG, "Value": BUCKET}, {"Key": "team", "Value": "infra"}]
    assert "PermissionsBoundary" not in made
    given = calls.clients.arguments("put_role_policy")
    assert (given["RoleName"], given["PolicyName"]) == (ROLE.name, "sync")
    assert json.loads(given["PolicyDocument"]) == ROLE.policy


def test_a_role_is_bounded_from_its_first_moment():
    calls = calls_with()
    RoleWriter(calls).create(replace(ROLE, boundary="arn:aws:iam::aws:policy/X"))
    assert calls.clients.arguments("create_role")["PermissionsBoundary"] == "arn:aws:iam::aws:policy/X"


@pytest.mark.parametrize(
    ("change", "operations"),
    [
        ({}, []),
        ({"trust": {}}, ["update_assume_role_policy"]),
        ({"policy": None}, ["put_role_policy"]),
        ({"boundary": "arn:x"}, ["delete_role_permissions_boundary"]),
        ({"tags": {OWNER_TAG: BUCKET}}, ["tag_role"]),
        ({"tags": {**ROLE.tags, "team": "x"}}, ["tag_role"]),
        ({"tags": {**ROLE.tags, "somebody's": "x"}}, []),
    ],
    ids=["nothing", "trust", "policy", "boundary gone", "tag missing", "tag differs", "tag of others"],
)
def test_only_what_differs_in_a_role_is_changed(change, operations):
    calls = calls_with()
    RoleWriter(calls).update(ROLE, replace(ROLE, **change))
    assert calls.clients.operations == operations


def test_a_boundary_is_put_on_a_role():
    calls = calls_with()
    RoleWriter(calls).update(replace(ROLE, boundary="arn:x"), replace(ROLE, boundary="arn:y"))
    assert calls.clients.calls == [
        ("put_role_permissions_boundary", {"RoleName": ROLE.name, "PermissionsBoundary": "arn:x"})
    ]


OF_A_ROLE = {
    "list_role_policies": {"PolicyNames": ["sync", "by hand"]},
    "list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": "arn:a", "PolicyName": "a"}]},
}


def test_a_role_goes_after_its_policies_and_those_that_somebody_attached():
    calls = calls_with(dict(OF_A_ROLE))
    RoleWriter(calls).delete("r")
    assert calls.clients.operations == [
        "list_role_policies",
        *("delete_role_policy", "delete_role_policy"),
        "list_attached_role_policies",
        "detach_role_policy",
        "delete_role",
    ]


@pytest.mark.parametrize("gone", ["delete_role_policy", "detach_role_policy", "delete_role"])
def test_what_is_gone_of_a_role_is_no_error(gone):
    calls = calls_with({**OF_A_ROLE, gone: GONE["iam"]})
    RoleWriter(calls).delete("r")
    assert calls.clients.operations[-1] == "delete_role"


def test_a_role_that_is_gone_altogether_is_no_error():
    """Somebody removed it between the look and the deed."""
    missing = dict.fromkeys(
        ["list_role_policies", "list_attached_role_policies", "delete_role_policy", "delete_role"],
        GONE["iam"],
    )
    RoleWriter(calls_with(missing)).delete("r")


def test_a_role_that_may_not_be_deleted_is_an_error():
    with pytest.raises(AwsError, match="AccessDenied for iam:DeleteRole on the role r"):
        RoleWriter(calls_with({**OF_A_ROLE, "delete_role": refusal("AccessDenied")})).delete("r")


# The log group


def test_a_log_group_is_made_with_tags_and_retention():
    calls = calls_with()
    LogGroupWriter(calls).create(GROUP)
    assert calls.clients.calls == [
        ("create_log_group", {"logGroupName": GROUP.name, "tags": dict(GROUP.tags)}),
        ("put_retention_policy", {"logGroupName": GROUP.name, "retentionInDays": 30}),
    ]


ARN = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{GROUP.name}"
GROUPS = {
    "describe_log_groups": {
        "logGroups": [
            {"logGroupName": f"{GROUP.name}-2", "arn": f"{ARN}-2:*"},
            {"logGroupName": GROUP.name, "arn": f"{ARN}:*"},
        ]
    }
}


@pytest.mark.parametrize(
    ("change", "ours", "operations"),
    [
        ({"retention_days": 7}, True, ["put_retention_policy"]),
        ({"retention_days": None, "tags": {"x": "y"}}, False, ["put_retention_policy"]),
        ({"tags": {**GROUP.tags, "team": "x"}}, True, ["describe_log_groups", "tag_resource"]),
        ({"tags": {**GROUP.tags, "somebody's": "x"}}, True, []),
        ({"tags": {OWNER_TAG: BUCKET}}, True, ["describe_log_groups", "tag_resource"]),
        ({"tags": {"x": "y"}}, False, []),
    ],
    ids=[
        *("retention", "retention of somebody's", "tag differs", "tag of others", "tag missing"),
        "tags of somebody's",
    ],
)
def test_only_what_differs_in_a_log_group_is_changed(change, ours, operations):
    calls = calls_with(dict(GROUPS))
    LogGroupWriter(calls).update(GROUP, replace(GROUP, **change), ours)
    assert calls.clients.operations == operations


def test_tags_are_put_on_the_log_group_of_that_exact_name():
    """Logs takes tags for an ARN that does not end in ``:*``."""
    calls = calls_with(dict(GROUPS))
    LogGroupWriter(calls).update(GROUP, replace(GROUP, tags={OWNER_TAG: BUCKET}), True)
    assert calls.clients.arguments("tag_resource") == {"resourceArn": ARN, "tags": dict(GROUP.tags)}


def test_a_log_group_that_is_gone_is_no_error():
    LogGroupWriter(calls_with({"delete_log_group": GONE["logs"]})).delete("g")


# The function


SETTLED = ["wait function_active_v2", "wait function_updated_v2"]


def test_a_function_is_made_and_waited_for():
    calls = calls_with()
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations == ["create_function", *SETTLED]
    made = calls.clients.arguments("create_function")
    assert made["Code"] == {"ZipFile": b"zip"}
    assert made["Environment"] == {"Variables": FUNCTION.configuration["Environment"]}
    assert made["Tags"] == {**FUNCTION.tags, BUNDLE_TAG: f"inputs/{BUNDLE.code_sha256}"}
    assert {key: made[key] for key in FUNCTION.configuration if key != "Environment"} == {
        key: value for key, value in FUNCTION.configuration.items() if key != "Environment"
    }


@pytest.mark.parametrize("message", ROLE_PROPAGATION)
def test_a_function_is_made_once_its_role_is_known(message):
    time = FakeTime()
    calls = calls_with(
        {"create_function": [refusal("InvalidParameterValueException", message)] * 2 + [{}]}, time
    )
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations == ["create_function"] * 3 + SETTLED
    assert len(time.pauses) == 2


def test_a_function_that_is_refused_for_another_reason_is_an_error_at_once():
    calls = calls_with({"create_function": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for lambda:CreateFunction on the function sync"):
        FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations == ["create_function"]


def test_code_is_sent_between_two_waits_and_remembered_after_them():
    """A tag that came first would claim, after a crash, what was never sent."""
    calls = calls_with()
    FunctionWriter(calls, BUCKET).update_code("sync", FUNCTION.arn, "inputs", "arm64", BUNDLE)
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


def test_a_configuration_is_sent_between_two_waits():
    calls = calls_with()
    configuration = {key: value for key, value in FUNCTION.configuration.items() if key != "Architectures"}
    FunctionWriter(calls, BUCKET).update_configuration("sync", configuration)
    assert calls.clients.operations == [*SETTLED, "update_function_configuration", *SETTLED]
    sent = calls.clients.arguments("update_function_configuration")
    assert sent["Environment"] == {"Variables": FUNCTION.configuration["Environment"]}


def test_a_new_role_of_a_function_is_waited_for():
    calls = calls_with({"update_function_configuration": [NOT_YET, {}]})
    FunctionWriter(calls, BUCKET).update_configuration("sync", FUNCTION.configuration)
    assert calls.clients.operations.count("update_function_configuration") == 2


def test_a_function_that_is_gone_is_no_error():
    FunctionWriter(calls_with({"delete_function": GONE["lambda"]}), BUCKET).delete("sync")


def test_the_arguments_are_such_as_boto3_takes():
    """Against botocore's own model: a wrong name would only fail in AWS."""
    import boto3
    from botocore.stub import Stubber

    client = boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    calls = calls_with()
    writer = FunctionWriter(calls, BUCKET)
    writer.create(FUNCTION, "inputs", BUNDLE)
    writer.update_code("sync", FUNCTION.arn, "inputs", "arm64", BUNDLE)
    configuration = {key: value for key, value in FUNCTION.configuration.items() if key != "Architectures"}
    writer.update_configuration("sync", configuration)
    PermissionWriter(calls).replace(DESIRED.permission)
    sent = [(name, arguments) for name, arguments in calls.clients.calls if not name.startswith("wait")]
    with Stubber(client) as stubber:
        for operation, arguments in sent:
            stubber.add_response(operation, {})
            getattr(client, operation)(**arguments)
    assert len(sent) == 6


# A bundle that is too large for the call


@pytest.fixture
def low_limit(monkeypatch):
    monkeypatch.setattr(functions, "DIRECT_UPLOAD_LIMIT", len(BUNDLE.data) - 1)


KEY = f"pypicloud-s3sync/{BUNDLE.sha256}.bundle"
UPLOADED = {"S3Bucket": BUCKET, "S3Key": KEY}


def test_the_limit_is_that_of_lambda():
    assert DIRECT_UPLOAD_LIMIT == functions.DIRECT_UPLOAD_LIMIT == 50 * 1024**2


def test_a_bundle_at_the_limit_goes_with_the_call(monkeypatch):
    monkeypatch.setattr(functions, "DIRECT_UPLOAD_LIMIT", len(BUNDLE.data))
    calls = calls_with()
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert "put_object" not in calls.clients.operations


@pytest.mark.usefixtures("low_limit")
def test_a_large_bundle_of_a_new_function_goes_through_the_bucket_and_is_removed():
    calls = calls_with()
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations == ["put_object", "create_function", *SETTLED, "delete_object"]
    assert calls.clients.arguments("put_object") == {"Bucket": BUCKET, "Key": KEY, "Body": b"zip"}
    assert calls.clients.arguments("create_function")["Code"] == UPLOADED
    assert calls.clients.arguments("delete_object") == {"Bucket": BUCKET, "Key": KEY}


@pytest.mark.usefixtures("low_limit")
def test_large_new_code_goes_through_the_bucket_and_is_removed():
    calls = calls_with()
    FunctionWriter(calls, BUCKET).update_code("sync", FUNCTION.arn, "inputs", "x86_64", BUNDLE)
    sent = calls.clients.arguments("update_function_code")
    assert {key: sent[key] for key in UPLOADED} == UPLOADED
    assert "ZipFile" not in sent
    operations = calls.clients.operations
    assert operations.index("put_object") < operations.index("update_function_code")
    assert operations.index("update_function_code") < operations.index("delete_object")


@pytest.mark.usefixtures("low_limit")
def test_a_large_bundle_is_removed_though_lambda_refuses_it():
    calls = calls_with({"create_function": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="lambda:CreateFunction"):
        FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations == ["put_object", "create_function", "delete_object"]


@pytest.mark.usefixtures("low_limit")
def test_a_large_bundle_that_cannot_be_put_is_named_and_no_function_is_made():
    calls = calls_with({"put_object": refusal("AccessDenied")})
    with pytest.raises(AwsError, match=f"AccessDenied for s3:PutObject on s3://{BUCKET}/{KEY}"):
        FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations == ["put_object"]


def test_a_bundle_in_the_bucket_is_never_taken_for_a_package():
    from pypicloud.util import PackageParseError, parse_filename

    with pytest.raises(PackageParseError):
        parse_filename(KEY.rpartition("/")[2])


@pytest.mark.usefixtures("low_limit")
def test_of_a_versioned_bucket_the_very_version_is_removed():
    calls = calls_with({"put_object": {"VersionId": "v1"}})
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.arguments("delete_object") == {"Bucket": BUCKET, "Key": KEY, "VersionId": "v1"}


@pytest.mark.usefixtures("low_limit")
def test_a_bundle_that_somebody_removed_from_the_bucket_is_no_error():
    calls = calls_with({"delete_object": GONE["s3"]})
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)
    assert calls.clients.operations[-1] == "delete_object"


# The permission


def test_a_permission_is_added_with_bucket_and_account():
    calls = calls_with()
    PermissionWriter(calls).add(DESIRED.permission)
    assert calls.clients.calls == [("add_permission", dict(DESIRED.permission))]


def test_a_permission_is_replaced_by_removing_it_first():
    calls = calls_with()
    PermissionWriter(calls).replace(DESIRED.permission)
    assert calls.clients.operations == ["remove_permission", "add_permission"]
    assert calls.clients.arguments("remove_permission") == {
        "FunctionName": "sync",
        "StatementId": DESIRED.names.statement,
    }


def test_a_permission_that_is_gone_is_replaced_all_the_same():
    calls = calls_with({"remove_permission": GONE["lambda"]})
    PermissionWriter(calls).replace(DESIRED.permission)
    assert calls.clients.operations == ["remove_permission", "add_permission"]


def test_a_permission_that_is_gone_is_no_error():
    PermissionWriter(calls_with({"remove_permission": GONE["lambda"]})).remove("sync", "statement")


# The notification


class Bucket(FakeClients):
    """A bucket with notifications, as S3 keeps them."""

    def __init__(self, configuration, **answers):
        super().__init__({GET_NOTIFICATIONS: self.read, PUT_NOTIFICATIONS: self.write, **answers})
        self.configuration = configuration

    def read(self, Bucket):
        return {**json.loads(json.dumps(self.configuration)), "ResponseMetadata": {}}

    def write(self, Bucket, NotificationConfiguration, **arguments):
        self.configuration = NotificationConfiguration

    def writer(self, time=None):
        time = time or FakeTime()
        return NotificationWriter(Calls(self, time.clock, time.pause), BUCKET, ACCOUNT)


OURS = DESIRED.subscription.entry
THEIRS = {
    "QueueConfigurations": [{"Id": "q", "QueueArn": "arn:q", "Events": ["s3:ObjectTagging:*"]}],
    "EventBridgeConfiguration": {},
}
WITH_OURS = {**THEIRS, "LambdaFunctionConfigurations": [dict(OURS)]}


def test_our_entry_is_put_beside_the_others_and_read_back():
    bucket = Bucket(THEIRS)
    bucket.writer().put(DESIRED.owner, DESIRED.subscription)
    assert bucket.configuration == WITH_OURS
    assert bucket.operations == [GET_NOTIFICATIONS, PUT_NOTIFICATIONS, GET_NOTIFICATIONS]


def test_our_entry_is_taken_out_from_beside_the_others():
    bucket = Bucket(WITH_OURS)
    bucket.writer().remove(DESIRED.owner)
    assert bucket.configuration == THEIRS


def test_the_write_is_for_the_owner_of_the_bucket_only():
    bucket = Bucket(THEIRS)
    bucket.writer().put(DESIRED.owner, DESIRED.subscription)
    assert bucket.arguments(PUT_NOTIFICATIONS)["ExpectedBucketOwner"] == ACCOUNT


@pytest.mark.parametrize(
    "ours",
    [
        OURS,
        {**OURS, "Events": list(reversed(OURS["Events"]))},
        {**OURS, "Filter": {"Key": {"FilterRules": []}}},
    ],
    ids=["as it is", "another order", "an empty filter"],
)
def test_what_is_there_already_is_not_written_again(ours):
    bucket = Bucket({**THEIRS, "LambdaFunctionConfigurations": [dict(ours)]})
    bucket.writer().put(DESIRED.owner, DESIRED.subscription)
    assert bucket.operations == [GET_NOTIFICATIONS]


def test_what_is_gone_already_is_not_written():
    bucket = Bucket(THEIRS)
    bucket.writer().remove(DESIRED.owner)
    assert bucket.operations == [GET_NOTIFICATIONS]


def test_what_others_put_since_the_plan_is_kept():
    """The configuration is read again at the moment of writing, not taken from the plan."""
    bucket = Bucket({})
    writer = bucket.writer()
    bucket.configuration = THEIRS
    writer.put(DESIRED.owner, DESIRED.subscription)
    assert bucket.configuration == WITH_OURS


def test_notifications_that_cannot_be_read_are_never_written():
    bucket = Bucket(THEIRS, **{GET_NOTIFICATIONS: refusal("AccessDenied")})
    for attempt in (
        lambda: bucket.writer().put(DESIRED.owner, DESIRED.subscription),
        lambda: bucket.writer().remove(DESIRED.owner),
    ):
        with pytest.raises(AwsError, match="AccessDenied for s3:GetBucketNotification"):
            attempt()
    assert PUT_NOTIFICATIONS not in bucket.operations


def test_an_entry_is_put_once_s3_knows_of_the_permission():
    time = FakeTime()
    not_yet = refusal("InvalidArgument", "Unable to validate the following destination configurations")
    bucket = Bucket(THEIRS)
    bucket.answers[PUT_NOTIFICATIONS] = [not_yet, not_yet, bucket.write]
    bucket.writer(time).put(DESIRED.owner, DESIRED.subscription)
    assert bucket.configuration == WITH_OURS
    assert time.pauses == [PROPAGATION_INTERVAL] * 2


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidArgument"])
def test_an_entry_that_s3_refuses_for_another_reason_is_an_error_at_once(code):
    time = FakeTime()
    bucket = Bucket(THEIRS, **{PUT_NOTIFICATIONS: refusal(code, "Configurations overlap.")})
    with pytest.raises(AwsError, match=r"s3:PutBucketNotification on the bucket.*Configurations overlap"):
        bucket.writer(time).put(DESIRED.owner, DESIRED.subscription)
    assert time.pauses == []
    assert bucket.operations == [GET_NOTIFICATIONS, PUT_NOTIFICATIONS]


def test_an_entry_that_somebody_overwrote_at_once_is_an_error():
    bucket = Bucket(THEIRS, **{PUT_NOTIFICATIONS: {}})
    with pytest.raises(AwsError, match="somebody else writes them too; run again"):
        bucket.writer().put(DESIRED.owner, DESIRED.subscription)


def test_an_entry_that_somebody_put_back_at_once_is_an_error():
    bucket = Bucket(WITH_OURS, **{PUT_NOTIFICATIONS: {}})
    with pytest.raises(AwsError, match="somebody else writes them too; run again"):
        bucket.writer().remove(DESIRED.owner)


def test_what_others_add_at_the_same_time_is_no_error():
    bucket = Bucket(THEIRS)

    def write(NotificationConfiguration, **arguments):
        more = [{"Id": "t", "TopicArn": "arn:t", "Events": ["s3:Replication:*"]}]
        bucket.configuration = {**NotificationConfiguration, "TopicConfigurations": more}

    bucket.answers[PUT_NOTIFICATIONS] = write
    bucket.writer().put(DESIRED.owner, DESIRED.subscription)
    assert bucket.configuration["LambdaFunctionConfigurations"] == [OURS]


def test_our_entry_goes_though_the_destination_of_another_is_broken():
    """S3 checks every destination at each write; that of somebody else is none of our business."""
    bucket = Bucket(WITH_OURS)
    bucket.writer().remove(DESIRED.owner)
    assert bucket.arguments(PUT_NOTIFICATIONS)["SkipDestinationValidation"] is True


def test_our_own_destination_is_checked_by_s3_when_it_is_put():
    bucket = Bucket(THEIRS)
    bucket.writer().put(DESIRED.owner, DESIRED.subscription)
    assert bucket.arguments(PUT_NOTIFICATIONS).get("SkipDestinationValidation", False) is False


# All writers


def test_each_action_of_a_plan_has_a_writer_that_takes_its_arguments():
    import inspect

    from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable

    writers = Writers(FakeClients(), BUCKET, ACCOUNT)
    role = replace(ROLE, policy=None)
    function = replace(
        FUNCTION, configuration={**FUNCTION.configuration, "Timeout": 3}, tags={OWNER_TAG: BUCKET}
    )
    statement = {"Sid": DESIRED.names.statement, "Effect": "Deny"}
    group = replace(GROUP, retention_days=7)
    observed = deployed(DESIRED, role=role, function=function, statements=(statement,), log_group=group)
    same_code = replace(observed, function=replace(function, code_sha256="same"))
    plans = [
        plan_enable(DESIRED, NOTHING),
        plan_enable(DESIRED, observed, "x"),
        plan_enable(DESIRED, same_code, "same"),
        plan_disable(DESIRED, deployed(DESIRED)),
    ]
    called = set()
    for action in (action for plan in plans for action in plan.actions):
        writer, method = action.call.split(".")
        arguments = dict(action.arguments) | ({"bundle": BUNDLE} if action.needs_bundle else {})
        inspect.signature(getattr(writers._writers[writer], method)).bind(**arguments)
        called.add(action.call)
    assert called == {
        *("role.create", "role.update", "role.delete"),
        *("log_group.create", "log_group.update", "log_group.delete"),
        *("function.create", "function.update_code", "function.update_configuration", "function.tag"),
        *("function.tag_bundle", "function.delete"),
        *("permission.add", "permission.replace", "permission.remove"),
        *("notification.put", "notification.remove"),
    }


def test_a_function_that_failed_gets_new_code_and_configuration():
    """Whoever mends its VPC has perhaps updated packages too: both differ then."""
    from pypicloud_s3sync.deploy.executor import execute
    from pypicloud_s3sync.deploy.plan.planner import plan_enable

    clients = FakeClients()
    reason = {"Configuration": {"StateReason": "the subnet is full"}}
    broken = WaiterError(name="FunctionActiveV2", reason="Failed", last_response=reason)

    def active(**arguments):
        mended = {"update_function_code", "update_function_configuration"} & set(clients.operations)
        if not mended:
            raise broken
        return {}

    clients.answers["wait function_active_v2"] = active
    failed = replace(deployed(DESIRED).function, failure="the subnet is full")
    plan = plan_enable(DESIRED, deployed(DESIRED, function=failed), "another")
    execute(plan, Writers(clients, BUCKET, ACCOUNT), lambda report: BUNDLE, lambda progress: None)
    assert {"update_function_code", "update_function_configuration"} <= set(clients.operations)


def test_a_call_finds_its_writer():
    clients = FakeClients()
    Writers(clients, BUCKET, ACCOUNT).perform("function.delete", name="sync")
    assert clients.calls == [("delete_function", {"FunctionName": "sync"})]
