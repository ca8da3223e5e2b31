"""Finding the bucket's region, and the setting that names another one."""

from __future__ import annotations

from typing import Any

import pytest
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.config.settings import SyncSettings, read
from pypicloud_s3sync.deploy.aws.denials import policy_that_allows
from pypicloud_s3sync.deploy.location import locate
from pypicloud_s3sync.exceptions import AwsError, ConfigError, ConflictError
from support.fakes import ACCOUNT, BUCKET, FakeClients, make_settings, refusal

CALLER = {"get_caller_identity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/u"}}


def find(settings: SyncSettings, head_bucket: Any, **arguments: Any) -> Any:
    def clients(settings: SyncSettings, region: str | None) -> Any:
        created = FakeClients({**CALLER, "head_bucket": head_bucket})
        created.settings, created.region = settings, region or settings.region or "us-east-1"
        return created

    return locate(settings, clients, **arguments)


def in_region(region: str) -> dict[str, Any]:
    return {"BucketRegion": region, "ResponseMetadata": {"HTTPHeaders": {}}}


def settings_with(values: dict[str, str], overrides: dict[str, str | None] | None = None) -> SyncSettings:
    given = {
        "pypi.storage": "s3",
        "pypi.db": "dynamo",
        "storage.bucket": BUCKET,
        "db.region_name": "eu-west-1",
        **values,
    }
    return read(EnvironSettings(given), overrides)


SETTINGS = ("storage.region_name", "s3sync.region")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_does_not_fit_is_named(name: str) -> None:
    assert mismatch(settings_with({"storage.region_name": "eu-north-1", name: "eu-west-1"})) == (
        f"the bucket {BUCKET} is in eu-north-1, but {name} says eu-west-1, and S3 notifies only functions in"
        f" the bucket's region: set {name} = eu-north-1"
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_a_variable_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = "PPC_" + name.upper().replace(".", "_")
    monkeypatch.setenv(variable, "eu-west-1")
    message = mismatch(settings_with({}))
    assert f"but {variable} says eu-west-1" in message
    assert message.endswith(f"set {variable} = eu-north-1")


def test_an_option_that_does_not_fit_is_named() -> None:
    message = mismatch(settings_with({"s3sync.region": "eu-north-1"}, {"region": "eu-west-1"}))
    assert "but -r says eu-west-1" in message
    assert message.endswith("leave -r out, or use -r eu-north-1")


def mismatch(settings: SyncSettings) -> str:
    """Return the error for settings that do not name eu-north-1, where the bucket is."""
    with pytest.raises(ConfigError) as raised:
        find(settings, in_region("eu-north-1"))
    return str(raised.value)


def test_the_bucket_tells_the_region_if_nothing_else_does() -> None:
    assert find(settings_with({}), in_region("eu-north-1")).region == "eu-north-1"


def test_a_missing_bucket_is_refused_unless_its_parts_may_be_removed() -> None:
    missing = refusal("404", status=404)
    with pytest.raises(ConflictError, match=f"the bucket {BUCKET} does not exist"):
        find(make_settings(), missing)
    found = find(make_settings(), missing, bucket_may_be_gone=True)
    assert "does not exist" in found.missing_bucket.message
    assert "start pypicloud once" not in str(found.missing_bucket)


def test_a_denied_read_offers_all_rights_that_reading_needs() -> None:
    with pytest.raises(AwsError) as raised:
        find(make_settings(), refusal("403", "Forbidden", 403))
    policy = policy_that_allows(raised.value)
    assert policy is not None
    assert {"ReadBucket", "ReadRole", "ReadFunction", "ReadMetrics", "ReadTables"} <= {
        statement["Sid"] for statement in policy["Statement"]
    }


def test_an_explicit_deny_offers_none() -> None:
    reason = (
        "User: arn:aws:iam::1:user/u is not authorized to perform: s3:ListBucket on resource:"
        ' "arn:aws:s3:::b" with an explicit deny in a resource-based policy'
    )
    with pytest.raises(AwsError) as raised:
        find(make_settings(), refusal("AccessDenied", reason, 403))
    assert policy_that_allows(raised.value) is None
