"""The blocking driver as a client sees it, on one thread and on crews."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from gunicorn.metrics import cells
from gunicorn.protocol.limits import Limits, Timeouts

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def eventually(holds) -> bool:
    """Waits, within bounds, for what the driver does after an answer is out."""
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def read_all(sock: socket.socket) -> bytes:
    received = bytearray()
    while data := sock.recv(65536):
        received += data
    return bytes(received)


def read_answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one answer with a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        assert data, received
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536)
    return head, body


def test_a_connection_serves_one_request_after_another(serve):
    server = serve(hello)
    with server.connect() as sock:
        for _ in range(5):
            sock.sendall(GET)
            head, body = read_answer(sock)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert body == b"hello"
    page = server.row.page
    assert eventually(lambda: page[cells.STATUS_2XX] == 5 and page[cells.IN_FLIGHT] == 0)
    assert page[cells.ACCEPTED] == 1


def test_a_head_may_come_byte_by_byte(serve):
    server = serve(hello)
    with server.connect() as sock:
        for byte in LAST:
            sock.sendall(bytes((byte,)))
        assert read_all(sock).endswith(b"\r\n\r\nhello")


def test_pipelined_requests_are_answered_in_order(serve):
    def count(environ, start_response):
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    server = serve(count)
    with server.connect() as sock:
        many = b"".join(b"GET /%d HTTP/1.1\r\nHost: t\r\n\r\n" % n for n in range(100))
        sock.sendall(many + b"GET /last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        answers = read_all(sock).split(b"HTTP/1.1 200 OK")[1:]
    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [b"/%d" % n for n in range(100)] + [b"/last"]


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 1_000_000])
def test_bodies_are_read_whole_before_the_application_runs(serve, size):
    server = serve(echo, spool_threshold=100_000)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size + body)
            assert read_answer(sock)[1] == body


def test_a_live_body_is_read_while_it_arrives(serve):
    seen = threading.Event()

    def application(environ, start_response):
        first = environ["wsgi.input"].read(5)
        seen.set()
        rest = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(first + rest)))])
        return [first + rest]

    server = serve(application, buffering=False)
    with server.connect() as sock:
        for _ in range(2):
            seen.clear()
            sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\nhello")
            assert seen.wait(10)
            sock.sendall(b" world")
            assert read_answer(sock)[1] == b"hello world"


@pytest.mark.parametrize("buffering", [True, False])
def test_a_client_that_expects_100_gets_it_once(serve, buffering):
    server = serve(echo, buffering=buffering)
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert read_answer(sock)[1] == b"hello"


def test_an_unread_body_does_not_hold_the_connection(serve):
    server = serve(hello, buffering=False)
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000)
        assert read_answer(sock)[1] == b"hello"
        sock.sendall(LAST)
        assert read_all(sock).endswith(b"hello")


def test_a_slow_reader_gets_a_large_answer_whole(serve):
    body = b"0123456789" * 1_000_000

    def large(environ, start_response):
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    server = serve(large)
    with server.connect() as slow, server.connect() as other:
        slow.sendall(LAST)
        other.sendall(LAST)
        assert read_all(other).endswith(body)
        assert read_all(slow).endswith(body)


def test_a_stream_waits_for_its_reader_and_not_for_ever(serve):
    closed = threading.Event()

    def endless(environ, start_response):
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.set()

    server = serve(endless, times=Timeouts(write=0.5), response_buffer=100_000)
    with server.connect() as sock:
        sock.sendall(GET)
        assert closed.wait(10)
    assert eventually(lambda: server.row.page[cells.ABORTED] == 1)


def test_an_exception_is_a_500_and_the_worker_serves_on(serve):
    def broken(environ, start_response):
        raise ValueError("boom")

    server = serve(broken)
    for _ in range(2):
        with server.connect() as sock:
            sock.sendall(GET)
            assert read_all(sock).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert [str(error) for error in server.said.crashes] == ["boom", "boom"]


def test_an_exception_after_the_head_breaks_the_answer_off(serve):
    def broken(environ, start_response):
        start_response("200 OK", [])
        yield b"part"
        raise ValueError("boom")

    server = serve(broken)
    with server.connect() as sock:
        sock.sendall(GET)
        answer = read_all(sock)
    assert b"part" in answer
    assert b"500" not in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_broken_rules_are_answered_and_counted(serve):
    server = serve(hello)
    with server.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")
    assert len(server.said.rules) == 1
    assert server.row.page[cells.REJECTED] == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", b""), (b"GET / HT", b"408"), (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nab", b"408")],
)
def test_nobody_may_take_for_ever(serve, sent, status):
    server = serve(hello, times=Timeouts(header=0.2, body=0.2, keepalive=0.2))
    with server.connect() as sock:
        sock.sendall(sent)
        answer = read_all(sock)
    assert answer[9:12] == status


def test_an_idle_connection_ends_after_the_keep_alive_time(serve):
    server = serve(hello, times=Timeouts(keepalive=0.2))
    with server.connect() as sock:
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"hello"
        assert sock.recv(10) == b""


def test_idle_connections_cost_no_thread(serve):
    server = serve(hello)
    idle = [server.connect() for _ in range(50)]
    with server.connect() as sock:
        sock.sendall(LAST)
        assert read_all(sock).endswith(b"hello")
    for one in idle:
        one.close()


def test_the_connection_limit_leaves_the_others_in_the_queue(serve):
    server = serve(hello, max_connections=2)
    first, second, third = server.connect(), server.connect(), server.connect()
    for sock in (first, second):
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"hello"
    third.sendall(LAST)
    third.settimeout(0.2)
    with pytest.raises(TimeoutError):
        third.recv(1)
    first.close()
    third.settimeout(10)
    assert read_all(third).endswith(b"hello")
    second.close()
    third.close()


def test_clients_that_vanish_leave_nothing_behind(serve):
    server = serve(echo)
    pieces = [b"", b"GET /", b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nabc", GET]
    for piece in pieces * 5:
        sock = server.connect()
        sock.sendall(piece)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    assert eventually(lambda: not server.service.connections)


def test_a_slow_handler_on_the_polling_thread_is_left_behind(serve, threads):
    if not threads:
        pytest.skip("one thread can only wait")
    release = threading.Event()

    def mixed(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            assert release.wait(10)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = serve(mixed)
    with server.connect() as slow, server.connect() as fast:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n")
        if threads > 1:
            for _ in range(20):
                fast.sendall(GET)
                assert read_answer(fast)[1] == b"ok"
        release.set()
        assert read_answer(slow)[1] == b"ok"
        for sock in (slow, fast):
            sock.sendall(GET)
            assert read_answer(sock)[1] == b"ok"
    assert server.service.epoch >= (threads > 1)


def test_many_clients_at_once_get_their_own_answers(serve):
    def own(environ, start_response):
        body = environ["PATH_INFO"].encode()
        if environ["PATH_INFO"].endswith("7"):
            time.sleep(0.002)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    server = serve(own)
    wrong: list[object] = []

    def client(number: int) -> None:
        with server.connect() as sock:
            for turn in range(30):
                path = b"/%d/%d" % (number, turn)
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: t\r\n\r\n" % path)
                body = read_answer(sock)[1]
                if body != path:
                    wrong.append((path, body))

    clients = [threading.Thread(target=client, args=(n,)) for n in range(20)]
    for one in clients:
        one.start()
    for one in clients:
        one.join(60)
    assert not wrong
    page = server.row.page
    assert eventually(lambda: page[cells.STATUS_2XX] == 600 and page[cells.IN_FLIGHT] == 0)


def test_limits_reach_the_machine(serve):
    server = serve(echo, limits=Limits(body=10))
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n" + b"x" * 11)
        assert read_all(sock).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(("length", "words"), [(3, "more bytes"), (9, "fewer bytes")])
def test_a_body_of_the_wrong_length_is_told_and_never_misread(serve, length, words):
    def wrong(environ, start_response):
        start_response("200 OK", [("Content-Length", str(length))])
        return [b"hello"]

    server = serve(wrong)
    with server.connect() as sock:
        sock.sendall(LAST)
        assert read_all(sock).endswith(b"\r\n\r\n" + b"hello"[:length])
    assert eventually(lambda: [text for text in server.said.messages if words in text])


def test_a_path_that_was_slow_is_handed_out_until_it_is_fast(serve, threads):
    if threads < 2:
        pytest.skip("nobody to hand it to")
    pause = [0.02]

    def mixed(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            time.sleep(pause[0])
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = serve(mixed)
    slow = b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n"
    with server.connect() as sock:
        for _ in range(3):
            sock.sendall(slow)
            assert read_answer(sock)[1] == b"ok"
        assert eventually(lambda: list(server.crew.slow) == ["/slow"])
        assert server.service.epoch <= 1, "only the first was a surprise"
        pause[0] = 0
        sock.sendall(slow)
        assert read_answer(sock)[1] == b"ok"
        assert eventually(lambda: not server.crew.slow)
