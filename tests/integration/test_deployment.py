"""The pipeline as a whole, on an AWS that enforces IAM."""

import json

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.deploy import documents
from pypicloud_s3sync.exceptions import AwsError, ConfigError, ConflictError
from support.sites import NOTHING, Killed, zip_of

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ENABLE_MUTATIONS = [
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "logs:CreateLogGroup",
    "logs:PutRetentionPolicy",
    "lambda:CreateFunction",
    "lambda:AddPermission",
    "s3:PutBucketNotificationConfiguration",
]


def make_role(site, name, trust=TRUST):
    role = site.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return role["Role"]["Arn"]


def make_function(site, name, tags=None):
    role = make_role(site, f"role-of-{name}")
    return site.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="lambda_script.handle_s3_event",
        Role=role,
        Code={"ZipFile": zip_of("def handle_s3_event(event, context):\n    return 'theirs'\n")},
        Tags=tags or {},
    )["FunctionArn"]


def foreign_notifications(site):
    """A bucket that others use: a queue, a topic, a function and EventBridge, with ids and filters."""
    queue = site.client("sqs").create_queue(QueueName=f"queue-{site.bucket}")["QueueUrl"]
    of_queue = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
    queue_arn = site.client("sqs").get_queue_attributes(**of_queue)["Attributes"]["QueueArn"]
    topic_arn = site.client("sns").create_topic(Name=f"topic-{site.bucket}")["TopicArn"]
    for_s3 = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
    to_queue = {
        "Version": "2012-10-17",
        "Statement": [{**for_s3, "Action": "sqs:SendMessage", "Resource": queue_arn}],
    }
    to_topic = {
        "Version": "2012-10-17",
        "Statement": [{**for_s3, "Action": "sns:Publish", "Resource": topic_arn}],
    }
    site.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(to_queue)})
    of_topic = {"TopicArn": topic_arn, "AttributeName": "Policy", "AttributeValue": json.dumps(to_topic)}
    site.client("sns").set_topic_attributes(**of_topic)
    prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "logs/"}]}}
    configuration = {
        "QueueConfigurations": [
            {"Id": "q", "QueueArn": queue_arn, "Events": ["s3:ObjectTagging:*"], "Filter": prefix}
        ],
        "TopicConfigurations": [{"Id": "t", "TopicArn": topic_arn, "Events": ["s3:ObjectRestore:Completed"]}],
        "LambdaFunctionConfigurations": [
            {
                "Id": "their own",
                "LambdaFunctionArn": make_function(site, f"other-{site.bucket}"),
                "Events": ["s3:ReducedRedundancyLostObject"],
            }
        ],
        "EventBridgeConfiguration": {},
    }
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration=configuration
    )
    return site.notifications()


def test_plan_changes_nothing_and_shows_what_enable_performs(site):
    before = site.remains()
    plan = site.deployment().plan()
    assert site.watch.mutations == []
    assert site.remains() == before
    assert site.deployment().enable().actions == plan.actions


def test_enable_makes_each_thing_once_in_the_order_that_is_safe(site):
    site.deployment().enable()
    assert site.watch.mutations == ENABLE_MUTATIONS


def test_a_second_enable_finds_nothing_to_do_and_makes_no_mutating_call(site):
    site.deployment().enable()
    site.watch.mutations.clear()
    assert site.deployment().enable().in_sync
    assert site.watch.mutations == []


def test_disable_removes_all_of_it_and_a_second_time_nothing(site):
    site.deployment().enable()
    site.deployment().disable()
    assert site.remains() == NOTHING
    site.watch.mutations.clear()
    assert site.deployment().disable().in_sync
    assert site.watch.mutations == []


def test_foreign_notifications_keep_ids_and_filters_through_everything(site):
    theirs = foreign_notifications(site)
    deployment = site.deployment()
    deployment.enable()
    ours = [
        item
        for item in site.notifications()["LambdaFunctionConfigurations"]
        if item not in theirs["LambdaFunctionConfigurations"]
    ]
    assert len(ours) == 1
    for kind, entries in theirs.items():
        kept = site.notifications()[kind]
        assert kept == entries or [item for item in kept if item not in ours] == entries, kind
    site.deployment().enable(force=True)
    assert len(site.notifications()["LambdaFunctionConfigurations"]) == 2
    site.deployment().disable()
    assert site.notifications() == theirs


def test_status_tells_on_off_and_what_differs(site):
    def state():
        settings = site.settings()
        document = documents.status_document(site.deployment().plan(), settings)
        return document["state"], {part["resource"]: part["state"] for part in document["resources"]}

    assert state()[0] == "off"
    site.deployment().enable()
    assert state()[0] == "on"
    site.client("iam").delete_role_policy(RoleName=site.role_names()[0], PolicyName="sync")
    assert state()[0] == "differs"
    assert state()[1]["role"] == "differs"
    site.client("s3").put_bucket_notification_configuration(Bucket=site.bucket, NotificationConfiguration={})
    assert state()[0] == "partial"
    assert state()[1]["notification"] == "missing"
    site.deployment().enable()
    assert state()[0] == "on"


@pytest.mark.parametrize(
    "change",
    [
        {"s3sync__memory_size": "1024"},
        {"s3sync__timeout": "30"},
        {"s3sync__log_retention_days": "7"},
        {"s3sync__tags": "team=infra"},
        {"storage__prefix": "pkgs/"},
        {"db__tablenames": "DynamoPackage PackageSummary"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_setting_is_updated_in_place(site, change):
    site.deployment().enable()
    created = site.client("lambda").get_function(FunctionName=site.function)["Configuration"]["FunctionArn"]
    changed = site.deployment(**change).enable()
    assert changed.actions
    assert "lambda:DeleteFunction" not in site.watch.mutations
    assert site.deployment(**change).plan().in_sync
    assert (
        site.client("lambda").get_function(FunctionName=site.function)["Configuration"]["FunctionArn"]
        == created
    )


def test_an_environment_variable_that_somebody_added_stays(site):
    site.deployment().enable()
    configuration = site.client("lambda").get_function_configuration(FunctionName=site.function)
    variables = {**configuration["Environment"]["Variables"], "PPC_DB_NAMESPACE": "x"}
    site.client("lambda").update_function_configuration(
        FunctionName=site.function, Environment={"Variables": variables}
    )
    assert site.deployment().plan().in_sync
    site.deployment(s3sync__timeout="30").enable()
    configuration = site.client("lambda").get_function_configuration(FunctionName=site.function)
    assert configuration["Environment"]["Variables"]["PPC_DB_NAMESPACE"] == "x"


def test_new_code_is_sent_and_unchanged_code_is_not(site, tmp_path):
    site.deployment().enable()
    other = tmp_path / "other.zip"
    other.write_bytes(zip_of("def handle_s3_event(event, context):\n    return 'other'\n"))
    site.watch.mutations.clear()
    site.deployment(s3sync__bundle=str(other)).enable()
    assert site.watch.mutations == ["lambda:UpdateFunctionCode", "lambda:TagResource"]
    assert site.deployment(s3sync__bundle=str(other)).plan().in_sync


def test_code_that_somebody_else_sent_is_replaced(site):
    site.deployment().enable()
    site.client("lambda").update_function_code(
        FunctionName=site.function,
        ZipFile=zip_of("def handle_s3_event(event, context):\n    return 'theirs'\n"),
    )
    assert [action.resource for action in site.deployment().plan().actions] == ["code"]
    site.deployment().enable()
    assert site.deployment().plan().in_sync


def test_force_sends_the_code_though_nothing_changed(site):
    site.deployment().enable()
    site.watch.mutations.clear()
    site.deployment().enable(force=True)
    assert "lambda:UpdateFunctionCode" in site.watch.mutations


def test_regions_buckets_and_names_never_touch_each_other(make_site):
    """Two regions with one function name, and a second function beside one of them."""
    sites = [make_site("us-east-1", function="shared"), make_site("eu-west-1", function="shared")]
    sites.append(make_site("us-east-1", function="shared-2"))
    for one in sites:
        one.deployment().enable()
    for one in sites:
        assert one.deployment().plan().in_sync, one.bucket
        assert len(one.role_names()) == len(one.statements()) == 1
    before = [one.remains() for one in sites[1:]]
    sites[0].deployment().disable()
    assert [one.remains() for one in sites[1:]] == before
    for one in sites[1:]:
        assert one.deployment().plan().in_sync, one.bucket
        one.deployment().disable()


def test_one_function_name_for_two_buckets_is_refused_before_anything_is_made(make_site):
    first = make_site()
    second = make_site(function=first.function)
    first.deployment().enable()
    for force in (False, True):
        with pytest.raises(
            ConflictError, match=f"serves the bucket {first.bucket}: give another name with -n"
        ):
            second.deployment().enable(force=force)
    assert second.watch.mutations == []
    second.deployment().disable()
    assert first.deployment().plan().in_sync, "disabling the second bucket took the first one's function"


def test_a_given_role_is_used_and_none_is_made(site):
    role = make_role(site, f"given-{site.bucket}")
    site.deployment(s3sync__role_arn=role).enable()
    assert site.role_names() == [f"given-{site.bucket}"]
    configuration = site.client("lambda").get_function_configuration(FunctionName=site.function)
    assert configuration["Role"] == role
    site.deployment(s3sync__role_arn=role).disable()
    assert site.role_names() == [f"given-{site.bucket}"], "disable removed a role that it did not make"


def test_a_role_given_later_takes_the_place_of_ours(site):
    site.deployment().enable()
    role = make_role(site, f"given-{site.bucket}")
    site.deployment(s3sync__role_arn=role).enable()
    assert site.role_names() == [f"given-{site.bucket}"]
    assert site.deployment(s3sync__role_arn=role).plan().in_sync


@pytest.mark.parametrize("killed_after", range(1, len(ENABLE_MUTATIONS) + 1))
def test_killed_after_any_mutating_call_of_enable_the_next_run_finishes(site, killed_after):
    theirs = foreign_notifications(site)
    site.watch.kill_after = killed_after
    with pytest.raises(Killed):
        site.deployment().enable()
    site.watch.kill_after = None
    site.deployment().enable()
    assert site.deployment().plan().in_sync
    site.deployment().disable()
    assert site.notifications() == theirs
    assert not site.remains()["roles"]


def test_killed_after_any_mutating_call_of_an_update_the_next_run_finishes(site, tmp_path):
    other = tmp_path / "other.zip"
    other.write_bytes(zip_of("def handle_s3_event(event, context):\n    return 'other'\n"))
    change = {"s3sync__tags": "a=b", "s3sync__timeout": "9", "s3sync__log_retention_days": "7"}
    change |= {"storage__prefix": "x/", "s3sync__bundle": str(other)}
    for killed_after in range(1, 20):
        site.deployment().enable()
        site.watch.mutations.clear()
        site.watch.kill_after = killed_after
        try:
            site.deployment(**change).enable()
        except Killed:
            pass
        else:
            break
        finally:
            site.watch.kill_after = None
        site.deployment(**change).enable()
        assert site.deployment(**change).plan().in_sync, f"killed {killed_after}"
    assert killed_after > 5, site.watch.mutations


def test_killed_after_any_mutating_call_of_disable_the_next_run_finishes(site):
    theirs = foreign_notifications(site)
    for killed_after in range(1, 20):
        site.deployment().enable()
        site.watch.mutations.clear()
        site.watch.kill_after = killed_after
        try:
            site.deployment().disable()
        except Killed:
            pass
        else:
            break
        finally:
            site.watch.kill_after = None
        site.deployment().disable()
        assert site.notifications() == theirs, f"killed {killed_after}"
        assert site.remains() == {**NOTHING, "notifications": theirs}, f"killed {killed_after}"
    assert killed_after == 7, "disable makes six mutating calls"


def test_an_overlapping_foreign_notification_is_named_and_nothing_is_made(site):
    arn = make_function(site, f"other-{site.bucket}")
    theirs = {"Id": "in the way", "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    configuration = {"LambdaFunctionConfigurations": [theirs]}
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration=configuration
    )
    with pytest.raises(ConflictError, match=r"in the way \(s3:ObjectCreated:Put\) to arn:aws:lambda"):
        site.deployment().enable()
    assert site.watch.mutations == []


def test_the_two_entries_that_pypicloud_left_are_adopted(site):
    site.deployment().enable()
    arn = site.client("lambda").get_function(FunctionName=site.function)["Configuration"]["FunctionArn"]
    left = [
        {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]},
        {"LambdaFunctionArn": arn, "Events": ["s3:ObjectRemoved:*"]},
    ]
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": left}
    )
    site.deployment().enable()
    assert len(site.notifications()["LambdaFunctionConfigurations"]) == 1
    site.deployment().disable()
    assert site.notifications() == {}


def test_somebody_elses_function_is_refused_and_taken_over_with_force(site):
    make_function(site, site.function)
    with pytest.raises(ConflictError, match="take it over with -f"):
        site.deployment().enable()
    assert site.watch.mutations == []
    site.deployment().enable(force=True)
    assert site.deployment().plan().in_sync


def test_disable_leaves_somebody_elses_function_alone(site):
    make_function(site, site.function)
    site.deployment().disable()
    assert site.remains()["functions"] == [site.function]


def test_somebody_elses_role_of_our_name_is_refused(site):
    name = site.deployment().plan().desired.names.role
    make_role(site, name)
    with pytest.raises(ConflictError, match="that this tool did not make: give a role with -a"):
        site.deployment().enable()
    assert site.watch.mutations == []


def test_a_log_group_that_was_there_stays(site):
    site.client("logs").create_log_group(logGroupName=f"/aws/lambda/{site.function}")
    site.deployment().enable()
    groups = site.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{site.function}")
    assert groups["logGroups"][0]["retentionInDays"] == 30
    site.deployment().disable()
    assert site.remains()["log groups"] == [f"/aws/lambda/{site.function}"]


def test_a_missing_bucket_is_an_error_and_never_made(site):
    with pytest.raises(ConflictError, match="the bucket nobodys does not exist"):
        site.deployment(storage__bucket="nobodys").enable()
    with pytest.raises(ClientError, match="404"):
        site.client("s3").head_bucket(Bucket="nobodys")
    assert site.watch.mutations == []


def test_a_bucket_in_another_region_than_the_function_is_refused(site):
    with pytest.raises(ConfigError, match=r"is in us-east-1, not in eu-west-1.*give -r us-east-1"):
        site.deployment(s3sync__region="eu-west-1").enable()
    assert site.watch.mutations == []


def test_a_region_that_nobody_names_is_the_buckets(make_site):
    site = make_site("eu-west-1")
    plan = site.deployment(storage__region_name=None).enable()
    assert plan.desired.region == "eu-west-1"
    assert site.remains()["functions"] == [site.function]
    site.deployment(storage__region_name=None).disable()


def test_missing_tables_are_named_with_what_makes_them(site):
    with pytest.raises(
        ConflictError, match="the DynamoDB table rows does not exist in us-east-1: start pypicloud"
    ):
        site.deployment(db__tablenames="rows summaries").enable()
    assert site.watch.mutations == []


def test_a_role_that_does_not_exist_is_refused(site):
    arn = f"arn:aws:iam::{site.aws.account_id}:role/nobodys"
    with pytest.raises(ConflictError, match=f"the role {arn} does not exist"):
        site.deployment(s3sync__role_arn=arn).enable()
    assert site.watch.mutations == []


def test_a_role_that_lambda_may_not_assume_is_refused(site):
    trust = json.loads(json.dumps(TRUST).replace("lambda.", "ec2."))
    arn = make_role(site, f"ec2-{site.bucket}", trust)
    with pytest.raises(ConflictError, match="does not let Lambda assume it"):
        site.deployment(s3sync__role_arn=arn).enable()
    assert site.watch.mutations == []


def test_a_permission_boundary_is_put_changed_and_taken_away(site):
    iam = site.client("iam")
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    policy = iam.create_policy(PolicyName=f"b-{site.bucket}", PolicyDocument=json.dumps(anything))
    arn = policy["Policy"]["Arn"]
    site.deployment(s3sync__permissions_boundary=arn).enable()
    role = iam.get_role(RoleName=site.role_names()[0])["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    site.deployment().enable()
    assert "PermissionsBoundary" not in iam.get_role(RoleName=site.role_names()[0])["Role"]


def test_a_changed_permission_is_put_right(site):
    site.deployment().enable()
    lambda_ = site.client("lambda")
    sid = site.statements()[0]["Sid"]
    lambda_.remove_permission(FunctionName=site.function, StatementId=sid)
    lambda_.add_permission(
        FunctionName=site.function,
        StatementId=sid,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    site.deployment().enable()
    (statement,) = site.statements()
    assert statement["Condition"]["StringEquals"]["AWS:SourceAccount"] == site.aws.account_id


def test_policies_that_somebody_attached_do_not_keep_the_role(site):
    site.deployment().enable()
    iam, role = site.client("iam"), site.role_names()[0]
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    policy = iam.create_policy(PolicyName=f"p-{site.bucket}", PolicyDocument=json.dumps(anything))["Policy"][
        "Arn"
    ]
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    site.deployment().disable()
    assert site.role_names() == []
    assert iam.get_policy(PolicyArn=policy)["Policy"]["PolicyName"] == f"p-{site.bucket}"


def test_unreadable_notifications_are_never_written(site, monkeypatch):
    def refuse(self, bucket):
        raise AwsError("AccessDenied for s3:GetBucketNotification", "AccessDenied")

    monkeypatch.setattr("pypicloud_s3sync.deploy.readers.reader.Reader.notifications", refuse)
    with pytest.raises(AwsError):
        site.deployment().enable()
    assert site.watch.mutations == []


def test_no_region_and_none_detectable_from_the_bucket_is_refused(site, monkeypatch):
    monkeypatch.setattr(
        "pypicloud_s3sync.deploy.readers.reader.Reader.bucket_region", lambda self, bucket, account: ""
    )
    with pytest.raises(ConfigError, match="no region is set, and S3 does not tell that of the bucket"):
        site.deployment(storage__region_name=None).plan()
    assert site.deployment().plan().desired.region == site.region


def test_tags_that_may_not_be_read_are_an_error_and_no_foreign_function(site):
    """Lambda leaves them out of GetFunction and says so: TagsError in botocore's model of it."""
    site.deployment().enable()

    def hide(parsed, **kwargs):
        parsed.pop("Tags", None)
        parsed["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": "not authorized"}

    lambda_ = site.watch._made[site.region]["lambda"]
    lambda_.meta.events.register("after-call.lambda.GetFunction", hide)
    with pytest.raises(AwsError, match="lambda:ListTags on the function"):
        site.deployment().enable()


def test_disable_leaves_the_function_and_the_entries_of_pypiclouds_own_tool_alone(site):
    """Nobody has run enable: nothing of it is ours."""
    arn = make_function(site, site.function)
    left = [{"LambdaFunctionArn": arn, "Events": [f"s3:Object{what}:*"]} for what in ("Created", "Removed")]
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": left}
    )
    before = site.notifications()
    assert site.deployment().disable().in_sync
    assert site.notifications() == before
    site.deployment().enable(force=True)
    assert len(site.notifications()["LambdaFunctionConfigurations"]) == 1, "the old entries were not adopted"


def test_disable_removes_the_rest_where_the_bucket_is_gone(site):
    site.deployment().enable()
    site.client("s3").delete_bucket(Bucket=site.bucket)
    site.deployment().disable()
    site.client("s3").create_bucket(Bucket=site.bucket)
    assert site.remains() == NOTHING


def test_disable_works_beside_somebodys_broken_destination(site):
    theirs = foreign_notifications(site)
    site.deployment().enable()
    site.client("sqs").delete_queue(
        QueueUrl=site.client("sqs").get_queue_url(QueueName=f"queue-{site.bucket}")["QueueUrl"]
    )
    site.deployment().disable()
    assert site.notifications() == theirs


def test_a_function_that_failed_is_not_in_sync_and_gets_another_chance(site, monkeypatch):
    site.deployment().enable()

    def fail(parsed, **kwargs):
        parsed["Configuration"] |= {"State": "Failed", "StateReason": "the subnet is gone"}

    lambda_ = site.watch._made[site.region]["lambda"]
    lambda_.meta.events.register_first("after-call.lambda.GetFunction", fail)
    plan = site.deployment().plan()
    lambda_.meta.events.unregister("after-call.lambda.GetFunction", fail)
    assert [(action.call, action.changes[0].before) for action in plan.actions] == [
        ("function.update_configuration", "failed: the subnet is gone")
    ]


def test_an_environment_that_may_not_be_decrypted_is_an_error_and_never_overwritten(site):
    site.deployment().enable()

    def hide(parsed, **kwargs):
        error = {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}
        parsed["Configuration"]["Environment"] = {"Error": error}

    site.watch._made[site.region]["lambda"].meta.events.register("after-call.lambda.GetFunction", hide)
    with pytest.raises(AwsError, match="allow kms:Decrypt"):
        site.deployment().enable(force=True)


def test_an_environment_beyond_lambdas_limit_is_refused_before_anything_is_made(site):
    with pytest.raises(ConfigError, match="Lambda takes 4096"):
        site.deployment(db__own_option="x" * 4096).enable()
    assert site.watch.mutations == []


def test_tags_of_others_stay_and_are_no_difference(site):
    site.deployment().enable()
    role, theirs = site.role_names()[0], [{"Key": "CostCenter", "Value": "7"}]
    site.client("iam").tag_role(RoleName=role, Tags=theirs)
    assert site.deployment().plan().in_sync
    site.deployment(s3sync__tags="team=infra").enable()
    tags = site.client("iam").list_role_tags(RoleName=role)["Tags"]
    assert theirs[0] in tags
    assert {"Key": "team", "Value": "infra"} in tags
