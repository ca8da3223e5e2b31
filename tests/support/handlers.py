"""Set up the handler for a site and a database, in this process or another one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping

import pytest

from pypicloud_s3sync.sync import startup
from support.sites import Site


def handler_variables(site: Site, cache_settings: Mapping[str, str]) -> dict[str, str]:
    """Return the handler's environment variables.

    Parameters
    ----------
    site : Site
        The bucket.
    cache_settings : dict
        ``pypi.db`` and the ``db.*`` options.
    """
    storage = {"storage.bucket": site.bucket, "storage.prefix": "", "storage.region_name": site.region}
    return {
        "PYPICLOUD_SETTINGS": json.dumps({**cache_settings, **storage}),
        "AWS_DEFAULT_REGION": site.region,
        "AWS_ENDPOINT_URL": site.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": site.aws.access_key_id,
        "AWS_SECRET_ACCESS_KEY": site.aws.secret_access_key,
    }


@contextlib.contextmanager
def handler_for(
    site: Site, cache_settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let this process's handler use a site and a database, and nothing from an earlier test."""
    for name, value in handler_variables(site, cache_settings).items():
        monkeypatch.setenv(name, value)
    startup.syncer.cache_clear()
    yield
    startup.syncer.cache_clear()
