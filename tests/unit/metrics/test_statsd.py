from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gunicorn.metrics.statsd import Statsd


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def test_every_kind_of_figure(listener: socket.socket) -> None:
    client = Statsd(listener.getsockname())
    client.counter("a.b")
    client.counter("a", -2, 0.5)
    client.gauge("g", 3.5)
    client.timer("t", 1.5470001)
    client.histogram("h", 100.0)
    got = [listener.recv(100).decode() for _ in range(5)]
    assert got == ["a.b:1|c|@1.0", "a:-2|c|@0.5", "g:3.5|g", "t:1.547|ms", "h:100|h"]
    client.close()


def test_zero_is_a_figure(listener: socket.socket) -> None:
    client = Statsd(listener.getsockname())
    client.gauge("g", 0)
    client.counter("c", 0)
    client.timer("t", 0.0)
    assert [listener.recv(100) for _ in range(3)] == [b"g:0|g", b"c:0|c|@1.0", b"t:0|ms"]
    client.close()


@pytest.mark.parametrize(
    ("prefix", "name"), [("", "x"), ("shop", "shop.x"), ("shop.", "shop.x"), ("a.b...", "a.b.x"), ("...", "x")]
)
def test_prefix(listener: socket.socket, prefix: str, name: str) -> None:
    client = Statsd(listener.getsockname(), prefix)
    client.gauge("x", 1)
    assert listener.recv(100).decode() == f"{name}:1|g"
    client.close()


def test_tags(listener: socket.socket) -> None:
    client = Statsd(listener.getsockname(), "p", "env:prod,b")
    client.gauge("x", 1)
    assert listener.recv(100) == b"p.x:1|g|#env:prod,b"
    client.close()


def test_names_cannot_forge_figures(listener: socket.socket) -> None:
    client = Statsd(listener.getsockname())
    client.gauge("a:1|c\nevil", 1)
    assert listener.recv(100) == b"a_1_c_evil:1|g"
    client.close()


def test_a_request_is_one_datagram(listener: socket.socket) -> None:
    client = Statsd(listener.getsockname(), "p", "t:1")
    client.request(1.5471, "404")
    assert listener.recv(400).decode().splitlines() == [
        "p.gunicorn.request.duration:1.547|ms|#t:1",
        "p.gunicorn.requests:1|c|@1.0|#t:1",
        "p.gunicorn.request.status.404:1|c|@1.0|#t:1",
    ]
    client.request(0.0, "")
    assert b"status" not in listener.recv(400)
    client.close()


def test_unix_socket_that_comes_goes_and_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "statsd")
    client = Statsd(path)
    client.gauge("lost", 1)
    assert client.dropped == 1
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            sock.settimeout(5)
            client.gauge("x", 1)
            assert sock.recv(100) == b"x:1|g"
        os.unlink(path)
    assert client.dropped == 1
    client.close()


def test_a_listener_that_does_not_read_never_blocks(tmp_path: Path) -> None:
    path = str(tmp_path / "statsd")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        client = Statsd(path)
        for _ in range(5000):
            client.gauge("x" * 200, 1)
        assert client.dropped > 0
        client.close()


def test_udp_without_listener_drops_quietly() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()
    client = Statsd(address)
    for _ in range(5):
        client.gauge("x", 1)
    client.close()


def test_a_listener_that_starts_later_gets_the_next_figure(listener: socket.socket) -> None:
    address = listener.getsockname()
    listener.close()
    client = Statsd(address)
    client.gauge("lost", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as later:
        later.bind(address)
        later.settimeout(5)
        client.gauge("found", 1)
        assert later.recv(100) == b"found:1|g"
    client.close()


def test_an_unknown_host_is_a_problem_not_an_exception() -> None:
    client = Statsd(("no such host", 8125))
    client.gauge("x", 1)
    assert "no such host" in client.problem
    assert client.dropped == 1


def test_figures_after_close_and_from_children(listener: socket.socket) -> None:
    client = Statsd(listener.getsockname())
    client.close()
    client.gauge("x", 1)
    assert listener.recv(100) == b"x:1|g"
    pid = os.fork()
    if pid == 0:
        client.gauge("child", 1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert listener.recv(100) == b"child:1|g"
    client.close()
