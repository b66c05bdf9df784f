"""What once went wrong, or nearly did: slow readers, floods, limits, clients that vanish, sloppy applications."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from signal import SIGTERM

import pytest

from tests.support.client import Connection
from tests.support.processes import eventually
from tests.support.server import Server
from tests.support.websocket_frames import frame

FAULTS = "tests.apps.asgi.faults:app"
BIG = 6_000_000


def events(server: Server) -> list[str]:
    found: list[str] = json.loads(server.get("/events").body)
    return found


def stall(server: Server, target: str) -> Connection:
    """A client that asks for much and has not begun to read; little fits into its socket."""
    connection = server.connect(receive_buffer=8192)
    connection.send_request("GET", target)
    return connection


@pytest.mark.parametrize("keep_alive", ["0", "1"])
def test_a_client_that_pauses_in_a_long_answer_gets_all_of_it(asgi_worker, keep_alive):
    """Neither the time between requests nor that of a lingering end bounds what is still being sent."""
    with (
        Server(FAULTS, *asgi_worker, "--keep-alive", keep_alive) as server,
        stall(server, f"/big?n={BIG}") as connection,
    ):
        time.sleep(4)
        assert len(connection.read_response().body) == BIG


@pytest.mark.parametrize("tls", [False, True])
def test_stopping_waits_for_a_slow_reader(asgi_worker, tls):
    """The application is done, its answer is not."""
    with Server(FAULTS, *asgi_worker, "--graceful-timeout", "10", tls=tls) as server:
        with stall(server, f"/big?n={BIG}") as connection:
            connection.read_head()
            server.signal(SIGTERM)
            time.sleep(1)
            assert len(connection._exactly(BIG)) == BIG
        assert server.wait() == 0


def test_idle_tls_clients_do_not_hold_a_stop_back(asgi_worker):
    """They answer the end of TLS only when they read, and idle clients do not."""
    with Server(FAULTS, *asgi_worker, "--keep-alive", "60", "--graceful-timeout", "20", tls=True) as server:
        held = [server.connect() for _ in range(3)]
        for connection in held:
            assert connection.request().status == 200
        started = time.monotonic()
        assert server.stop(SIGTERM) == 0
        assert time.monotonic() - started < 3
        for connection in held:
            connection.close()


def test_a_flood_of_pipelined_requests_is_held_by_the_client(asgi_worker):
    """Each answer makes room for as much as it took out, not for another read."""
    with Server(FAULTS, *asgi_worker) as server, server.connect() as connection:
        before = int(server.get("/memory").body)
        flood = b"GET /naps?s=0.002 HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
        connection.sock.settimeout(0.2)
        until = time.monotonic() + 3
        sent = 0
        while time.monotonic() < until:
            try:
                sent += connection.sock.send(flood)
            except TimeoutError:
                continue
        assert int(server.get("/memory").body) - before < 10_000, f"{sent} bytes were taken"
        connection.reset()


def test_a_client_that_left_behind_two_requests_is_noticed(asgi_worker):
    """The second hears of the end that came while the first was answered."""
    with Server(FAULTS, *asgi_worker) as server:
        connection = server.connect()
        connection.send(b"GET /naps?s=0.3 HTTP/1.1\r\nHost: x\r\n\r\nGET /listens HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.close()
        eventually(lambda: "heard" in events(server), "the second request is told")


def test_who_waits_for_room_is_let_in_at_once(asgi_worker):
    with Server(FAULTS, *asgi_worker, "--worker-connections", "1") as server:
        started = time.monotonic()
        for _ in range(20):
            assert server.get().status == 200
        assert time.monotonic() - started < 2


def test_fields_that_change_in_place_are_seen(asgi_worker):
    with Server(FAULTS, *asgi_worker) as server, server.connect() as connection:
        counts = [connection.request("GET", "/mutates").header("x-count") for _ in range(5)]
        assert counts == ["1", "2", "3", "4", "5"]


def test_fields_of_an_iterator_are_not_those_of_the_next_answer(asgi_worker):
    with Server(FAULTS, *asgi_worker) as server, server.connect() as connection:
        assert connection.request("GET", "/generates?x-one=1").header("x-one") == "1"
        assert connection.request("GET", "/generates").header("x-one") is None
        assert connection.request("GET", "/generates?x-two=2").header("x-two") == "2"


def test_a_tls_client_that_leaves_early_is_no_warning(asgi_worker):
    with Server(FAULTS, *asgi_worker, tls=True) as server:
        connection = server.connect()
        connection.send_request("GET", "/naps?s=0.3")
        time.sleep(0.1)
        connection.tls.setblocking(False)
        with pytest.raises((BlockingIOError, OSError)):
            connection.tls.unwrap()
        time.sleep(0.5)
        connection.close()
        assert server.get().status == 200
        log = server.log()
    assert "eof_received" not in log


def test_an_end_of_tls_behind_pipelined_requests_loses_none_of_them(asgi_worker, tmp_path):
    """It is read together with them, while the first is answered by a file, which goes past the machine."""
    path, log, count = tmp_path / "file", tmp_path / "access", 20
    path.write_bytes(b"y" * 1000)
    with Server(FAULTS, *asgi_worker, "--access-logfile", str(log), tls=True) as server:
        for _ in range(count):
            with server.connect() as connection:
                request = f"GET /file?path={path}&first HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                connection.send(request + request.replace(b"first", b"second"))
                connection.tls.setblocking(False)
                with contextlib.suppress(OSError):
                    connection.tls.unwrap()
                with contextlib.suppress(OSError):
                    connection.wait_closed()
        eventually(lambda: log.read_text().count("&first") == count, lambda: f"{log.read_text().count('&first')} lines")


def test_a_task_that_exits_is_named_and_the_worker_replaced(asgi_worker):
    with Server(FAULTS, *asgi_worker, tracebacks=True) as server:
        old = server.get("/exits").text
        server.wait_log("A task of the application ended the worker: SystemExit(3)")
        assert "in end" in server.log()
        eventually(lambda: server.get().text != old, "another worker serves")


def test_frames_before_the_handshake_was_answered_do_not_block_it(asgi_worker):
    """More than waits inside the machine, and no whole message."""
    message = frame(0x82, b"x" * 200_000)
    with Server(FAULTS, *asgi_worker) as server, server.connect() as connection:
        connection.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        connection.sock.settimeout(5)
        connection.send(message[:150_000])
        assert connection.read_head().status == 101
        connection.send(message[150_000:])
        assert connection._exactly(2 + len("200000")).endswith(b"200000")


@pytest.mark.parametrize("write_timeout", ["0", "30"])
def test_a_file_goes_to_a_slow_reader(asgi_worker, tmp_path, write_timeout):
    path = tmp_path / "file"
    path.write_bytes(b"y" * BIG)
    with (
        Server(FAULTS, *asgi_worker, "--write-timeout", write_timeout) as server,
        stall(server, f"/file?path={path}") as connection,
    ):
        time.sleep(1)
        assert len(connection.read_response().body) == BIG


def test_clients_that_leave_a_file_behind_are_no_errors(asgi_worker, tmp_path):
    """The head of the answer finds out, before the first byte of the file."""
    path = tmp_path / "file"
    path.write_bytes(b"y" * BIG)
    with Server(FAULTS, *asgi_worker) as server:
        for _ in range(60):
            connection = server.connect()
            request = f"GET /file?path={path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            connection.send(f"GET /big?n={BIG} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + request)
            connection.sock.recv(100)
            connection.reset()
        assert server.get().status == 200


def test_a_connection_between_two_lives_keeps_no_descriptor(asgi_worker):
    """Handshakes that stall, garbage, and resets in every phase; then everything is as before."""
    with Server(FAULTS, *asgi_worker, "--tls-handshake-timeout", "1", tls=True) as server:
        worker = server.workers()[0]
        server.get()

        def descriptors() -> int:
            import os

            return len(os.listdir(f"/proc/{worker}/fd"))

        before = descriptors()
        for data in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00" * 50):
            for _ in range(5):
                sock = socket.create_connection(("127.0.0.1", server.port))
                sock.sendall(data)
                sock.close()
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        eventually(lambda: descriptors() <= before, lambda: f"{descriptors()} of {before}", 8)
        for sock in held:
            sock.close()
