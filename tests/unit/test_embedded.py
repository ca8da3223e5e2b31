"""The Pyramid include of the AWS emulator refuses settings with which it cannot work."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from pypicloud_s3sync import embedded
from pypicloud_s3sync.embedded import includeme, main
from pypicloud_s3sync.exceptions import ConfigError


def config(**settings: str) -> Any:
    """Return a stand-in for Pyramid's configurator: ``storage__bucket`` stands for ``storage.bucket``."""
    dotted = {name.replace("__", "."): value for name, value in settings.items()}
    return SimpleNamespace(registry=SimpleNamespace(settings=dotted))


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com",
        "http://10.0.0.1:4566",
        "http://localhost.example.com:4566",
        "http://0.0.0.0:4566",
        "https://localhost:4566",
    ],
)
def test_an_endpoint_on_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not on this machine"):
        includeme(config(s3sync__endpoint_url=url, storage__bucket="bucket"))


def test_a_port_that_something_else_uses_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"port {port} is used by something that is not an AWS emulator"
        ):
            includeme(config(s3sync__endpoint_url=f"http://localhost:{port}", storage__bucket="bucket"))


def test_a_missing_bucket_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "is_emulator", lambda url: True)
    with pytest.raises(ConfigError, match=r"storage\.bucket is not set"):
        includeme(config(s3sync__endpoint_url="http://localhost:4566"))


def test_a_port_that_is_not_a_number_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["http"]) == 2
    assert capsys.readouterr().err == "usage: python -m pypicloud_s3sync.embedded [PORT]\n"
