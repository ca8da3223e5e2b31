from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pypicloud_s3sync.deploy.cache.local_cache import open_adapter
from support.fakes import make_settings


@pytest.fixture
def names() -> Iterator[None]:
    """Put the names of pypicloud's tables back, which are in its classes."""
    from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

    models = DynamoPackage, PackageSummary
    before = [model.meta_.name for model in models]
    yield
    for model, name in zip(models, before, strict=True):
        model.meta_.name = name


@pytest.mark.usefixtures("names")
def test_the_names_of_one_regions_tables_are_not_those_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from dynamo3 import DynamoDBConnection
    from flywheel import Engine
    from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

    from support.fake_dynamo import FakeDynamo

    monkeypatch.setattr(Engine, "create_schema", lambda self, **arguments: None)
    connect: Any = lambda *_, **__: DynamoDBConnection(FakeDynamo(Random(1), 0))  # noqa: E731
    monkeypatch.setattr(DynamoDBConnection, "connect", connect)
    other: Any = open_adapter(make_settings(db__tablenames="Packages Summaries"))
    usual: Any = open_adapter(make_settings())
    for adapter, tables in ((other, ["Packages", "Summaries"]), (usual, ["DynamoPackage", "PackageSummary"])):
        assert [adapter.tables.name(model) for model in (DynamoPackage, PackageSummary)] == tables
