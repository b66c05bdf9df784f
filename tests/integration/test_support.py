"""The test client and load must notice what they are there to notice."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support.client import BadAnswer, Connection, Gone
from tests.support.load import Load


class Canned:
    """A server that answers each connection with the same bytes and closes it."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self._answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    def __enter__(self) -> Canned:
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"Name : space\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: +1\r\n\r\nx",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_the_client_believes_nothing(answer):
    with Canned(answer) as server, Connection(server.address) as connection, pytest.raises(BadAnswer):
        connection.request()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        HEAD + b"Content-Length: 5\r\n\r\nfour",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n",
    ],
)
def test_the_client_notices_a_cut(answer):
    with Canned(answer) as server, Connection(server.address) as connection, pytest.raises(Gone):
        connection.request()


def test_the_client_reads_what_is_right():
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + HEAD
    answer += b"Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nfour\r\n3\r\nfiv\r\n0\r\nTrailer: t\r\n\r\n"
    with Canned(answer) as server, Connection(server.address) as connection:
        response = connection.request()
    assert (response.status, response.body, response.chunks) == (200, b"fourfiv", [4, 3])
    assert response.trailers == [("Trailer", "t")]
    assert [one.status for one in response.informational] == [103]


def test_the_load_counts_every_failure():
    """A server that keeps no promise: each second request finds the kept connection closed."""
    with Canned(HEAD + b"Content-Length: 2\r\n\r\nok") as server:
        with Load(lambda: Connection(server.address), connections=1, limit=10) as load:
            load.join(20)
            tally = load.finish()
        assert (tally.succeeded, tally.failed, tally.stale) == (5, 5, 5)
        with pytest.raises(AssertionError, match="5 of 10 failed"):
            load.assert_clean()
