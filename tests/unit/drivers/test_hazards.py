"""What once killed a worker, lost a client, mixed two answers or kept memory."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
import threading
import time
from types import SimpleNamespace

import pytest

from gunicorn.drivers.blocking.connection import Connection, State
from gunicorn.drivers.blocking.readiness import READ
from gunicorn.metrics import cells
from gunicorn.protocol.limits import Timeouts
from tests.unit.drivers.test_serving import GET, LAST, echo, eventually, hello, read_all, read_answer

POST_10 = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n"
PATIENT = Timeouts(handshake=60, header=60, body=60, keepalive=60, write=60)


# -- threads ---------------------------------------------------------------------------------------------


def test_what_a_thread_cannot_survive_ends_the_worker(serve):
    def fails(exchange):
        raise SystemExit("the access log is gone")

    server = serve(hello, fatal=True)
    server.service.access = fails
    with server.connect() as sock:
        sock.sendall(GET)
        server.thread.join(10)
    assert not server.thread.is_alive()
    assert isinstance(server.fault, SystemExit)


def test_a_watcher_that_gets_a_request_is_replaced(serve, threads):
    if not threads:
        pytest.skip("nobody watches")
    server = serve(hello).halt()
    crew = server.crew
    while not crew.tasks.empty():
        crew.tasks.get()
    crew.watched = crew.inline = True
    crew._watch_no_more()
    assert crew.watched
    assert crew.tasks.qsize() == 1
    crew.inline = False
    crew._watch_no_more()
    assert not crew.watched
    assert crew.tasks.qsize() == 1


def test_who_lost_the_polling_in_a_tick_touches_no_connection(serve):
    server = serve(hello).halt()
    poller, service = server.poller, server.service

    def another_takes_over(now):
        service.epoch += 1

    poller.on_tick = another_takes_over
    poller.next_tick = 0
    service.waiting.append(SimpleNamespace(state=State.READING, pump=pytest.fail))
    poller.turn()
    assert len(service.waiting) == 1


def test_who_lost_the_polling_at_a_door_leaves_the_doors_alone(serve):
    server = serve(hello).halt()
    poller, service = server.poller, server.service

    class Door:
        def ready(self, mask, now):
            service.epoch += 1

    poller.others[9999] = Door()
    service.able = poller.able = lambda: False
    poller.handle_other(9999, 1, service.epoch)
    assert poller.doors_open


def test_a_lingering_connection_is_read_by_one_thread_at_a_time(serve, monkeypatch):
    states = []
    discard = Connection._discard

    def record(self):
        states.append(self.state)
        discard(self)

    monkeypatch.setattr(Connection, "_discard", record)

    def last(environ, start_response):
        start_response("200 OK", [("Connection", "close"), ("Content-Length", "0")])
        return []

    server = serve(last)
    with server.connect() as sock:
        sock.sendall(GET)
        assert read_all(sock).startswith(b"HTTP/1.1 200")
    assert State.LINGERING not in states[:1]


def test_bytes_that_come_while_others_wait_inside_are_read(serve):
    begun, go_on = threading.Event(), threading.Event()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/first":
            begun.set()
            go_on.wait(10)
        return hello(environ, start_response)

    server = serve(application)
    with server.connect() as sock:
        sock.sendall(GET.replace(b"/ ", b"/first ") + GET)
        assert begun.wait(10)
        sock.sendall(LAST)
        time.sleep(0.05)
        go_on.set()
        sock.settimeout(3)
        assert read_all(sock).count(b"hello") == 3


def test_an_edge_is_kept_while_requests_wait_inside(serve, monkeypatch):
    monkeypatch.setattr("gunicorn.drivers.blocking.connection.READS_IN_A_ROW", 1)
    server = serve(hello).halt()
    with server.connect() as sock:
        sock.sendall(GET * 3)
        while server.service.requests < 1:
            server.poller.turn()
        (connection,) = server.service.connections.values()
        assert connection.machine.pending
        connection.ready(READ, server.poller.now)
        assert server.service.requests == 3
        assert connection.is_unread()


def test_forgetting_a_connection_spares_its_successor(serve):
    server = serve(hello)
    with server.connect() as sock:
        sock.sendall(GET)
        read_answer(sock)
        (connection,) = server.service.connections.values()
        server.service.forget(SimpleNamespace(fd=connection.fd))
        assert list(server.service.connections.values()) == [connection]


# -- bodies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [20, 1_000_000])
def test_a_full_disk_is_a_507_and_the_worker_serves_on(serve, monkeypatch, size):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115
    server = serve(echo, spool_threshold=10)
    for _ in range(2):
        with server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size)
            try:
                sock.sendall(b"x" * size)
            except ConnectionError:
                pass
            assert sock.recv(100).startswith(b"HTTP/1.1 507 ")
    with server.connect() as sock:
        sock.sendall(POST_10.replace(b"10", b"5") + b"hello")
        assert read_answer(sock)[1] == b"hello"


def read_twice(outcomes):
    def application(environ, start_response):
        for _ in range(2):
            try:
                outcomes.append(environ["wsgi.input"].read())
            except Exception as error:
                outcomes.append(type(error).__name__)
        start_response("400 Bad Request", [("Content-Length", "0")])
        return []

    return application


def test_a_cut_body_never_becomes_a_whole_one(serve):
    outcomes = []
    server = serve(read_twice(outcomes), buffering=False)
    with server.connect() as sock:
        sock.sendall(POST_10 + b"hello")
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer
    assert outcomes == ["ProtocolError", "ProtocolError"]


def test_a_broken_body_is_the_last_of_its_connection(serve):
    outcomes = []
    server = serve(read_twice(outcomes), buffering=False)
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert eventually(lambda: server.row.page[cells.IN_FLIGHT] == 1)
        sock.sendall(b"zz\r\n" + GET)
        assert read_all(sock).count(b"HTTP/1.1 ") == 1
    assert outcomes == ["ProtocolError", "ProtocolError"]


def test_a_live_body_that_stalls_is_a_408(serve):
    server = serve(echo, times=Timeouts(handshake=5, header=5, body=0.2, keepalive=5, write=5), buffering=False)
    with server.connect() as sock:
        sock.sendall(POST_10 + b"hello")
        assert read_all(sock).startswith(b"HTTP/1.1 408 ")
    assert server.row.page[cells.TIMED_OUT] == 1


def test_a_live_body_ends_with_its_request(serve):
    kept = []

    def keeps(environ, start_response):
        kept.append(environ["wsgi.input"])
        start_response("200 OK", [("Content-Length", "0")])
        return []

    server = serve(keeps, buffering=False)
    with server.connect() as sock:
        sock.sendall(POST_10)
        read_answer(sock)
        sock.sendall(b"0123456789" + GET)
        read_answer(sock)
        with pytest.raises(ValueError, match="closed file"):
            kept[0].read()


def test_an_answer_before_the_body_reaches_a_client_that_still_sends(serve):
    def refuses(environ, start_response):
        start_response("413 Content Too Large", [("Content-Length", "5")])
        return [b"large"]

    server = serve(refuses, buffering=False)
    for _ in range(5):
        with server.connect() as sock:
            sock.sendall(POST_10.replace(b"10", b"1000000").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            for _ in range(20):
                sock.sendall(b"x" * 1000)
                time.sleep(0.002)
            assert read_all(sock).endswith(b"\r\n\r\nlarge")


# -- answers ---------------------------------------------------------------------------------------------


def test_nothing_follows_what_was_lost(serve):
    done = threading.Event()

    def insists(environ, start_response):
        write = start_response("200 OK", [])
        gone = False
        while not gone:
            try:
                write(b"x" * 200_000)
            except Exception:
                gone = True
        for _ in range(3):
            try:
                write(b"after" * 1000)
            except Exception:
                continue
        done.set()
        return [b"after"]

    times = Timeouts(handshake=5, header=5, body=5, keepalive=5, write=0.3)
    server = serve(insists, times=times, response_buffer=10_000)
    with server.connect() as sock:
        sock.sendall(GET)
        assert done.wait(20)
        assert b"after" not in read_all(sock)
    assert eventually(lambda: server.row.page[cells.IN_FLIGHT] == 0)
    assert server.row.page[cells.ABORTED] <= 1


def test_write_of_an_old_request_is_dead(serve):
    kept = []

    def application(environ, start_response):
        kept.append(start_response("200 OK", [("Content-Length", "5")]))
        if len(kept) == 2:
            with pytest.raises(Exception, match="after its request was answered"):
                kept[0](b"wrong")
        return [b"hello"]

    server = serve(application)
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(GET)
            assert read_answer(sock)[1] == b"hello"


def test_a_reader_that_is_slow_but_reads_is_served_to_the_end(serve):
    size = 12_000_000

    def large(environ, start_response):
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]

    server = serve(large, times=Timeouts(handshake=5, header=5, body=5, keepalive=5, write=0.6))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(10)
        sock.connect(server.address)
        sock.sendall(LAST)
        received = 0
        slow_until = time.monotonic() + 2.5
        while data := sock.recv(16384):
            received += len(data)
            if time.monotonic() < slow_until:
                time.sleep(0.05)
    assert received > size


def test_a_half_close_while_an_answer_is_flushed_is_noticed(serve):
    def large(environ, start_response):
        start_response("200 OK", [("Content-Length", "12000000")])
        return [b"x" * 12_000_000]

    server = serve(large, times=PATIENT)
    with server.connect() as sock:
        sock.sendall(GET)
        assert sock.recv(10)
        sock.shutdown(socket.SHUT_WR)
        assert eventually(lambda: [c.state for c in list(server.service.connections.values())] == [State.FLUSHING])
        time.sleep(0.05)
        assert len(read_all(sock)) > 12_000_000


# -- the end ---------------------------------------------------------------------------------------------


def test_kept_connections_do_not_delay_the_end(serve):
    begun, go_on = threading.Event(), threading.Event()

    def slow(environ, start_response):
        begun.set()
        go_on.wait(10)
        return hello(environ, start_response)

    server = serve(slow, times=PATIENT)
    with server.connect() as sock, server.connect():
        sock.sendall(GET)
        assert begun.wait(10)
        server.call(lambda: server.poller.stop(drain_queue=True))
        go_on.set()
        read_answer(sock)
        assert eventually(server.poller.is_finished)


def test_an_upload_under_way_is_not_cut_by_the_end(serve):
    server = serve(echo, times=PATIENT)
    with server.connect() as sock:
        sock.sendall(POST_10 + b"hello")
        assert eventually(lambda: len(server.service.connections) == 1)
        time.sleep(0.05)
        server.call(lambda: server.poller.stop(drain_queue=True))
        time.sleep(0.8)
        sock.sendall(b"world")
        assert read_answer(sock)[1] == b"helloworld"
        assert eventually(server.poller.is_finished)


# -- what is left behind ---------------------------------------------------------------------------------


def test_a_closed_connection_is_freed_without_the_collector(serve):
    def application(environ, start_response):
        if environ["PATH_INFO"] == "/fails":
            raise ValueError("on purpose")
        environ["wsgi.input"].read()
        environ["mine"] = environ
        environ.pop("mine")
        return hello(environ, start_response)

    server = serve(application, buffering=False)
    gc.collect()
    gc.disable()
    try:
        for sent in (LAST, GET.replace(b"/ ", b"/fails "), POST_10 + b"0123456789", b"nonsense\r\n\r\n"):
            with server.connect() as sock:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                read_all(sock)
        server.said.crashes.clear()
        assert eventually(lambda: not server.service.connections)
        alive = lambda: [thing for thing in gc.get_objects() if type(thing) is Connection]  # noqa: E731
        server.source.wake()
        assert eventually(lambda: not alive())
    finally:
        gc.enable()


def test_an_idle_connection_keeps_nothing_of_its_last_request(serve):
    server = serve(hello)
    with server.connect() as sock:
        sock.sendall(GET)
        read_answer(sock)
        (connection,) = server.service.connections.values()
        assert eventually(lambda: connection.exchange.environ == {})


def test_a_connection_that_cannot_be_watched_is_closed(serve, monkeypatch):
    server = serve(hello)

    def refuses(fd):
        raise OSError(28, os.strerror(28))

    readiness = server.service.readiness
    server.service.readiness = SimpleNamespace(
        watch=refuses, forget=readiness.forget, wait=readiness.wait, want_write=readiness.want_write
    )
    with server.connect() as sock:
        assert read_all(sock) == b""
    server.service.readiness = readiness
    with server.connect() as sock:
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"hello"


def test_a_handshake_that_stalls_does_not_delay_the_end(serve, monkeypatch):
    monkeypatch.setattr(Connection, "_shake_hands", lambda self, now: None)
    server = serve(hello, times=PATIENT)
    with server.connect():
        assert eventually(lambda: len(server.service.connections) == 1)
        (connection,) = server.service.connections.values()
        connection.deadline = time.monotonic_ns() + 60 * 10**9
        connection.state = State.HANDSHAKE
        server.call(lambda: server.poller.stop(drain_queue=True))
        assert eventually(lambda: connection.deadline < time.monotonic_ns() + 3 * 10**9)
        assert eventually(server.poller.is_finished)
