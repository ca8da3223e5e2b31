"""Load AWS's service models once in each process; reading one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore.loaders import create_loader


@pytest.fixture(scope="session", autouse=True)
def one_loader() -> Iterator[None]:
    """Give every botocore session of the process the same loader, which caches what it has read."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda search_path=None: loader)
        yield
