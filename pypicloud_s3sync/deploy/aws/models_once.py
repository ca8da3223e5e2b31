"""Parse botocore's models once for all sessions of this process, instead of once for each.

A web server has a session for each request of the panel, and parsing was half of the work of one.
"""

from __future__ import annotations

import functools
import os.path
from typing import Any

from botocore.loaders import JSONFileLoader
from botocore.session import Session

#: Each session completes the endpoints that it uses, in place, so that threads must not share them.
OWN = "endpoints"


def parse_models_once(session: Session) -> None:
    """Let a session of botocore, before its first use, take the models that another one has parsed."""
    session.get_component("data_loader").file_loader = _file_loader()


class _ParsedFiles(JSONFileLoader):
    """Parses each file once, for all sessions and threads.

    botocore changes nothing in a model but to merge its extras. All sessions merge the same ones before they
    read, so repeating it changes nothing (botocore/loaders.py, ``load_service_model``).
    """

    def __init__(self) -> None:
        self._parsed: dict[str, Any] = {}

    def load_file(self, file_path: str) -> Any:
        """Return what a file contains, or None if there is none; the path has no extension."""
        if file_path in self._parsed:
            return self._parsed[file_path]
        found = super().load_file(file_path)
        if found is not None and os.path.basename(file_path) != OWN:
            self._parsed[file_path] = found
        return found


@functools.cache
def _file_loader() -> _ParsedFiles:
    return _ParsedFiles()
