"""WebSockets through each framework, with the sync client of the websockets library."""

from __future__ import annotations

import json
import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.frameworks.apps import stage
from tests.frameworks.served import Served
from tests.support.processes import eventually

MIB = 1 << 20


@pytest.mark.capability("ws echo")
def test_echo(served: Served) -> None:
    with served.websocket("/ws/echo") as socket:
        for message in ("hello", "café ☕ 日本", b"\x00\xff bytes", b"x" * 126, "y" * 65536, " "):
            socket.send(message)
            assert socket.recv(10) == message


@pytest.mark.capability("ws echo")
def test_fragments(served: Served) -> None:
    with served.websocket("/ws/echo") as socket:
        socket.send(iter(["frag", "men", "ted ☕"]))
        assert socket.recv(10) == "fragmented ☕"
        socket.send(iter([b"a" * 1000, b"b" * 1000, b"c"]))
        assert socket.recv(10) == b"a" * 1000 + b"b" * 1000 + b"c"


@pytest.mark.capability("ws echo")
def test_without_compression(served: Served) -> None:
    with served.websocket("/ws/echo", compression=None) as socket:
        socket.send("plain")
        assert socket.recv(10) == "plain"
        assert socket.protocol.extensions == []


@pytest.mark.capability("ws json")
def test_json(served: Served) -> None:
    with served.websocket("/ws/json") as socket:
        socket.send(json.dumps({"a": [1, "ü"]}))
        assert json.loads(socket.recv(10)) == {"got": {"a": [1, "ü"]}}
        _ended(socket, 1000)


@pytest.mark.capability("ws handshake")
def test_handshake(served: Served) -> None:
    with served.websocket("/ws/subprotocol", subprotocols=["chat.v1", "chat.v2"]) as socket:
        assert socket.subprotocol == "chat.v2"
        assert socket.response is not None
        assert socket.response.headers["x-accepted"] == "yes"
        _ended(socket, 1000)


@pytest.mark.capability("ws request")
def test_request(served: Served) -> None:
    fields = {"X-One": "field", "Cookie": "a=crumb"}
    with served.websocket("/ws/room/bar?q=%E2%98%95", additional_headers=fields) as socket:
        seen = json.loads(socket.recv(10))
        assert seen == {"name": "bar", "q": "☕", "cookie": "crumb", "field": "field", "scheme": "ws"}
        _ended(socket, 1000)


@pytest.mark.capability("ws path")
def test_path(served: Served) -> None:
    fields = {"X-One": "field", "Cookie": "a=crumb"}
    with served.websocket("/ws/room/caf%C3%A9?q=1", additional_headers=fields) as socket:
        assert json.loads(socket.recv(10))["name"] == "café"


@pytest.mark.capability("ws refusal")
def test_refusal(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, served.websocket("/ws/refuse"):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.capability("ws denial")
def test_denial(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, served.websocket("/ws/denial"):
        pass
    response = refused.value.response
    assert (response.status_code, response.headers["x-why"], response.body) == (401, "token", b"no token")


@pytest.mark.capability("ws close")
def test_close_by_the_server(served: Served) -> None:
    with served.websocket("/ws/close") as socket:
        _ended(socket, 4001, "bye")


@pytest.mark.capability("ws client close")
@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_close_by_the_client(served: Served, key: str, code: int) -> None:
    with served.websocket(f"/ws/watch?key={key}") as socket:
        socket.close(code, "so long")
        assert socket.close_code == code
    eventually(lambda: served.marks(key), "the handler noticed")
    assert served.marks(key)[0].split()[0] == str(code)


@pytest.mark.capability("ws client reason")
def test_reason_of_the_client(served: Served, key: str) -> None:
    with served.websocket(f"/ws/watch?key={key}") as socket:
        socket.close(4000, "so long ☕")
    eventually(lambda: served.marks(key), "the handler noticed")
    assert served.marks(key) == ["4000 so long ☕"]


@pytest.mark.capability("ws leaving")
def test_a_client_that_vanishes(served: Served, key: str) -> None:
    with served.websocket(f"/ws/watch?key={key}") as socket:
        socket.socket.shutdown(2)
    eventually(lambda: served.marks(key), "the handler noticed")
    assert served.marks(key)[0].split()[0] == ("closed" if served.framework.name == "quart" else "1006")


@pytest.mark.capability("ws leaving a sender")
@pytest.mark.parametrize("how", ["close", "vanish"])
def test_a_handler_that_only_sends(served: Served, key: str, how: str) -> None:
    """It does not catch what its framework raises then: that may stand in the log."""
    with served.excused():
        with served.websocket(f"/ws/ticking?key={key}") as socket:
            assert [socket.recv(10) for _ in range(3)] == ["tick"] * 3
            assert "ended" not in served.marks(key)
            socket.close() if how == "close" else socket.socket.shutdown(2)
        served.wait_mark(key, "ended")


@pytest.mark.capability("ws large")
@pytest.mark.parametrize("compression", ["deflate", None])
def test_large(served: Served, compression: str | None) -> None:
    text, data = "☕" * (MIB // 3), stage.LARGE[:MIB]
    with served.websocket("/ws/echo", compression=compression) as socket:
        socket.send(data)
        assert socket.recv(20) == data
        socket.send(text)
        assert socket.recv(20) == text


@pytest.mark.capability("ws many")
def test_many(served: Served) -> None:
    """Five hundred messages of ten tasks between a hundred answers: none lost, each sender's in order."""
    with served.websocket("/ws/many") as socket:
        sender = threading.Thread(target=lambda: [socket.send(str(number)) for number in range(100)])
        sender.start()
        got = [socket.recv(20) for _ in range(600)]
        sender.join()
        assert [message for message in got if message.startswith("echo ")] == [f"echo {n}" for n in range(100)]
        for task in range(10):
            mine = [message for message in got if message.startswith(f"{task}:")]
            assert mine == [f"{task}:{number}" for number in range(50)]
        _ended(socket, 1000)


@pytest.mark.capability("ws many")
def test_many_connections(served: Served) -> None:
    with served.websocket("/ws/echo") as one, served.websocket("/ws/echo") as two:
        for number in range(50):
            one.send(f"one {number}")
            two.send(f"two {number}")
        assert [one.recv(10) for _ in range(50)] == [f"one {number}" for number in range(50)]
        assert [two.recv(10) for _ in range(50)] == [f"two {number}" for number in range(50)]


@pytest.mark.capability("ws ping")
def test_ping(served: Served) -> None:
    with served.websocket("/ws/echo") as socket:
        assert socket.ping(b"are you there").wait(10)
        socket.send("still open")
        assert socket.ping().wait(10)
        assert socket.recv(10) == "still open"


@pytest.mark.capability("ws exception")
def test_an_exception_of_an_open_websocket(served: Served) -> None:
    with served.websocket("/ws/crash") as socket, pytest.raises(ConnectionClosed) as ended:
        socket.recv(10)
    assert ended.value.rcvd is not None, ended.value
    assert ended.value.rcvd.code == served.framework.answers.get("ws exception", 1011)
    served.server.wait_log("RuntimeError: on purpose: the open WebSocket broke")
    assert served.get("/text").text == "hello"


@pytest.mark.capability("ws early exception")
def test_an_exception_before_accepting(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, served.websocket("/ws/crash-early"):
        pass
    assert refused.value.response.status_code == served.framework.answers.get("ws early exception", 500)
    served.server.wait_log("RuntimeError: on purpose: the handshake broke")


@pytest.mark.capability("ws state")
def test_state(served: Served) -> None:
    with served.websocket("/ws/state") as socket:
        assert json.loads(socket.recv(10))["started"] == "set at startup"
        _ended(socket, 1000)


@pytest.mark.capability("lifespan context")
def test_context_set_at_startup(served: Served) -> None:
    with served.websocket("/ws/state") as socket:
        assert json.loads(socket.recv(10))["lifespan"] == "set at startup"


@pytest.mark.capability("groups")
@pytest.mark.parametrize("announce", ["/announce", "/announce-sync"])
def test_groups(served: Served, key: str, announce: str) -> None:
    """What one says all in the room hear; an HTTP request may speak there too; who left hears nothing."""
    with served.websocket(f"/ws/group/{key}") as one:
        assert one.recv(10) == "joined"
        with served.websocket(f"/ws/group/{key}") as two, served.websocket(f"/ws/group/other{key}") as apart:
            assert (two.recv(10), apart.recv(10)) == ("joined", "joined")
            one.send("from one")
            assert (one.recv(10), two.recv(10)) == ("from one", "from one")
            assert served.get(f"{announce}?room={key}&text=over+HTTP").text == "announced"
            assert (one.recv(10), two.recv(10)) == ("over HTTP", "over HTTP")
            apart.send("only here")
            assert apart.recv(10) == "only here"
        served.wait_mark(key, "left")
        one.send("alone")
        assert one.recv(10) == "alone"


@pytest.mark.capability("threads of consumers")
def test_synchronous_consumers(served: Served) -> None:
    with served.websocket("/ws/threaded") as socket:
        for number in range(10):
            socket.send(json.dumps(number))
            assert json.loads(socket.recv(10)) == {"got": number, "main": False}


def _ended(socket, code: int, reason: str = "") -> None:
    """The server closes next, with this code and reason."""
    with pytest.raises(ConnectionClosed) as ended:
        socket.recv(10)
    assert ended.value.rcvd is not None, ended.value
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (code, reason)
