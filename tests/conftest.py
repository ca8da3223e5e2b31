"""What every test gets: an environment without the developer's settings, and servers that are shared."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync import compat
from support.examples import load_profile
from support.shared import SharedResources

#: What tests count with ``record_property``.
COUNTED = {
    "events": "events in simulated overloads and outages, none of them lost",
    "faults": "faults at calls to AWS, each with a second run",
    "states": "states explored",
}
#: The numbers of the tests' caches.
_caches = itertools.count()
#: Where the fixtures are.
pytest_plugins = [
    "support.browsers",
    "support.bundles",
    "support.collection",
    "support.collection_costs",
    "support.command_line",
    "support.databases",
    "support.distribution",
    "support.botocore_loader",
    "support.sites",
    "support.moto_world",
    "support.parsed_sources",
    "support.untraced",
    "support.panels",
]

load_profile("test")


def pytest_configure(config: pytest.Config) -> None:
    """Share servers among pytest-xdist's workers, and let tests import pypicloud's caches."""
    compat.apply()
    # Containers often forbid bytecode files. Each of hundreds of processes would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts a background job so, and the programs under test would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(SharedResources(config), "shared-resources")


def pytest_report_header() -> str:
    """Name the version of SQLAlchemy: it is one of two that are supported."""
    return f"SQLAlchemy {metadata.version('SQLAlchemy')}"


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Any:
    """Return a function that gives a shared resource's value by its name, ``module:function``."""
    plugin = pytestconfig.pluginmanager.get_plugin("shared-resources")
    assert isinstance(plugin, SharedResources)
    return plugin.source.get


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the databases that the tests really used, and say how much was enumerated."""
    # A plugin that is imported here first would not get pytest's assertions.
    from support.databases import TITLES

    plugin = terminalreporter.config.pluginmanager.get_plugin("shared-resources")
    used = [TITLES[name] for name in plugin.source.started if name in TITLES]
    if used:
        terminalreporter.write_line(f"databases: {', '.join(sorted(used))}")
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        counts.update({name: value for name, value in report.user_properties if name in COUNTED})
    for name, count in counts.items():
        terminalreporter.write_line(f"{COUNTED[name]}: {count:,}")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the developer's credentials, settings or endpoints, or what another one has remembered."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "PPC_", "PYPICLOUD_")) and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if "UV_CACHE_DIR" not in os.environ:
        monkeypatch.setenv("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
    # Not tmp_path: pytest takes longer to number a thousand directories than to run most tests.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / f"cache-{next(_caches)}"))


@pytest.fixture(autouse=True)
def pypiclouds_table_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """``db.tablenames`` stays on pypicloud's models for the rest of the process."""
    from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

    for model in (DynamoPackage, PackageSummary):
        monkeypatch.setattr(model.meta_, "name", model.__name__)
