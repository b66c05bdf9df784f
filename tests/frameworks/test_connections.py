"""What lies between client and framework: proxies, TLS, unix sockets, old clients, many at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.frameworks.apps import stage
from tests.frameworks.served import Served, prepare
from tests.frameworks.table import Framework

ROOM = {"X-One": "field", "Cookie": "a=crumb"}


@pytest.mark.capability("continue")
def test_continue(served: Served, key: str) -> None:
    """The interim answer comes because the handler reads, and before any byte of the body was sent."""
    body = b"x" * 5000
    with served.connect() as connection:
        fields = [("Content-Length", str(len(body))), ("Expect", "100-continue")]
        connection.send_request("POST", f"/pieces?key={key}", [*fields, ("Content-Type", "application/octet-stream")])
        assert connection.read_informational().status == 100
        connection.send(body)
        response = connection.read_response()
        assert json.loads(response.body) == {"size": len(body), "sha256": stage.digest(body)}
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("old client")
def test_a_stream_to_an_old_client(served: Served, key: str) -> None:
    """HTTP/1.0 knows no chunks: the end of the connection is the end of the stream."""
    with served.connect() as connection:
        connection.send(f"GET /stream?key={key}&pieces=20 HTTP/1.0\r\nHost: a\r\n\r\n".encode())
        response = connection.read_response()
        assert (response.status, response.framing) == (200, "close")
        assert stage.digest(response.body) == stage.digest(stage.PIECE * 20)


@pytest.mark.capability("side by side")
def test_requests_that_wait_do_not_hold_up_others(served: Served, key: str) -> None:
    connections = [served.connect() for _ in range(20)]
    try:
        for number, connection in enumerate(connections):
            connection.send_request("GET", f"/context?value={number}&key={key}")
        for number in range(len(connections)):
            served.wait_mark(key, str(number))
        assert served.get("/text").text == "hello"
        for _ in connections:
            served.open(key)
        answers = [json.loads(connection.read_response().body)["after"] for connection in connections]
        assert answers == [str(number) for number in range(len(connections))]
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.capability("proxy")
def test_a_proxy_that_speaks_tls(served: Served) -> None:
    """The loopback is trusted: what it says of the client's side is what URLs are made of."""
    fields = [("Host", "shop.example"), ("X-Forwarded-Proto", "https")]
    assert served.json("/peer", fields)["url"] == "https://shop.example/peer"
    with served.websocket("/ws/room/bar?q=1", additional_headers={**ROOM, "X-Forwarded-Proto": "https"}) as socket:
        assert json.loads(socket.recv(10))["scheme"] == "wss"


@pytest.mark.capability("tls")
def test_tls(pair: tuple[Framework, str], tmp_path: Path) -> None:
    framework, loop = pair
    with prepare(framework, loop, tmp_path, tls=True) as server:
        served = Served(framework, server, tmp_path, tls=True)
        with served.connect() as connection:
            told = json.loads(connection.request("GET", "/peer", [("Host", "localhost")]).body)
            assert told["url"] == "https://localhost/peer"
            response = connection.request("GET", "/large")
            assert stage.digest(response.body) == stage.digest(stage.LARGE)
            response = connection.request("GET", "/file")
            assert len(response.body) == stage.FILE_SIZE
        with served.websocket("/ws/room/bar?q=1", additional_headers=ROOM) as socket:
            assert json.loads(socket.recv(10))["scheme"] == "wss"
        assert served.complaints() == []


@pytest.mark.capability("unix")
def test_a_unix_socket(pair: tuple[Framework, str], tmp_path: Path) -> None:
    """There is no client address: nobody may stumble over that."""
    framework, loop = pair
    with prepare(framework, loop, tmp_path, unix=True) as server:
        served = Served(framework, server, tmp_path)
        with served.connect() as connection:
            assert connection.request("GET", "/text").text == "hello"
            told = json.loads(connection.request("GET", "/root", [("Host", "shop.example")]).body)
            assert told["url"] == "http://shop.example/text"
            assert len(connection.request("GET", "/file").body) == stage.FILE_SIZE
        with served.websocket("/ws/echo") as socket:
            socket.send("through a file")
            assert socket.recv(10) == "through a file"
        assert served.complaints() == []
