"""botocore's models are parsed once, for all sessions of a process."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.loaders import JSONFileLoader, create_loader

from pypicloud_s3sync.deploy.aws import models_once
from pypicloud_s3sync.deploy.aws.clients import Clients, Limits
from support.fakes import make_settings


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the files that are parsed, in a process that has parsed none, with a loader for each session."""
    paths: list[str] = []
    load = JSONFileLoader.load_file

    def load_file(self: JSONFileLoader, path: str) -> Any:
        found = load(self, path)
        if found is not None:
            paths.append(path)
        return found

    monkeypatch.setattr(JSONFileLoader, "load_file", load_file)
    monkeypatch.setattr(botocore.session, "create_loader", create_loader)
    models_once._file_loader.cache_clear()
    yield paths
    models_once._file_loader.cache_clear()


def endpoints_of(clients: Clients) -> Any:
    return clients.session._session.get_component("data_loader").load_data("endpoints")


def test_a_second_session_parses_no_model_again(parsed: list[str]) -> None:
    Clients(make_settings())["iam"].get_paginator("list_roles")
    first = [path for path in parsed if "/iam/" in path]
    assert first, f"the first client parses the models of its service, not only {parsed}"
    parsed.clear()
    again = Clients(make_settings(), limits=Limits.for_web())["iam"]
    again.get_paginator("list_roles")
    assert {os.path.basename(path) for path in parsed} <= {"endpoints"}


def test_a_client_of_parsed_models_sends_the_same(parsed: list[str]) -> None:
    first, second = (Clients(make_settings())["lambda"].meta for _ in range(2))
    assert second.endpoint_url == first.endpoint_url
    names = first.service_model.operation_names
    assert names == second.service_model.operation_names
    for name in names:
        one, other = (meta.service_model.operation_model(name) for meta in (first, second))
        assert (one.http, one.metadata) == (other.http, other.metadata)


def test_each_session_completes_endpoints_of_its_own(parsed: list[str]) -> None:
    one, other = Clients(make_settings()), Clients(make_settings())
    assert endpoints_of(one) == endpoints_of(other)
    assert endpoints_of(one) is not endpoints_of(other)
