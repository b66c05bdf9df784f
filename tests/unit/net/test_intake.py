"""The kernel's part of stopping: SYNs dropped, heard again, and the queue counted."""

import socket
import sys

import pytest

from gunicorn.net.intake import accept_queue, drop_syns, hear_syns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel facility is Linux'")


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0), backlog=5) as sock:
        yield sock


def test_connection_made_before_goes_on(server):
    with socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        assert drop_syns(server)
        with accepted:
            client.sendall(b"x" * 100_000)
            client.shutdown(socket.SHUT_WR)
            got = 0
            while data := accepted.recv(65536):
                got += len(data)
        assert got == 100_000


def test_connection_accepted_under_the_filter_works_both_ways(server):
    client = socket.create_connection(server.getsockname())
    assert drop_syns(server)
    accepted, _ = server.accept()
    with client, accepted:
        client.sendall(b"ask")
        assert accepted.recv(3) == b"ask"
        accepted.sendall(b"answer")
        assert client.recv(6) == b"answer"


def test_late_client_gets_through_once_syns_are_heard_again(server):
    assert drop_syns(server)
    late = socket.socket()
    late.setblocking(False)
    late.connect_ex(server.getsockname())
    assert accept_queue(server) == (0, 5)
    assert hear_syns(server) is True
    assert hear_syns(server) is False
    with socket.create_connection(server.getsockname(), timeout=5):
        assert accept_queue(server) == (1, 5)
    late.close()


def test_late_client_is_refused_once_the_socket_is_closed(server):
    assert drop_syns(server)
    address = server.getsockname()
    server.close()
    with socket.socket() as late:
        assert late.connect_ex(address) != 0


def test_queue_of_what_does_not_listen():
    with socket.socket() as sock:
        assert accept_queue(sock) is None
    near, far = socket.socketpair()
    with near, far:
        assert accept_queue(near) is None
