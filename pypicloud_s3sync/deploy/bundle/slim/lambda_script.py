"""The handler under the name that functions built by hand from pypicloud's documentation call."""

from pypicloud_s3sync.handler import handle_s3_event

__all__ = ["handle_s3_event"]
