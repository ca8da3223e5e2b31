"""Enabling, updating and disabling a deployment, on an AWS that enforces IAM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, bundle_tag
from pypicloud_s3sync.deploy.readers import Reader
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.exceptions import AwsError, BundleError, ConfigError, ConflictError
from support.bundles import without_network
from support.deliveries import MUTATIONS
from support.foreign import create_policy, create_role
from support.sites import NOTHING, Site, zip_of

OTHER_CODE = "def handle_s3_event(event, context):\n    return 'other'\n"


@pytest.fixture
def other_bundle(tmp_path: Path) -> str:
    path = tmp_path / "other.zip"
    path.write_bytes(zip_of(OTHER_CODE))
    return str(path)


def function_arn(site: Site) -> str:
    found = site.client("lambda").get_function(FunctionName=site.function)
    arn: str = found["Configuration"]["FunctionArn"]
    return arn


# Enable and disable


def test_plan_changes_nothing_and_returns_the_actions_that_enable_performs(site: Site) -> None:
    before = site.remains()
    plan = site.deployment().plan()
    assert site.watch.mutations == []
    assert site.remains() == before
    assert site.deployment().enable().actions == plan.actions


def test_enable_creates_each_resource_once_in_a_safe_order(site: Site) -> None:
    site.deployment().enable()
    assert site.watch.mutations == MUTATIONS[Delivery.DIRECT]


def test_a_second_enable_has_nothing_to_do_and_makes_no_mutating_call(site: Site) -> None:
    site.deployment().enable()
    site.watch.mutations.clear()
    assert site.deployment().enable().in_sync
    assert site.watch.mutations == []


def test_disable_removes_everything_and_a_second_disable_has_nothing_to_do(site: Site) -> None:
    site.deployment().enable()
    site.deployment().disable()
    assert site.remains() == NOTHING
    site.watch.mutations.clear()
    assert site.deployment().disable().in_sync
    assert site.watch.mutations == []


def test_disable_removes_the_other_resources_if_the_bucket_is_missing(site: Site) -> None:
    site.deployment().enable()
    site.client("s3").delete_bucket(Bucket=site.bucket)
    site.deployment().disable()
    site.client("s3").create_bucket(Bucket=site.bucket)
    assert site.remains() == NOTHING


def test_the_status_reports_on_off_and_differences(site: Site) -> None:
    def status() -> tuple[str, dict[str, str]]:
        document = status_document(site.deployment().plan(), site.settings())
        return document["state"], {
            resource["resource"]: resource["state"] for resource in document["resources"]
        }

    assert status()[0] == "off"
    site.deployment().enable()
    assert status()[0] == "on"
    site.client("iam").delete_role_policy(RoleName=site.role_names()[0], PolicyName="sync")
    assert status()[0] == "differs"
    assert status()[1]["role"] == "differs"
    site.client("s3").put_bucket_notification_configuration(Bucket=site.bucket, NotificationConfiguration={})
    assert status()[0] == "partial"
    assert status()[1]["notification"] == "missing"
    site.deployment().enable()
    assert status()[0] == "on"


# A ready zip in a bucket


def test_a_zip_in_a_bucket_is_fetched_only_if_it_is_deployed(site: Site, other_bundle: str) -> None:
    def put(body: bytes) -> None:
        site.client("s3").put_object(Bucket=site.bucket, Key="bundles/sync.zip", Body=body)

    def calls(command: str) -> list[str]:
        """Run a command; return its calls that read the zip."""
        site.watch.calls.clear()
        getattr(site.deployment(s3sync__bundle=f"s3://{site.bucket}/bundles/sync.zip"), command)()
        return [name for name in site.watch.calls if name in ("s3:HeadObject", "s3:GetObject")]

    zipped = Path(other_bundle).read_bytes()
    put(zipped)
    assert calls("plan") == calls("status") == ["s3:HeadObject"]
    # The download asks for the object's size itself.
    assert calls("enable") == ["s3:HeadObject", "s3:HeadObject", "s3:GetObject"]
    for command in ("plan", "status", "enable"):
        assert calls(command) == ["s3:HeadObject"]
    put(zipped)  # the same zip again
    assert calls("enable") == ["s3:HeadObject"]
    put(zip_of("def handle_s3_event(event, context):\n    return 'newer'\n"))
    uri = f"s3://{site.bucket}/bundles/sync.zip"
    assert site.deployment(s3sync__bundle=uri).status()["code"] == "older"
    put(zipped[:-40])
    with pytest.raises(BundleError, match=f"{uri} is not a zip"):
        site.deployment(s3sync__bundle=uri).enable()
    assert calls("status") == ["s3:HeadObject"]


# Updates


@pytest.mark.untraced
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
def test_a_changed_setting_updates_resources_in_place(site: Site, change: dict[str, str]) -> None:
    site.deployment().enable()
    created = function_arn(site)
    assert site.deployment(**change).enable().actions
    assert "lambda:DeleteFunction" not in site.watch.mutations
    assert site.deployment(**change).plan().in_sync
    assert function_arn(site) == created


def test_a_foreign_environment_variable_is_kept(site: Site) -> None:
    site.deployment().enable()
    lambda_client = site.client("lambda")
    configuration = lambda_client.get_function_configuration(FunctionName=site.function)
    variables = {**configuration["Environment"]["Variables"], "PPC_DB_NAMESPACE": "x"}
    lambda_client.update_function_configuration(
        FunctionName=site.function, Environment={"Variables": variables}
    )
    assert site.deployment().plan().in_sync
    site.deployment(s3sync__timeout="30").enable()
    configuration = lambda_client.get_function_configuration(FunctionName=site.function)
    assert configuration["Environment"]["Variables"]["PPC_DB_NAMESPACE"] == "x"


def test_only_changed_code_is_uploaded(site: Site, other_bundle: str) -> None:
    site.deployment().enable()
    site.watch.mutations.clear()
    site.deployment(s3sync__bundle=other_bundle).enable()
    assert site.watch.mutations == ["lambda:UpdateFunctionCode", "lambda:TagResource"]
    assert site.deployment(s3sync__bundle=other_bundle).plan().in_sync


def test_plan_and_status_of_other_versions_need_no_build_and_no_package_index(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each GET of the panel asks for them. A build of this bundle would have to fetch a driver for arm64."""
    postgres = {"pypi__db": "sql", "db__url": "postgresql://u@db/ppc", "db__region_name": None}
    other: dict[str, str | None] = {"s3sync__architecture": "arm64", **postgres}
    site.deployment(**other).enable()
    without_network(monkeypatch, tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", "/nonexistent")
    site.watch.mutations.clear()

    built = site.deployment(**other, s3sync__bundle=None)
    (action,) = built.plan().actions
    assert (action.resource, [change.field for change in action.changes]) == ("code", ["fingerprint"])
    document = status_document(built.plan(), built.settings)
    assert document["state"] == "differs"
    assert document["bundle"]["server"] != document["bundle"]["deployed"]
    with pytest.raises(BundleError, match="uv cannot fetch"):
        built.enable()
    assert site.watch.mutations == []


def test_code_that_is_equal_although_its_inputs_differ_is_not_uploaded_again(site: Site) -> None:
    site.deployment().enable()
    code = site.client("lambda").get_function(FunctionName=site.function)["Configuration"]["CodeSha256"]
    tags = {BUNDLE_TAG: bundle_tag("other inputs", code)}
    site.client("lambda").tag_resource(Resource=function_arn(site), Tags=tags)
    assert [action.resource for action in site.deployment().plan().actions] == ["code"]
    site.watch.mutations.clear()
    site.deployment().enable()
    assert site.watch.mutations == ["lambda:TagResource"]
    assert site.deployment().plan().in_sync


def test_foreign_code_in_the_function_is_replaced(site: Site) -> None:
    site.deployment().enable()
    site.client("lambda").update_function_code(FunctionName=site.function, ZipFile=zip_of(OTHER_CODE))
    assert [action.resource for action in site.deployment().plan().actions] == ["code"]
    site.deployment().enable()
    assert site.deployment().plan().in_sync


def test_force_uploads_unchanged_code(site: Site) -> None:
    site.deployment().enable()
    site.watch.mutations.clear()
    site.deployment().enable(force=True)
    assert "lambda:UpdateFunctionCode" in site.watch.mutations


def test_a_permissions_boundary_is_set_and_stays_without_the_setting(site: Site) -> None:
    boundary = create_policy(site, f"boundary-{site.bucket}")
    site.deployment(s3sync__permissions_boundary=boundary).enable()
    iam, (name,) = site.client("iam"), site.role_names()
    for _ in range(2):
        role = iam.get_role(RoleName=name)["Role"]
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
        assert site.deployment().enable().in_sync


def test_a_changed_permission_is_replaced(site: Site) -> None:
    site.deployment().enable()
    lambda_client = site.client("lambda")
    sid = site.statements()[0]["Sid"]
    lambda_client.remove_permission(FunctionName=site.function, StatementId=sid)
    lambda_client.add_permission(
        FunctionName=site.function,
        StatementId=sid,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    site.deployment().enable()
    (statement,) = site.statements()
    assert statement["Condition"]["StringEquals"]["AWS:SourceAccount"] == site.aws.account_id


# A given role


def test_a_given_role_is_used_and_kept_and_no_role_is_created(site: Site) -> None:
    role = create_role(site, f"given-{site.bucket}")
    site.deployment(s3sync__role_arn=role).enable()
    assert site.role_names() == [f"given-{site.bucket}"]
    configuration = site.client("lambda").get_function_configuration(FunctionName=site.function)
    assert configuration["Role"] == role
    site.deployment(s3sync__role_arn=role).disable()
    assert site.role_names() == [f"given-{site.bucket}"]


def test_a_role_that_is_given_later_replaces_the_created_one(site: Site) -> None:
    site.deployment().enable()
    role = create_role(site, f"given-{site.bucket}")
    site.deployment(s3sync__role_arn=role).enable()
    assert site.role_names() == [f"given-{site.bucket}"]
    assert site.deployment(s3sync__role_arn=role).plan().in_sync


def test_a_given_role_that_does_not_exist_is_refused(site: Site) -> None:
    arn = f"arn:aws:iam::{site.aws.account_id}:role/missing"
    with pytest.raises(ConflictError, match=f"the role {arn} does not exist"):
        site.deployment(s3sync__role_arn=arn).enable()
    assert site.watch.mutations == []


def test_a_given_role_that_lambda_cannot_assume_is_refused(site: Site) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    arn = create_role(site, f"ec2-{site.bucket}", {"Version": "2012-10-17", "Statement": [statement]})
    with pytest.raises(ConflictError, match=f"Lambda cannot assume the role {arn}"):
        site.deployment(s3sync__role_arn=arn).enable()
    assert site.watch.mutations == []


# Regions, buckets and names


def test_deployments_of_other_regions_buckets_and_names_do_not_affect_each_other(
    make_site: Callable[..., Site],
) -> None:
    """Two regions share a function name, and one of them has a second function."""
    first = make_site("us-east-1")
    sites = [
        first,
        make_site("eu-west-1", function=first.function),
        make_site("us-east-1", function=f"{first.function}-2"),
    ]
    for site in sites:
        site.deployment().enable()
    for site in sites:
        assert site.deployment().plan().in_sync, site.bucket
        assert len(site.role_names()) == len(site.statements()) == 1
    before = [site.remains() for site in sites[1:]]
    first.deployment().disable()
    assert [site.remains() for site in sites[1:]] == before
    for site in sites[1:]:
        assert site.deployment().plan().in_sync, site.bucket
        site.deployment().disable()


def test_a_function_name_that_serves_another_bucket_is_refused(make_site: Callable[..., Site]) -> None:
    first = make_site()
    second = make_site(function=first.function)
    first.deployment().enable()
    expected = f"already serves the bucket {first.bucket}: choose another name with -n"
    for force in (False, True):
        with pytest.raises(ConflictError, match=expected):
            second.deployment().enable(force=force)
    assert second.watch.mutations == []
    second.deployment().disable()
    assert first.deployment().plan().in_sync, "disable changed the function of another bucket"


def test_a_missing_bucket_is_an_error_and_is_not_created(site: Site) -> None:
    with pytest.raises(ConflictError, match="the bucket missing does not exist"):
        site.deployment(storage__bucket="missing").enable()
    with pytest.raises(ClientError, match="404"):
        site.client("s3").head_bucket(Bucket="missing")
    assert site.watch.mutations == []


def test_a_bucket_in_another_region_than_the_function_is_refused(site: Site) -> None:
    expected = r"is in us-east-1, but s3sync\.region says eu-west-1.* = us-east-1"
    with pytest.raises(ConfigError, match=expected):
        site.deployment(s3sync__region="eu-west-1").enable()
    assert site.watch.mutations == []


def test_the_region_of_the_bucket_is_used_if_the_settings_name_none(make_site: Callable[..., Site]) -> None:
    site = make_site("eu-west-1")
    plan = site.deployment(storage__region_name=None).enable()
    assert plan.desired.region == "eu-west-1"
    assert site.remains()["functions"] == [site.function]
    site.deployment(storage__region_name=None).disable()


def test_no_region_in_the_settings_and_none_from_s3_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "bucket_region", lambda self, bucket, account: "")
    with pytest.raises(
        ConfigError, match="no region is set, and S3 does not report the region of the bucket"
    ):
        site.deployment(storage__region_name=None).plan()
    assert site.deployment().plan().desired.region == site.region


# Unusable settings and unreadable state


def test_missing_tables_are_refused_with_a_remedy(site: Site) -> None:
    with pytest.raises(
        ConflictError, match=r"the DynamoDB table rows does not exist in us-east-1: check db\.region_name"
    ):
        site.deployment(db__tablenames="rows summaries").enable()
    assert site.watch.mutations == []


def test_an_environment_that_is_too_large_for_lambda_is_refused(site: Site) -> None:
    with pytest.raises(ConfigError, match="but Lambda allows 4096"):
        site.deployment(db__own_option="x" * 4096).enable()
    assert site.watch.mutations == []


def change_response(
    site: Site, operation: str, change: Callable[[dict[str, Any]], None]
) -> Callable[[], None]:
    """Change the responses to an operation of Lambda; return a function that undoes it."""

    def listen(parsed: dict[str, Any], **kwargs: Any) -> None:
        change(parsed)

    events = site.watch.created[site.region]["lambda"].meta.events
    events.register_first(f"after-call.lambda.{operation}", listen)
    return lambda: events.unregister(f"after-call.lambda.{operation}", listen)


def test_unreadable_notifications_are_never_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Reader, bucket: str) -> dict[str, Any]:
        raise AwsError("AccessDenied for s3:GetBucketNotification", "AccessDenied")

    monkeypatch.setattr(Reader, "notifications", refuse)
    with pytest.raises(AwsError):
        site.deployment().enable()
    assert site.watch.mutations == []


def test_unreadable_tags_are_an_error(site: Site) -> None:
    """Without its tags, an own function would look like a foreign one; Lambda then returns a TagsError."""
    site.deployment().enable()

    def hide_tags(response: dict[str, Any]) -> None:
        response.pop("Tags", None)
        response["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": "not authorized"}

    change_response(site, "GetFunction", hide_tags)
    with pytest.raises(AwsError, match="lambda:ListTags on the function"):
        site.deployment().enable()


def test_an_environment_that_cannot_be_decrypted_is_never_overwritten(site: Site) -> None:
    site.deployment().enable()

    def hide_environment(response: dict[str, Any]) -> None:
        error = {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}
        response["Configuration"]["Environment"] = {"Error": error}

    change_response(site, "GetFunction", hide_environment)
    with pytest.raises(AwsError, match="allow kms:Decrypt"):
        site.deployment().enable(force=True)


def test_a_failed_function_is_not_in_sync_and_is_updated(site: Site) -> None:
    site.deployment().enable()

    def fail(response: dict[str, Any]) -> None:
        response["Configuration"] |= {"State": "Failed", "StateReason": "the subnet is gone"}

    undo = change_response(site, "GetFunction", fail)
    plan = site.deployment().plan()
    undo()
    assert [(action.call, action.changes[0].before) for action in plan.actions] == [
        ("function.update_configuration", "failed: the subnet is gone")
    ]
