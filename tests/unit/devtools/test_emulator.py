"""The AWS emulator does not start, or starts in an environment of its own."""

from __future__ import annotations

import importlib.util
import os
import socket

import pytest

from pypicloud_s3sync.devtools.emulator import EmbeddedAws, is_emulator
from pypicloud_s3sync.exceptions import S3SyncError


def test_the_emulator_gets_no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot reach a real account, and its own variables cannot be changed from outside."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "PPC_PYPI_DB", "PERSIST_STATE"):
        monkeypatch.setenv(name, "the developer's")
    environment = EmbeddedAws()._environment()
    assert "the developer's" not in environment.values()
    assert environment["AWS_CONFIG_FILE"] == os.devnull


def test_a_port_that_is_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(S3SyncError, match=f"port {port} is in use"):
            EmbeddedAws().start(port)


def test_without_ministack_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(S3SyncError, match=r"pip install 'pypicloud-s3sync\[demo\]'"):
        EmbeddedAws().start()


def test_a_port_without_a_server_is_not_an_emulator() -> None:
    assert not is_emulator("http://127.0.0.1:9")
