"""How a worker with long connections ends: streams, WebSockets, idle connections, applications that block or cling."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from signal import SIGHUP, SIGINT, SIGTERM, SIGUSR2

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.client import Connection
from tests.support.processes import alive, consistently, eventually
from tests.support.server import Server

STREAMS = "tests.apps.asgi.streams:app"
SOCKETS = "tests.apps.asgi.sockets:app"
SLOW = "tests.apps.slow:app"
GOING_AWAY, SERVICE_RESTART = 1001, 1012


def stream(server: Server) -> tuple[Connection, int]:
    """A connection with an event stream that has begun, and the pid behind it."""
    connection = server.connect()
    connection.send_request("GET", "/sse")
    connection.read_head()
    line = connection._until(b"\n\n")
    return connection, int(line.split(b"data: ")[1])


@contextmanager
def websocket(server: Server) -> Iterator[tuple[ClientConnection, int]]:
    """An open WebSocket, and the pid behind it."""
    with connect(f"ws://127.0.0.1:{server.port}/", ping_interval=None) as connection:
        connection.send("pid")
        yield connection, int(connection.recv(10))


def close_code(connection: ClientConnection, timeout: float = 10.0) -> int:
    """The code the server closes with."""
    with pytest.raises(ConnectionClosed) as caught:
        connection.recv(timeout)
    assert caught.value.rcvd is not None, "a close frame, not a broken connection"
    return caught.value.rcvd.code


@pytest.mark.parametrize("connections", [0, 20])
def test_an_idle_stop_takes_less_than_a_second(asgi_worker, connections):
    arguments = ("--keep-alive", "60", "--graceful-timeout", "30")
    with Server(STREAMS, *asgi_worker, *arguments) as server:
        server.get()
        held = [server.connect() for _ in range(connections)]
        for connection in held:
            assert connection.request().status == 200
        started = time.monotonic()
        assert server.stop(SIGTERM) == 0
        assert time.monotonic() - started < 1.0 + 0.6 * bool(connections)
        for connection in held:
            connection.wait_closed()


def test_streams_run_on_until_the_deadline_and_then_end_cleanly(asgi_worker):
    """http.disconnect only then: an application that listens says goodbye, and the client gets the whole of it."""
    with Server(STREAMS, *asgi_worker, "--graceful-timeout", "3") as server:
        connection, _ = stream(server)
        started = time.monotonic()
        server.signal(SIGTERM)
        text = connection.wait_closed(10)
        ended = time.monotonic() - started
        assert server.wait() == 0
    assert 2.0 < ended < 4.0, "it ran on, and ended"
    assert text.endswith(b"data: bye\n\n\r\n0\r\n\r\n"), "a whole chunked body"
    assert "Traceback" not in server.log()


def test_a_stream_that_ends_in_time_is_not_disturbed(asgi_worker):
    with Server(STREAMS, *asgi_worker, "--graceful-timeout", "10") as server, server.connect() as connection:
        connection.send_request("GET", "/sse?n=10&every=0.1")
        connection.read_head()
        started = time.monotonic()
        server.signal(SIGTERM)
        assert connection.wait_closed(10).count(b"data: ") == 11
        assert server.wait() == 0
        assert time.monotonic() - started < 4


def test_what_does_not_listen_is_cancelled_at_the_deadline(asgi_worker):
    with Server(STREAMS, *asgi_worker, "--graceful-timeout", "2", tracebacks=True) as server:
        connection = server.connect()
        connection.send_request("GET", "/waits?s=60")
        eventually(lambda: b"waits began" in server.get("/events").body, "the request runs")
        started = time.monotonic()
        server.signal(SIGTERM)
        server.wait()
        assert time.monotonic() - started < 4
        answer = connection.wait_closed()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 5"), "no answer that looks like one of the application's"


def test_what_ignores_its_cancellation_is_killed(asgi_worker, tmp_path):
    mark = tmp_path / "mark"
    with Server(SLOW, *asgi_worker, "--graceful-timeout", "1", tracebacks=True) as server:
        connection = server.connect()
        connection.send_request("GET", f"/deaf?s=60&mark={mark}")
        eventually(mark.exists, "the request runs")
        server.signal(SIGTERM)
        server.wait(8)
        connection.close()


def test_a_blocked_loop_does_not_hold_a_quick_stop_back(asgi_worker, tmp_path):
    mark = tmp_path / "mark"
    with Server(SLOW, *asgi_worker, "--graceful-timeout", "30", tracebacks=True) as server:
        connection = server.connect()
        connection.send_request("GET", f"/block?s=60&mark={mark}")
        eventually(mark.exists, "the request runs")
        started = time.monotonic()
        server.signal(SIGINT)
        server.wait(8)
        assert time.monotonic() - started < 6
        connection.close()


def test_the_last_answers_say_close(asgi_worker):
    with Server(STREAMS, *asgi_worker) as server, server.connect() as connection:
        connection.send_request("GET", "/waits?s=0.5")
        eventually(lambda: b"waits began" in server.get("/events").body, "the request runs")
        server.signal(SIGTERM)
        response = connection.read_response()
        assert response.status == 200
        assert not response.keeps_alive
        assert connection.wait_closed() == b""
        assert server.wait() == 0


def test_a_reload_does_not_wait_for_open_streams(asgi_worker):
    """The new generation serves at once while the old one's stream goes on; one that is overtaken ends in order."""
    with Server(STREAMS, *asgi_worker, "-w", "1", "--graceful-timeout", "20") as server:
        connection, old = stream(server)
        seen = {old}

        def reload():
            server.signal(SIGHUP)
            pid = eventually(lambda: (found := int(server.get().text)) not in seen and found, "a new worker", 10)
            seen.add(pid)

        reload()
        assert connection._until(b"data: "), "the stream goes on"
        assert alive(old)
        reload()
        assert connection.wait_closed().endswith(b"0\r\n\r\n"), "told, and ended by itself"
        eventually(lambda: not alive(old), "the overtaken worker ends", 10)
        reload()
        server.wait_workers(1)


def test_websockets_are_closed_1012_on_reload(asgi_worker):
    with Server(SOCKETS, *asgi_worker, "-w", "1", "--graceful-timeout", "20") as server:
        with websocket(server) as (connection, old):
            started = time.monotonic()
            server.signal(SIGHUP)
            assert close_code(connection) == SERVICE_RESTART
            eventually(lambda: not alive(old), "the old worker ends")
            assert time.monotonic() - started < 8
        with websocket(server) as (_, new):
            assert new != old


def test_websockets_are_closed_1001_on_stop(asgi_worker):
    with Server(SOCKETS, *asgi_worker, "-w", "1", "--graceful-timeout", "20") as server, ExitStack() as stack:
        connections = [stack.enter_context(websocket(server))[0] for _ in range(5)]
        started = time.monotonic()
        server.signal(SIGTERM)
        assert [close_code(connection) for connection in connections] == [GOING_AWAY] * 5
        assert server.wait() == 0
        assert time.monotonic() - started < 4, "nobody waits for graceful_timeout"


def test_websockets_are_closed_1012_on_recycling(asgi_worker):
    arguments = ("-w", "1", "--max-requests", "5")
    with Server(SOCKETS, *asgi_worker, *arguments) as server, websocket(server) as (connection, old):
        for _ in range(10):
            server.get()
        assert close_code(connection) == SERVICE_RESTART
        eventually(lambda: not alive(old), "the old worker ends")


def test_websockets_of_the_old_tree_live_on_through_an_upgrade(asgi_worker, tmp_path):
    """USR2 starts another tree beside this one; only its stop ends what is open."""
    pidfile = tmp_path / "pid"
    arguments = ("--pid", str(pidfile))
    with Server(SOCKETS, *asgi_worker, *arguments) as server, websocket(server) as (connection, old):
        server.signal(SIGUSR2)
        second = pidfile.with_name("pid.2")
        new = int(eventually(lambda: second.exists() and second.read_text().strip(), "the second pid file", 15))
        eventually(lambda: int(server.get().text) != old, "the new tree answers too")
        connection.send("still here")
        assert connection.recv(5) == "still here"
        server.signal(SIGTERM)
        assert close_code(connection) in (SERVICE_RESTART, GOING_AWAY)
        assert server.wait() == 0
        assert server.get().status == 200
        server.signal(SIGTERM, new)
        eventually(lambda: not alive(new), "the new tree ends")


def test_the_application_hears_the_code(asgi_worker, tmp_path):
    source = (
        "async def asgi_app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n        raise NotImplementedError\n"
        "    await receive()\n    await send({'type': 'websocket.accept'})\n"
        "    message = await receive()\n"
        "    open('codes', 'a').write(f\"{message['type']} {message['code']}\\n\")\n"
    )
    (tmp_path / "mine.py").write_text(source)
    with (
        Server("mine:app", *asgi_worker, cwd=tmp_path) as server,
        connect(f"ws://127.0.0.1:{server.port}/") as connection,
    ):
        server.signal(SIGTERM)
        assert close_code(connection) == GOING_AWAY
        assert server.wait() == 0
    assert (tmp_path / "codes").read_text() == "websocket.disconnect 1001\n"


def test_a_client_that_never_answers_the_close_is_not_waited_for_long(asgi_worker):
    """A peer that vanished: its socket is open, nobody reads."""
    with Server(SOCKETS, *asgi_worker, "--graceful-timeout", "3", tracebacks=True) as server:
        connection = server.connect()
        connection.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert connection.read_head().status == 101
        started = time.monotonic()
        server.signal(SIGTERM)
        server.wait(8)
        assert time.monotonic() - started < 5
        connection.close()


def test_new_connections_are_served_to_the_very_end_of_a_drain(asgi_worker):
    """While streams hold the old worker, the accept queue is somebody else's, or empty: nobody is reset."""
    with Server(STREAMS, *asgi_worker, "-w", "2", "--graceful-timeout", "10") as server:
        connection, old = stream(server)
        server.signal(SIGTERM, old)
        consistently(lambda: server.get().status == 200, "every request is answered", 1.0)
        connection.close()
        eventually(lambda: not alive(old), "it ends")


def test_events_are_told_as_json(asgi_worker):
    with Server(SOCKETS, *asgi_worker) as server:
        with websocket(server) as (connection, _):
            connection.close(4000, "bye")
        eventually(lambda: "echo 4000" in json.loads(server.get("/events").body), "the application hears the code")
