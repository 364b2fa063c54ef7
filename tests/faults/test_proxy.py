"""The proxy does to a line what it says, so that a fault test which passes has seen the fault."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.faults.proxy import Proxy


def echo(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        Thread(target=answer, args=(client,), daemon=True).start()


def answer(client: socket.socket) -> None:
    with client, contextlib.suppress(ConnectionResetError):
        while data := client.recv(1024):
            client.sendall(data)


@pytest.fixture(params=["tcp", "unix"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Proxy]:
    place = tmp_path / "echo.sock"
    server = socket.socket(socket.AF_UNIX if request.param == "unix" else socket.AF_INET)
    server.bind(str(place) if request.param == "unix" else ("127.0.0.1", 0))
    server.listen()
    Thread(target=echo, args=(server,), daemon=True).start()
    with Proxy(place if request.param == "unix" else server.getsockname()) as proxy:
        yield proxy
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def reach(line: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), timeout=10)


def test_a_healthy_line_passes_everything_in_order(line: Proxy) -> None:
    with reach(line) as client:
        client.sendall(b"x" * 1000 + b"end")
        heard = b""
        while not heard.endswith(b"end"):
            heard += client.recv(1024)

    assert len(heard) == 1003


def test_a_slow_line_takes_its_time_both_ways(line: Proxy) -> None:
    with reach(line) as client:
        line.slow(up=0.2, down=0.3)
        began = time.monotonic()
        client.sendall(b"x")

        assert client.recv(1) == b"x"
    assert time.monotonic() - began >= 0.5


def test_a_black_hole_swallows_until_it_heals(line: Proxy) -> None:
    with reach(line) as client:
        line.silence()
        time.sleep(0.1)
        client.sendall(b"x")
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        line.heal()
        client.settimeout(10)

        assert client.recv(1) == b"x"


def test_a_cut_line_is_reset_and_refuses_until_it_heals(line: Proxy) -> None:
    with reach(line) as client:
        client.sendall(b"x")
        client.recv(1)
        line.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        reach(line)
    line.heal()

    with reach(line) as client:
        client.sendall(b"y")
        assert client.recv(1) == b"y"
