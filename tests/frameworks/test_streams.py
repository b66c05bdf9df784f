"""Streams: pieces arrive when they are made, wait for their reader, and end when it leaves."""

from __future__ import annotations

import pytest

from tests.frameworks.apps import stage
from tests.frameworks.served import Served
from tests.support.client import BadAnswer, Gone
from tests.support.processes import eventually


@pytest.mark.capability("events")
def test_events(served: Served, key: str) -> None:
    """The gate of an event is opened only after the one before has arrived."""
    with served.connect() as connection:
        connection.send_request("GET", f"/events?key={key}")
        head = connection.read_head()
        assert head.status == 200
        assert (head.header("content-type") or "").startswith("text/event-stream")
        assert head.header("content-length") is None
        assert head.header("transfer-encoding") == "chunked"
        seen = b""
        for number in range(stage.EVENTS):
            while seen.count(b"\n\n") <= number:
                seen += (data := connection.read_some())
                assert data, seen
            assert seen.count(b"data: ") == number + 1
            assert f"data: event {number}\n".encode() in seen
            if number < stage.EVENTS - 1:
                served.open(key)
        while not seen.endswith(b"\r\n0\r\n\r\n"):
            seen += (data := connection.read_some())
            assert data, seen
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("large")
def test_a_large_response_to_a_slow_reader(served: Served) -> None:
    """The reader takes a little and then waits; others are served meanwhile, and it misses nothing."""
    with served.connect(receive_buffer=8192) as slow:
        slow.send_request("GET", "/large")
        assert slow.read_head().header("content-length") == str(len(stage.LARGE))
        got = [slow.read_some(1000)]
        for _ in range(20):
            assert served.get("/text").text == "hello"
            got.append(slow.read_some(1000))
        size = sum(map(len, got))
        while size < len(stage.LARGE):
            got.append(slow.read_some())
            assert got[-1], f"the end after {size} bytes"
            size += len(got[-1])
        assert stage.digest(b"".join(got)) == stage.digest(stage.LARGE)
        assert slow.request("GET", "/text").text == "hello"


@pytest.mark.capability("back-pressure")
def test_a_stream_waits_for_its_reader(served: Served, key: str) -> None:
    """64 MiB to a reader that does not read: the application is stopped long before the end."""
    total = 1024
    with served.connect(receive_buffer=8192) as slow:
        slow.send_request("GET", f"/stream?key={key}&pieces={total}")
        assert slow.read_head().status == 200
        before = [-1]

        def still() -> bool:
            """Two looks with requests between them, and no piece more."""
            now = len(served.marks(key))
            stopped, before[0] = now == before[0], now
            return stopped

        eventually(still, "the stream stands still")
        assert 0 < before[0] < total // 2
        slow.reset()


@pytest.mark.capability("back-pressure")
def test_a_stream_that_waited_is_whole(served: Served, key: str) -> None:
    with served.connect(receive_buffer=65536) as connection:
        response = connection.request("GET", f"/stream?key={key}&pieces=200")
        assert stage.digest(response.body) == stage.digest(stage.PIECE * 200)
        assert response.framing == "chunked"


@pytest.mark.capability("sync stream")
def test_a_stream_of_a_synchronous_view(served: Served) -> None:
    assert served.get("/sync-stream").text == "".join(f"line {number}\n" for number in range(100))


@pytest.mark.capability("leaving a stream")
@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_a_stream(served: Served, key: str, how: str) -> None:
    with served.connect() as connection:
        connection.send_request("GET", f"/endless?key={key}")
        assert connection.read_head().status == 200
        assert b"tick" in connection.read_some()
        assert "ended" not in served.marks(key)
        connection.close() if how == "close" else connection.reset()
    served.wait_mark(key, "ended")


@pytest.mark.capability("leaving a handler")
@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_a_handler(served: Served, key: str, how: str) -> None:
    with served.connect() as connection:
        connection.send_request("GET", f"/wait?key={key}")
        served.wait_mark(key, "began")
        assert "gone" not in served.marks(key)
        connection.close() if how == "close" else connection.reset()
    served.wait_mark(key, "gone")


@pytest.mark.capability("leaving a body")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_leaving_in_the_middle_of_a_body(served: Served, key: str, chunked: bool) -> None:
    """A body cut short is never taken for a whole one. What the framework logs of it is its own affair."""
    framing = [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", "100000")]
    with served.excused():
        with served.connect() as connection:
            fields = [*framing, ("Content-Type", "application/octet-stream")]
            connection.send_request("POST", f"/pieces?key={key}", fields)
            connection.send(b"1388\r\n" + b"x" * 5000 if chunked else b"x" * 5000)
            served.wait_mark(key, "5000")
        served.wait_mark(key, "cut short")
    assert "whole" not in served.marks(key)


@pytest.mark.capability("broken stream")
def test_a_stream_that_breaks_never_looks_complete(served: Served) -> None:
    """Some frameworks try to answer the error once more; that the server refuses it may stand in the log."""
    with served.excused():
        with served.connect() as connection, pytest.raises((Gone, BadAnswer)):
            connection.request("GET", "/crash-late")
        served.server.wait_log("RuntimeError: on purpose: the stream broke")
    assert served.get("/text").text == "hello"
