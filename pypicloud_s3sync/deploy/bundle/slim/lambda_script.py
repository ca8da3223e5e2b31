"""The handler under the name that pypicloud's documentation has functions built by hand call."""

from pypicloud_s3sync.handler import handle_s3_event

__all__ = ["handle_s3_event"]
