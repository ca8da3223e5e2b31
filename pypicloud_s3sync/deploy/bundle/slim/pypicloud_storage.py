"""Storage backends, of which a cache needs the base class only.

pypicloud imports those for S3, Google Cloud and Azure here, and with them cryptography and smart_open, which
sign URLs and upload files for the web application.
"""

from __future__ import annotations

from typing import Any

from pypicloud.storage.base import IStorage

__all__ = ["IStorage", "get_storage_impl"]


def get_storage_impl(settings: Any) -> type[Any]:
    """Return the base class: a cache is created with a storage, but the function never uses it."""
    return IStorage  # type: ignore[no-any-return]
