"""Let botocore's sessions share what is the same for each; to find it out takes longer than most tests."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import botocore.hooks
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


@pytest.fixture(scope="session", autouse=True)
def handlers_examined_once() -> Iterator[None]:
    """Keep what botocore finds out about each of the 130 handlers that it registers for each session.

    That is the current name of the event, and whether the function takes keyword arguments.
    """
    find_name = botocore.hooks.EventAliaser._alias_event_name  # type: ignore[attr-defined]  # not public
    examine = botocore.hooks.accepts_kwargs
    names: dict[str, str] = {}

    def current_name(self: botocore.hooks.EventAliaser, event_name: str) -> str:
        if event_name not in names:
            names[event_name] = find_name(self, event_name)
        return names[event_name]

    def accepts_kwargs(function: Any) -> bool:
        code = getattr(function, "__code__", None)
        return bool(code.co_flags & inspect.CO_VARKEYWORDS if code else examine(function))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.hooks.EventAliaser, "_alias_event_name", current_name)
        patch.setattr(botocore.hooks, "accepts_kwargs", accepts_kwargs)
        yield
