"""Clients that send slowly, read slowly or do nothing cost neither a worker nor a thread."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from tests.support.client import Connection
from tests.support.load import Load
from tests.support.processes import cpu_seconds, eventually, resident_bytes
from tests.support.server import Server

HELLO = "tests.apps.hello:app"
ECHO = "tests.apps.echo:app"
ANSWERS = "tests.apps.answers:app"
CROWD = 200
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


def crowd(server: Server, sent: bytes, size: int = CROWD) -> list[Connection]:
    """Many connections that sent `sent` and then nothing."""
    connections = [server.connect() for _ in range(size)]
    for connection in connections:
        if sent:
            connection.send(sent)
    return connections


@pytest.fixture
def patient(worker):
    """One worker that would wait for clients longer than any test lasts."""
    waits = ("--keep-alive", "60", "--header-timeout", "60", "--body-timeout", "60", "--write-timeout", "60")
    with Server(ECHO, *worker, "-w", "1", *waits) as running:
        yield running


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", HEAD, HEAD + b"x" * 999], ids=len)
def test_a_crowd_that_stopped_sending_disturbs_nobody(patient, sent):
    connections = crowd(patient, sent)
    started = time.monotonic()
    with Load(patient.connect, connections=4, keep_alive=False, limit=50) as load:
        load.join(20)
        tally = load.assert_clean()
    assert tally.slowest < 2.0
    assert time.monotonic() - started < 15
    for connection in connections:
        assert connection.is_open()
        connection.close()


def test_a_crowd_of_idle_kept_connections_disturbs_nobody(patient):
    connections = [patient.connect() for _ in range(CROWD)]
    kept = sum(connection.request().keeps_alive for connection in connections)
    with Load(patient.connect, connections=4, keep_alive=False, limit=50) as load:
        load.join(20)
        load.assert_clean()
    assert kept >= CROWD // 2
    for connection in connections:
        connection.close()


def test_what_the_slow_sent_is_answered_in_the_end(patient):
    connections = crowd(patient, HEAD + b"x" * 500, 20)
    for connection in connections:
        connection.send(b"x" * 500)
    for connection in connections:
        response = connection.read_response()
        assert (response.status, b'"size": 1000' in response.body) == (200, True)
        connection.close()


def test_slow_readers_disturb_nobody(worker):
    """Answers that fit the buffer leave the worker at once; the poller feeds the slow."""
    with Server(ANSWERS, *worker, "-w", "1", "--write-timeout", "60") as server:
        readers = [server.connect(receive_buffer=4096) for _ in range(20)]
        for reader in readers:
            reader.send_request("GET", "/large?n=800000")
        with Load(server.connect, connections=4, keep_alive=False, limit=25) as load:
            load.join(30)
            tally = load.assert_clean()
        assert tally.slowest < 3.0
        for reader in readers:
            assert len(reader.read_response().body) == 800_000
            reader.close()


def test_a_slow_reader_of_a_large_answer_gets_all_of_it(worker):
    with Server(ANSWERS, *worker, "-w", "2") as server, server.connect(receive_buffer=4096) as reader:
        reader.send_request("GET", "/large?n=8000000")
        time.sleep(0.5)
        assert len(reader.read_response().body) == 8_000_000


def test_an_answer_larger_than_the_buffer_does_not_fill_memory(worker):
    with Server(ANSWERS, *worker, "-w", "1", "--write-timeout", "60") as server:
        server.get("/pid")
        (pid,) = server.wait_workers(1)
        before = resident_bytes(pid)
        with server.connect(receive_buffer=4096) as reader:
            reader.send_request("GET", "/endless")
            reader.read_head()
            deadline = time.monotonic() + 1.5
            while time.monotonic() < deadline:
                assert resident_bytes(pid) - before < 40_000_000
                time.sleep(0.05)


def test_header_timeout(worker):
    """A client that never finishes its head is sent away; RFC 9110 15.5.9 names 408."""
    with Server(HELLO, *worker, "--header-timeout", "1", "--keep-alive", "60") as server:
        for sent in (b"", b"GET / HTTP/1.1\r\nHo"):
            with server.connect() as connection:
                connection.send(sent)
                answer = connection.wait_closed(8)
                assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_header_timeout_counts_from_the_first_byte(worker):
    """Dripping one byte a moment does not start the clock again (slowloris)."""
    with Server(HELLO, *worker, "--header-timeout", "1") as server, server.connect() as connection:
        started = time.monotonic()
        connection.sock.settimeout(0.2)
        gone = False
        while not gone and time.monotonic() - started < 8:
            try:
                connection.send(b"X")
                gone = connection.sock.recv(4096) is not None
            except TimeoutError:
                continue
            except ConnectionError:
                gone = True
        assert gone
        assert time.monotonic() - started < 5


def test_body_timeout(worker):
    with Server(ECHO, *worker, "--body-timeout", "1") as server:
        with server.connect() as connection:
            connection.send(HEAD + b"x")
            answer = connection.wait_closed(8)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
        assert server.get().status == 200


def test_body_timeout_counts_between_steps_of_progress(worker):
    with Server(ECHO, *worker, "--body-timeout", "1") as server, server.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.3)
            connection.send(b"x")
        assert connection.read_response().status == 200


def test_keep_alive_timeout(worker):
    with Server(HELLO, *worker, "--keep-alive", "1") as server, server.connect() as connection:
        response = connection.request()
        started = time.monotonic()
        assert connection.wait_closed(8) == b""
        if response.keeps_alive:
            assert time.monotonic() - started > 0.5


def test_keep_alive_zero_closes_each_time(worker):
    with Server(HELLO, *worker, "--keep-alive", "0") as server, server.connect() as connection:
        assert not connection.request().keeps_alive
        assert connection.wait_closed() == b""


def test_write_timeout(worker):
    """A client that never reads is given up, and its worker is free again."""
    with Server(ANSWERS, *worker, "-w", "1", "--write-timeout", "1") as server:
        with server.connect(receive_buffer=4096) as reader:
            reader.send_request("GET", "/large?n=50000000")
            reader.read_head()
            eventually(lambda: server.get("/pid").status == 200, "the worker is free", 15)

            def given_up() -> bool:
                return reader.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1

            eventually(lambda: b"large" in server.get("/closed").body, "close() was called", 10)
            received = 0
            try:
                while data := reader.sock.recv(65536):
                    received += len(data)
            except ConnectionResetError:
                pass
            assert received < 50_000_000
            assert given_up()
        assert "Traceback" not in server.log()


def test_the_fast_are_fast_while_slow_requests_hold_the_other_threads():
    with Server("tests.apps.slow:app", "-k", "gthread", "--threads", "4") as server:
        server.get("/fast")
        busy = [server.connect() for _ in range(3)]
        for connection in busy:
            connection.send_request("GET", "/?s=1.5")
        with Load(server.connect, connections=2, target="/fast", limit=100) as load:
            load.join(20)
            tally = load.assert_clean()
        assert tally.slowest < 0.5
        for connection in busy:
            assert connection.read_response().status == 200
            connection.close()


def test_a_worker_accepts_only_what_it_can_run():
    """Two one-at-a-time workers, two slow requests: side by side, never one behind the other."""
    with Server("tests.apps.slow:app", "-k", "sync", "-w", "2") as server:
        server.wait_workers(2)
        server.get("/fast")
        for _ in range(3):
            started = time.monotonic()
            pair = []
            for _ in range(2):
                pair.append(server.connect())
                pair[-1].send_request("GET", "/?s=0.5", [("Connection", "close")])
            for connection in pair:
                assert connection.read_response().status == 200
                connection.close()
            assert time.monotonic() - started < 0.9


def test_a_kept_connection_never_waits_behind_a_slow_request():
    """Adaptive keep-alive: with slow handlers sync gives connections up, so that the other worker can take them."""
    with Server("tests.apps.slow:app", "-k", "sync", "-w", "2") as server:
        with Load(server.connect, connections=2, target="/?s=0.05", limit=8) as load:
            load.join(20)
            load.assert_clean()
        with server.connect() as connection:
            assert not connection.request("GET", "/?s=0.1").keeps_alive


@pytest.mark.parametrize("kind", [("-k", "gthread", "--threads", "2"), ("-k", "asgi")], ids=["gthread", "asgi"])
def test_worker_connections_bound_what_is_held(kind):
    with Server(HELLO, *kind, "--worker-connections", "10", "--header-timeout", "1") as server:
        connections = crowd(server, b"", 10)
        with server.connect(timeout=15) as late:
            # The eleventh waits in the queue until one of the ten has timed out; it is not lost.
            assert late.request().status == 200
        for connection in connections:
            connection.close()


def test_running_out_of_descriptors_is_survived(worker):
    """EMFILE: the server pauses accepting, does not spin, does not die, and recovers."""
    command = (
        "import os, resource, sys; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); "
        "os.execv(sys.executable, [sys.executable, '-m', 'gunicorn', *sys.argv[1:]])"
    )
    with Server(HELLO, *worker, "-w", "1", "--header-timeout", "60", command=[sys.executable, "-c", command]) as server:
        server.get()
        (pid,) = server.wait_workers(1)
        connections = crowd(server, b"GET / HT", 60)
        time.sleep(0.5)
        spent = cpu_seconds(pid)
        time.sleep(1.0)
        assert cpu_seconds(pid) - spent < 0.5, "the worker spins"
        for connection in connections:
            connection.close()
        assert server.get(timeout=15).status == 200
        assert server.workers() == [pid]
        assert len(server.log().splitlines()) < 60
