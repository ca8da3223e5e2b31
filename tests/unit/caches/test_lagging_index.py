"""DynamoDB's index of names lags behind the server's own writes: no summary is lost for that."""

from __future__ import annotations

from random import Random
from typing import Any

from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import to_package
from support.backends import Dynamo
from support.histories import BUCKET, Bucket, SequentialPool
from support.states import expected

FIRST, SECOND = "a/pkg-1.0.tar.gz", "a/pkg-2.0.tar.gz"


def test_a_row_that_the_index_did_not_show_keeps_the_summary_of_its_project() -> None:
    """The server's rebuild writes two rows, and both events are handled before the index shows the first."""
    from pypicloud.cache.dynamo import PackageSummary

    bucket, backend = Bucket(Random(0)), Dynamo(Random(0), lag=0)
    adapter: Any = backend.adapter()
    reader = ObjectReader(bucket)
    reader.pool = SequentialPool()
    syncer = Syncer(reader, adapter, BUCKET, pause=lambda seconds: None)
    client = backend.client
    for key in (FIRST, SECOND):
        bucket.seconds += 1
        stored = bucket._object(key)
        bucket.versions[key].append(stored)
        package: Any = to_package(stored, adapter.cache.new_package)
        client._write("DynamoPackage", package.filename, adapter._dump(package))
        client._write("PackageSummary", "pkg", adapter._dump(PackageSummary(package)))
    hidden = client.indexed.pop("pkg-1.0.tar.gz")
    syncer.converge(BUCKET, [SECOND])
    client.indexed.pop("pkg-1.0.tar.gz", None)
    syncer.converge(BUCKET, [FIRST])
    client.indexed["pkg-1.0.tar.gz"] = client.tables["DynamoPackage"].get("pkg-1.0.tar.gz", hidden)
    # Not by the server, which would delete the row itself.
    bucket.versions[SECOND].append(None)
    syncer.converge(BUCKET, [SECOND])
    assert backend.state() == expected(bucket.live())
