"""Start a server once for a whole test run, however many worker processes pytest-xdist has.

The controlling process owns every shared resource. It starts one when a test first asks for it and stops all
of them when the run ends. Workers ask for a resource by its name through a Unix socket and get a value that
can be pickled, such as a URL. Without pytest-xdist, the only process is its own controller.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import pytest

#: A resource is a context manager that yields a value which can be pickled. Its name is ``module:function``.
Resource = Callable[[], AbstractContextManager[Any]]


class ResourceError(Exception):
    """A shared resource did not start; the message has the cause."""


class Controller:
    """Owns the shared resources of a test run."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {}
        self._directory = tempfile.TemporaryDirectory(prefix="tests-")
        self.address = str(Path(self._directory.name, "socket"))
        self.key = secrets.token_bytes(16)
        self._listener = Listener(self.address, "AF_UNIX", authkey=self.key)
        threading.Thread(target=self._serve, daemon=True).start()

    def get(self, name: str) -> Any:
        """Return the value of a resource; start it first if this is the first time."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._values:
                resource = _find(name)
                self._values[name] = self._stack.enter_context(resource())
            return self._values[name]

    @property
    def started(self) -> list[str]:
        """The names of the resources that were started."""
        return sorted(self._values)

    def stop(self) -> None:
        """Stop every resource, the last one first."""
        self._listener.close()
        self._stack.close()
        self._directory.cleanup()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: Connection[Any, Any]) -> None:
        with connection:
            try:
                answer: tuple[bool | None, Any] = True, self.get(connection.recv())
            except BaseException as error:
                notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", []))
                # pytest.skip raises an exception of its own, which says why in its message.
                answer = None if isinstance(error, pytest.skip.Exception) else False, f"{error}{notes}"
            connection.send(answer)


class Worker:
    """Asks the controlling process for shared resources."""

    def __init__(self, address: str, key: bytes) -> None:
        self.address = address
        self.key = key

    def get(self, name: str) -> Any:
        """Return the value of a resource.

        Raises
        ------
        ResourceError
            It did not start.
        """
        with Client(self.address, "AF_UNIX", authkey=self.key) as connection:
            connection.send(name)
            started, value = connection.recv()
        if started is None:
            pytest.skip(value)
        if not started:
            raise ResourceError(f"{name} did not start: {value}")
        return value


def _find(name: str) -> Resource:
    module, _, function = name.partition(":")
    resource: Resource = getattr(importlib.import_module(module), function)
    return resource


class SharedResources:
    """The pytest plugin that gives every process its controller or worker."""

    def __init__(self, config: pytest.Config) -> None:
        given: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.controller = None if given else Controller()
        self._end: Future[None] | None = None
        self.source: Controller | Worker = self.controller or Worker(given["address"], given["key"])  # type: ignore[index]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the controller listens; called by pytest-xdist."""
        assert self.controller is not None
        node.workerinput.update(address=self.controller.address, key=self.controller.key)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        """Begin to stop what was started after the last test: meanwhile pytest-cov makes its report.

        Both take many seconds. What takes long to stop is to delete an environment and databases.
        """
        result = yield
        if self.controller is not None:
            executor = ThreadPoolExecutor(1)
            self._end = executor.submit(self.controller.stop)
            executor.shutdown(wait=False)
        return result

    def pytest_unconfigure(self) -> None:
        """Wait until everything has stopped."""
        if self._end is not None:
            self._end.result()
        elif self.controller is not None:
            self.controller.stop()


def worker_name() -> str:
    """Return a name that no other worker of this run has, in lower-case letters and digits."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
