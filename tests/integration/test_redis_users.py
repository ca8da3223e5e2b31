"""A real server finds the newest row of a project, and a user who may not sort rows is no worse off."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from pypicloud_s3sync.caches.redis_cache import RedisAdapter
from support.adapters import set_row
from support.databases import Database, url_settings
from support.shared import worker_name

#: Of the same second: UTF-8 decides, in which Redis and Python have the same order.
VERSIONS = ("1.0", "1.0z", "1.0\u00e9", "1.0\uff5e", "1.0\U0001f600")


@pytest.fixture(params=["~* +@all", "~pypicloud:* +@all", "~* +@all -@dangerous"])
def cache(redis_url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """pypicloud's cache, as a user with some permissions."""
    user, address = f"user-{worker_name()}", urlsplit(redis_url)
    with Redis.from_url(redis_url) as admin:
        admin.execute_command("ACL", "SETUSER", user, "reset", "on", ">secret", *request.param.split())
        url = address._replace(netloc=f"{user}:secret@{address.netloc}").geturl()
        with Database("redis", url_settings("redis", url)).cache() as cache:
            yield cache
        admin.acl_deluser(user)


def test_the_summary_is_that_of_the_newest_row_whatever_the_user_may(cache: Any) -> None:
    adapter, modified = RedisAdapter(cache), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    for version in reversed(VERSIONS):
        filename = f"pkg-{version}.tar.gz"
        row = cache.new_package("pkg", version, filename, modified, f"of {version}", path=f"x/{filename}")
        set_row(adapter, filename, row)
    left = list(VERSIONS)
    while left:
        assert [summary["summary"] for summary in cache.summary()] == [f"of {left[-1]}"]
        set_row(adapter, f"pkg-{left.pop()}.tar.gz", None)
    assert list(cache.db.scan_iter("pypicloud:*")) == []
