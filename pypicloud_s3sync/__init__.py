"""Keep a pypicloud cache in sync with its S3 bucket: a Pyramid add-on to pypicloud."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def includeme(config: Any) -> None:
    """Add S3 sync to a pypicloud application: ``pyramid.includes = pypicloud_s3sync``.

    Parameters
    ----------
    config : pyramid.config.Configurator
    """
    # Pyramid includes this before pypicloud scans its views, and that scan fails without the repairs.
    config.include("pypicloud_s3sync.compat")
    config.include("pypicloud_s3sync.web.forks")
    config.include("pypicloud_s3sync.web.views")
    config.include("pypicloud_s3sync.web.reconcile_on_start")
