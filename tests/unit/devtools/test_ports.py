"""Free ports on 127.0.0.1."""

from __future__ import annotations

import socket
import sys

import pytest

from pypicloud_s3sync.devtools import ports
from pypicloud_s3sync.devtools.ports import free_port, is_in_use


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    assert not is_in_use(port)
    with socket.create_server(("127.0.0.1", port)):
        assert is_in_use(port)


def test_the_preferred_port_is_returned_if_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port


def test_another_port_is_returned_if_the_preferred_one_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert free_port(port) != port


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a reservation would keep the server out")
def test_the_kernel_gives_a_free_port_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    reservations: list[socket.socket] = []
    monkeypatch.setattr(ports, "_reservations", reservations)
    # Enough ports and attempts that, without a reservation, the test passes once in a thousand runs.
    free = {free_port() for _ in range(50)}
    for _ in range(2000):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            assert listener.getsockname()[1] not in free
    for reservation in reservations:
        reservation.close()
