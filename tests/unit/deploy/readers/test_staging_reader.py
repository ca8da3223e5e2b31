"""Reading the bundles that are staged in the bucket."""

from __future__ import annotations

from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.staging import staged_bundles
from support.fakes import BUCKET, FakeClients, refusal

KEY = f"pypicloud-s3sync/{'a' * 64}.bundle"
#: Someone may keep packages in directories with their names, and one of them has this name.
FOREIGN = (
    "pypicloud-s3sync/pypicloud_s3sync-1.0.tar.gz",
    "pypicloud-s3sync/function.bundle",
    f"pypicloud-s3sync/{'a' * 64}.bundle.zip",
    f"pypicloud-s3sync/x/{'a' * 64}.bundle",
)


def test_every_version_and_delete_marker_of_a_bundle_is_found_and_nothing_else() -> None:
    first = {
        "Versions": [{"Key": key, "VersionId": "v1"} for key in (*FOREIGN, KEY)],
        "IsTruncated": True,
        "NextKeyMarker": KEY,
        "NextVersionIdMarker": "v1",
    }
    second = {
        "Versions": [{"Key": KEY, "VersionId": "null"}],
        "DeleteMarkers": [{"Key": key, "VersionId": "v2"} for key in (*FOREIGN, KEY)],
    }
    clients = FakeClients({"list_object_versions": [first, second]})
    assert staged_bundles(Calls(clients), BUCKET) == ((KEY, "v1"), (KEY, "null"), (KEY, "v2"))
    following = {"KeyMarker": KEY, "VersionIdMarker": "v1"}
    assert clients.calls[1][1] == {"Bucket": BUCKET, "Prefix": "pypicloud-s3sync/", **following}


def test_a_missing_bucket_holds_no_bundle() -> None:
    clients = FakeClients({"list_object_versions": refusal("NoSuchBucket", status=404)})
    assert staged_bundles(Calls(clients), BUCKET) == ()
