from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.deploy.cache.reading import translating
from pypicloud_s3sync.exceptions import AwsError, ConflictError, UnreachableError
from support.fakes import BUCKET, make_settings


def translate(error: Exception) -> None:
    with translating(make_settings(), CacheAdapter(None), "compare"):
        raise error


@pytest.mark.parametrize(
    ("operation", "action", "resource"),
    [
        ("ListObjectsV2", "s3:ListBucket", f"the bucket {BUCKET}"),
        ("HeadObject", "s3:GetObject", f"the bucket {BUCKET}"),
        ("Scan", "dynamodb:Scan", "the tables of the cache"),
    ],
)
def test_a_denied_call_names_the_permission_and_the_resource(
    operation: str, action: str, resource: str
) -> None:
    answer: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}}
    with pytest.raises(AwsError, match=f"{action} on {resource}"):
        translate(ClientError(answer, operation))


def test_a_cache_that_does_not_answer_names_the_command_to_run_elsewhere() -> None:
    with pytest.raises(UnreachableError, match="run ppc-s3sync compare on a host that can reach it"):
        translate(ConnectionRefusedError("refused"))


@pytest.mark.parametrize("error", [ConflictError("m"), ZeroDivisionError("m")])
def test_any_other_error_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match="m"):
        translate(error)
