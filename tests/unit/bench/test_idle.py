"""The crowd of idle connections: asked once, kept, counted; and where its ports come from."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.idle import PORT_RANGE, REQUEST, SPARE_FILES, Crowd, allow_files, ports_of_an_address, read_answer, source
from bench.load import LoadError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@contextmanager
def _server(answer: bytes = ANSWER) -> Iterator[tuple[int, list[socket.socket]]]:
    """Answers one request of each connection; its ends of them are in the list."""
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            kept.append(sock)
            data = b""
            while len(data) < len(REQUEST):
                data += sock.recv(4096)
            sock.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], kept
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for sock in kept:
            sock.close()


def test_connections_stay_and_are_counted() -> None:
    with _server() as (port, kept), Crowd(port, 5) as crowd:
        assert crowd.alive() == 5
        assert len({sock.getpeername() for sock in kept}) == 5
        kept[1].close()
        kept[3].close()
        assert crowd.alive() == 3


def test_they_leave_no_port_behind() -> None:
    """The server's side sees a reset, so that neither side keeps the pair in TIME-WAIT."""
    with _server() as (port, kept):
        with Crowd(port, 1):
            pass
        with pytest.raises(ConnectionResetError):
            kept[0].recv(1)


def test_sources_change_before_the_ports_run_short() -> None:
    assert [source(number, 2) for number in range(5)] == [
        *("127.0.1.1", "127.0.1.1", "127.0.2.1", "127.0.2.1", "127.0.3.1"),
    ]
    first, last = map(int, PORT_RANGE.read_text().split())
    assert 1 <= ports_of_an_address() <= last - first


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_only_a_kept_connection_counts(answer: bytes) -> None:
    with _server(answer) as (port, _), pytest.raises(LoadError), Crowd(port, 1):
        pass


def test_an_answer_comes_in_pieces() -> None:
    near, far = socket.socketpair()
    with near, far:
        thread = threading.Thread(target=lambda: [far.send(bytes([byte])) for byte in ANSWER])
        thread.start()
        assert read_answer(near) == b"hello"
        thread.join()


def test_a_closed_connection_is_no_answer() -> None:
    near, far = socket.socketpair()
    with near:
        far.send(ANSWER[:-1])
        far.close()
        with pytest.raises(LoadError, match="closed"):
            read_answer(near)


def test_the_limit_of_open_files_is_raised_where_it_can_be() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[0]), before[1]))
    try:
        allow_files(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 100 + SPARE_FILES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
