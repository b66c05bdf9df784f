"""Request bodies: read, half read, unread, chunked, huge, refused."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from tests.support.client import Connection, Response
from tests.support.processes import eventually, open_files, peak_resident_bytes
from tests.support.server import Server

ECHO = "tests.apps.echo:app"


@pytest.fixture
def server(worker):
    with Server(ECHO, *worker, "-w", "1") as running:
        yield running


def size_of(response: Response) -> int:
    assert response.status == 200, response
    return int(json.loads(response.body)["size"])


@pytest.mark.parametrize("size", [0, 1, 8192, 65536, 1_000_000])
def test_bodies_arrive_whole(server, size):
    data = (b"0123456789" * (size // 10 + 1))[:size]
    for body in (data, [data[:100], data[100:]] if size > 100 else [data or b"x"]):
        with server.connect() as connection:
            response = connection.request("POST", "/", (), body)
            sent = body if isinstance(body, bytes) else b"".join(body)
            assert json.loads(response.body)["sha256"] == hashlib.sha256(sent).hexdigest()
            assert size_of(connection.request("POST", "/", (), b"again")) == 5


def test_a_9_kb_body_that_nobody_reads_does_not_block_keep_alive(server):
    with server.connect() as connection:
        for _ in range(5):
            response = connection.request("POST", "/?read=0", (), b"x" * 9000)
            assert size_of(response) == 0
            assert response.keeps_alive
        assert size_of(connection.request("POST", "/", (), b"abc")) == 3


def test_a_half_read_body_is_skipped(server):
    with server.connect() as connection:
        assert size_of(connection.request("POST", "/?read=10", (), b"x" * 9000)) == 10
        assert size_of(connection.request("POST", "/", (), b"abc")) == 3


def test_an_unread_chunked_body_is_skipped(server):
    with server.connect() as connection:
        assert size_of(connection.request("POST", "/?read=0", (), [b"x" * 3000] * 3)) == 0
        assert size_of(connection.request("POST", "/", (), b"abc")) == 3


@pytest.mark.parametrize("buffering", [(), ("--no-request-buffering",)])
def test_a_large_unread_body_is_answered_all_the_same(worker, buffering):
    """Either skipped or the connection is closed, but the answer arrives (RFC 9112 9.6: lingering close)."""
    with Server(ECHO, *worker, *buffering) as server:
        for _ in range(5):
            with server.connect() as connection:
                connection.send(b"POST /?read=0 HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
                try:
                    connection.send(b"x" * 3_000_000)
                except (BrokenPipeError, ConnectionResetError):
                    pytest.fail("the server hung up on a client that was still sending")
                response = connection.read_response("POST")
                assert size_of(response) == 0
                if response.keeps_alive:
                    assert size_of(connection.request("POST", "/", (), b"abc")) == 3


def test_the_body_is_not_buffered_when_told(worker, tmp_path):
    with Server("tests.apps.answers:app", *worker, "--no-request-buffering") as server, server.connect() as connection:
        connection.send(b"POST /read_then_steps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert connection.read_response("POST").body == b"x" * 0x1000


def test_expect_continue_is_answered_once(server):
    with server.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_informational().status == 100
        connection.send(b"hello")
        response = connection.read_response()
        assert response.informational == []
        assert size_of(response) == 5
        assert size_of(connection.request("POST", "/", (), b"abc")) == 3


def test_expect_continue_of_a_client_that_does_not_wait(server):
    with server.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
        assert size_of(connection.read_response()) == 5


def test_no_continue_for_http_1_0(server):
    with server.connect() as connection:
        connection.send(b"POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
        assert connection.read_response().informational == []


def test_a_body_over_the_limit_is_413(worker):
    with Server(ECHO, *worker, "--limit-request-body", "1000") as server:
        for body in (b"x" * 1001, [b"x" * 600, b"x" * 600]):
            with server.connect() as connection:
                response = connection.request("POST", "/", (), body)
                assert response.status == 413
                assert not response.keeps_alive
        assert size_of(server.ask("POST", "/", (), b"x" * 1000)) == 1000


def test_a_body_over_the_limit_is_refused_before_it_is_sent(worker):
    with Server(ECHO, *worker, "--limit-request-body", "1000") as server, server.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n")
        response = connection.read_response()
        assert (response.status, response.informational) == (413, [])


@pytest.mark.parametrize("ending", ["fin", "reset"])
def test_a_body_cut_short_is_never_a_whole_body(server, ending):
    with server.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 999)
        if ending == "fin":
            connection.sock.shutdown(1)
            answer = connection.wait_closed()
            assert b" 200 " not in answer.partition(b"\r\n")[0]
        else:
            connection.reset()
    assert size_of(server.ask("POST", "/", (), b"abc")) == 3
    assert "Traceback" not in server.log()


@pytest.mark.slow
def test_large_bodies_are_spooled(wsgi_worker):
    """Memory stays flat while a hundred megabytes come in; the temporary file has no name left behind."""
    with tempfile.TemporaryDirectory() as folder:
        config = f"tmp_upload_dir = {folder!r}\n"
        with Server(ECHO, *wsgi_worker, "-w", "1", config=config) as server:
            size_of(server.ask("POST", "/", (), b"warm"))
            (pid,) = server.wait_workers(1)
            before = peak_resident_bytes(pid)
            piece, count = b"x" * 1_000_000, 100
            with server.connect(timeout=60) as connection:
                connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (len(piece) * count))
                for _ in range(count - 1):
                    connection.send(piece)
                connection.send(piece[:-1])
                eventually(lambda: any(folder in name for name in open_files(pid)), "a file in tmp_upload_dir")
                connection.send(piece[-1:])
                assert size_of(connection.read_response()) == len(piece) * count
            assert peak_resident_bytes(pid) - before < 20_000_000
            assert list(Path(folder).iterdir()) == []
            eventually(lambda: not any(folder in name for name in open_files(pid)), "the file is closed")


def test_uploads_side_by_side_do_not_mix(server):
    connections: list[Connection] = [server.connect() for _ in range(10)]
    size = 400_000
    for number, connection in enumerate(connections):
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        connection.send(b"%d" % number * (size // 2))
    for number, connection in enumerate(connections):
        connection.send(b"%d" % number * (size // 2))
        response = connection.read_response()
        assert json.loads(response.body)["sha256"] == hashlib.sha256(b"%d" % number * size).hexdigest()
        connection.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\n\r\n", 417),
    ],
    ids=["no-host", "hosts", "version", "uri", "fields", "field", "te-cl", "lengths", "coding", "expect"],
)
def test_refusals_have_a_status_a_log_line_and_close(server, head, status):
    with server.connect() as connection:
        connection.send(head)
        answer = connection.wait_closed()
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
        assert b"onnection: close" in answer
    log = server.wait_log("RFC")
    assert "127.0.0.1" in log
    assert size_of(server.ask("POST", "/", (), b"abc")) == 3


def test_a_tls_client_on_a_plain_port_is_named_in_the_log(server):
    """No answer could be understood: the connection ends in silence."""
    with server.connect() as connection:
        connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32)
        assert connection.wait_closed() == b""
    server.wait_log("tls")


def test_a_flood_of_refusals_does_not_flood_the_log(server):
    for _ in range(200):
        with server.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n")
            connection.wait_closed()
    assert 1 <= server.log().count("RFC") < 100
