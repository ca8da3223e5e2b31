"""Let the web server's runs be threads of the test, so that a test can replace what they call."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from pypicloud_s3sync.web import run_main, runs


def use_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the commands of the admin routes in threads; like a process, each has its own descriptors."""

    def launch(command: list[str], document: Mapping[str, Any]) -> None:
        own = {name: os.dup(document[name]) for name in ("lock", "record")}
        threading.Thread(target=run_main.main, args=[{**document, **own}]).start()

    monkeypatch.setattr(runs, "_launch", launch)
