"""Flow in both directions, clients that leave, cancellation: what an ASGI application sees, and what it costs."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from tests.support.client import Connection
from tests.support.processes import consistently, eventually, peak_resident_bytes, resident_bytes
from tests.support.server import Server

STREAMS = "tests.apps.asgi.streams:app"


@pytest.fixture
def server(asgi_worker):
    arguments = ("-w", "1", "--asgi-disconnect-grace-period", "1", "--keep-alive", "60")
    with Server(STREAMS, *asgi_worker, *arguments) as running:
        yield running


def events(server: Server) -> list[str]:
    return json.loads(server.get("/events").body)


def wait_event(server: Server, text: str, timeout: float = 10.0) -> list[str]:
    return eventually(
        lambda: (found := events(server)) and text in found and found, f"{text!r} among the events", timeout
    )


def leave(connection: Connection, way: str) -> None:
    connection.reset() if way == "reset" else connection.close()


# Clients that leave


@pytest.mark.parametrize("way", ["reset", "fin"])
def test_a_stream_hears_of_the_disconnect(server, way):
    connection = server.connect()
    connection.send_request("GET", "/sse")
    connection.read_some()
    leave(connection, way)
    found = wait_event(server, "sse http.disconnect")
    assert "sse cancelled" not in found
    assert "Traceback" not in server.log(), "a client that leaves is no error"


@pytest.mark.parametrize("way", ["reset", "fin"])
def test_send_raises_oserror_once_the_client_is_gone(server, way):
    """ASGI 2.4; nothing else would stop an application that never asks."""
    connection = server.connect()
    connection.send_request("GET", "/deaf")
    connection.read_some()
    leave(connection, way)
    found = eventually(lambda: [e for e in events(server) if e.startswith("deaf")], "the end of the stream")
    assert found[0].endswith("is OSError") or found == ["deaf cancelled"]
    assert "Traceback" not in server.log()


def test_disconnect_is_said_again_and_again(server):
    connection = server.connect()
    connection.send(b"POST /listens HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    wait_event(server, "listens 3 False")
    connection.reset()
    found = wait_event(server, "listens again http.disconnect")
    assert "listens http.disconnect" in found


def test_a_body_that_breaks_off_ends_with_disconnect(server):
    connection = server.connect()
    connection.send(b"POST /listens HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    wait_event(server, "listens 3 True")
    connection.reset()
    found = wait_event(server, "listens http.disconnect")
    assert [event for event in found if event.endswith("False")] == [], "never a whole body"


@pytest.mark.parametrize("seconds", ["0.5", "30"])
def test_the_grace_period_and_then_cancellation(server, seconds):
    """Who ends within a second may; who does not is cancelled."""
    connection = server.connect()
    connection.send_request("GET", f"/waits?s={seconds}")
    wait_event(server, "waits began")
    left = time.monotonic()
    connection.reset()
    if seconds == "0.5":
        wait_event(server, "waits done")
        assert "waits cancelled" not in events(server)
    else:
        wait_event(server, "waits cancelled")
        assert time.monotonic() - left > 0.5
    assert "Traceback" not in server.log()


def test_no_grace_at_all(asgi_worker):
    with Server(STREAMS, *asgi_worker, "--asgi-disconnect-grace-period", "0") as server:
        connection = server.connect()
        connection.send_request("GET", "/waits?s=30")
        wait_event(server, "waits began")
        connection.reset()
        wait_event(server, "waits cancelled", 5)


def test_a_client_that_only_shuts_its_sending_side_gets_its_answer(server):
    with server.connect() as connection:
        connection.send_request("GET", "/sse?n=3&every=0.2")
        connection.sock.shutdown(socket.SHUT_WR)
        received = connection.wait_closed(8)
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"0\r\n\r\n")


def test_after_the_answer_receive_says_disconnect(server):
    """Background work behind an answer: it is not cancelled, and receive() does not wait for ever."""
    with server.connect() as connection:
        assert connection.request("GET", "/after_answer?s=0.3").body == b"answered"
        assert connection.request("GET", "/").status == 200, "the next request need not wait for it"
        wait_event(server, "after answer http.disconnect")


def test_work_behind_an_answer_outlives_its_client(server):
    with server.connect() as connection:
        assert connection.request("GET", "/after_answer?s=0.4").body == b"answered"
    wait_event(server, "after answer http.disconnect")


@pytest.mark.parametrize("path", ["/deaf", "/fill", "/sse"])
def test_clients_that_leave_over_tls(asgi_worker, path):
    """The loop alone finds out: an application that never waits must let it come round."""
    with Server(STREAMS, *asgi_worker, "-w", "1", "--asgi-disconnect-grace-period", "1", tls=True) as server:
        for number in range(4):
            connection = server.connect(5)
            connection.send_request("GET", path)
            connection.read_some(100)
            leave(connection, "reset" if number % 2 else "fin")
        eventually(lambda: len([e for e in events(server) if not e.startswith("made")]) >= 4, "four ends")
        assert "Traceback" not in server.log()


def test_a_reader_as_fast_as_the_writer_does_not_hold_the_loop(server):
    """Nothing ever makes this application wait; others are answered all the same."""
    with server.connect() as reader:
        reader.send_request("GET", "/fill")
        reading = threading.Event()

        def read() -> None:
            while not reading.is_set() and reader.sock.recv(1 << 20):
                pass

        thread = threading.Thread(target=read)
        thread.start()
        started = time.monotonic()
        assert [server.get().status for _ in range(20)] == [200] * 20
        assert time.monotonic() - started < 5
        reading.set()
        thread.join(10)


# Cancellation is the application's own affair


def test_timeouts_and_cancellations_of_the_application_stay_its_own(server):
    assert server.get("/own_timeout").body == b"survived"
    assert events(server) == ["own timeout", "own cancellation"]


def test_a_cancelled_error_of_the_application_is_no_disconnect(server):
    """The client is still there: it must get an answer, or an end it can see."""
    with server.connect() as connection:
        connection.send_request("GET", "/cancels_itself")
        answer = connection.wait_closed(5) if not connection.is_open() else connection.read_some()
        assert answer.startswith(b"HTTP/1.1 500") or answer == b""
    assert server.get("/").status == 200


def test_receive_that_is_cancelled_loses_nothing(server):
    with server.connect() as connection:
        connection.send(b"POST /receive_with_timeout HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        for piece in (b"abc", b"def", b"ghi"):
            time.sleep(0.12)
            connection.send(piece)
        assert connection.read_response().body == b"9"
    assert "receive timed out" in events(server)


# Flow


def made(server: Server) -> int:
    found = [event for event in events(server) if event.startswith("made")]
    return int(found[-1].split()[1]) if found else 0


def test_a_client_that_does_not_read_stops_the_application(server):
    server.get("/")
    (pid,) = server.wait_workers(1)
    before = resident_bytes(pid)
    with server.connect(receive_buffer=4096) as reader:
        reader.send_request("GET", "/fill")
        reader.read_head()
        eventually(lambda: made(server) > 0, "the application makes a body")
        time.sleep(0.5)
        stopped_at = made(server)
        consistently(lambda: made(server) == stopped_at, "the application waits", 0.5)
        # What the kernel buffers, and the queue of the server (response_buffer).
        assert stopped_at < 16_000_000
        assert resident_bytes(pid) - before < 20_000_000
        assert reader._exactly(stopped_at + 1_000_000), "reading goes on where it stopped"
        eventually(lambda: made(server) > stopped_at, "and so does the application")


def test_a_stopped_application_hears_that_its_client_left(server):
    reader = server.connect(receive_buffer=4096)
    reader.send_request("GET", "/fill")
    reader.read_head()
    time.sleep(0.3)
    reader.reset()
    wait_event(server, "fill ended")


def test_an_application_that_does_not_read_stops_the_client(server):
    size = 30_000_000
    (pid,) = server.wait_workers(1)
    server.get("/")
    before = peak_resident_bytes(pid)
    with server.connect() as connection:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.send(b"POST /sips?s=1.0 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        started = time.monotonic()
        connection.send(b"x" * size)
        assert time.monotonic() - started > 0.6, "the client had to wait"
        assert connection.read_response().body == b"%d" % size
    assert peak_resident_bytes(pid) - before < 15_000_000


def test_large_bodies_go_through_without_filling_memory(server):
    (pid,) = server.wait_workers(1)
    server.get("/")
    before = peak_resident_bytes(pid)
    with server.connect(timeout=60) as connection:
        pieces = [b"x" * 1_000_000] * 60
        assert connection.request("POST", "/sips?s=0", (), pieces).body == b"60000000"
    assert peak_resident_bytes(pid) - before < 15_000_000


def test_an_answer_may_begin_before_the_body_is_there(server):
    with server.connect() as connection:
        connection.send(b"POST /answers_early HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        head = connection.read_head()
        assert head.status == 200
        connection.send(b"def")
        connection._read_chunks(head)
        assert head.body == b"early 6"


def test_continue_is_said_when_the_application_reads(server):
    """Not before (RFC 9110 10.1.1): an application that answers without reading spares the client the body."""
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with server.connect() as connection:
        connection.send(head % b"/sips?s=0")
        assert connection.read_informational().status == 100
        connection.send(b"abc")
        assert connection.read_response().body == b"3"
    with server.connect() as connection:
        connection.send(head % b"/tasks")
        response = connection.read_response()
        assert (response.status, response.informational) == (200, [])


def test_pipelined_requests_wait_for_their_turn(server):
    """One at a time, in order, however slow the first is; a flood of them is held back."""
    with server.connect() as connection:
        first = b"GET /waits?s=0.5 HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.send(first + b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        assert connection.read_response().body == b"done"
        assert json.loads(connection.read_response().body) == ["waits began", "waits done"]
        for _ in range(499):
            assert connection.read_response().status == 200


def test_no_task_is_left(server):
    """After every kind of end the loop has the tasks it had."""

    def tasks() -> int:
        return int(server.get("/tasks").body)

    before = eventually(tasks, "the number of tasks")
    for path in ("/sse", "/deaf", "/waits?s=30", "/fill", "/after_answer", "/own_timeout"):
        for way in ("reset", "fin"):
            connection = server.connect()
            connection.send_request("GET", path)
            connection.read_some(10) if path != "/waits?s=30" else time.sleep(0.05)
            leave(connection, way)
    eventually(lambda: tasks() <= before, lambda: f"{before} tasks, {tasks()} now")


# Times of each phase


@pytest.mark.parametrize(
    ("setting", "sent", "answers"),
    [
        ("--header-timeout", b"", (b"", b"HTTP/1.1 408")),
        ("--header-timeout", b"GET / HTTP/1.1\r\nHo", (b"HTTP/1.1 408",)),
        ("--body-timeout", b"POST /listens HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", (b"HTTP/1.1 408",)),
        ("--keep-alive", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (b"HTTP/1.1 200",)),
    ],
    ids=["silent", "head", "body", "idle"],
)
def test_each_phase_has_its_time(asgi_worker, setting, sent, answers):
    others = ("--header-timeout", "60", "--body-timeout", "60", "--keep-alive", "60")
    with Server(STREAMS, *asgi_worker, *others, setting, "1") as server, server.connect() as connection:
        started = time.monotonic()
        connection.send(sent)
        answer = connection.wait_closed(8)
        assert any(answer.startswith(text) if text else answer == b"" for text in answers), answer
        assert 0.5 < time.monotonic() - started < 5


def test_the_applications_time_is_nobodys_timeout(asgi_worker):
    times = ("--header-timeout", "1", "--body-timeout", "1", "--keep-alive", "1", "--write-timeout", "1")
    with Server(STREAMS, *asgi_worker, *times) as server, server.connect() as connection:
        assert connection.request("GET", "/waits?s=3").body == b"done"


def test_worker_connections_hold_newcomers_back_and_let_them_in_later(asgi_worker):
    with Server(STREAMS, *asgi_worker, "--worker-connections", "5", "--keep-alive", "60") as server:
        held = [server.connect() for _ in range(5)]
        for connection in held:
            assert connection.request().status == 200
        with server.connect(timeout=15) as late:
            late.send_request()
            consistently(late.is_open, "the sixth waits", 0.7)
            held.pop().close()
            assert late.read_response().status == 200
        for connection in held:
            assert connection.request().status == 200
            connection.close()
