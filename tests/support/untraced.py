"""Do not trace botocore and the emulators in it for the coverage: tracing takes longer than running them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3.session
import botocore.client
import botocore.session
import pytest

#: The doors of botocore and boto3. Behind them run only a few event handlers of the project, with unit tests.
DOORS = [
    (boto3.session.Session, "__init__"),
    (boto3.session.Session, "client"),
    (botocore.session.Session, "__init__"),
    (botocore.session.Session, "create_client"),
    (botocore.client.BaseClient, "_make_api_call"),
    (botocore.client.BaseClient, "get_paginator"),
    (botocore.client.BaseClient, "get_waiter"),
]


@pytest.fixture(scope="session", autouse=True)
def untraced_botocore() -> Iterator[None]:
    """Stop the tracer whenever a test enters botocore, and continue when it comes back."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in DOORS:
            patch.setattr(owner, name, _untraced(getattr(owner, name)))
        yield


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is not traced, whoever calls it."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        tracer = sys.gettrace()
        if tracer is None:
            return function(*arguments, **options)
        sys.settrace(None)
        try:
            return function(*arguments, **options)
        finally:
            sys.settrace(tracer)

    return call
