"""Startup, shutdown, what lives between them; context variables; where the application is mounted."""

from __future__ import annotations

import json
from pathlib import Path
from signal import SIGTERM

import pytest
from websockets.exceptions import ConnectionClosed

from tests.frameworks.served import Served, prepare, unexpected
from tests.frameworks.table import Framework


@pytest.mark.capability("lifespan")
def test_lifespan(pair: tuple[Framework, str], tmp_path: Path) -> None:
    framework, loop = pair
    with prepare(framework, loop, tmp_path) as server:
        assert server.get("/text").text == "hello"
        assert (tmp_path / "started").exists()
        assert not (tmp_path / "stopped").exists()
        server.stop(SIGTERM)
        assert (tmp_path / "stopped").read_text() == "yes"
        assert unexpected(server.log()) == []


@pytest.mark.capability("lifespan failure")
def test_a_startup_that_fails(pair: tuple[Framework, str], tmp_path: Path) -> None:
    framework, loop = pair
    with prepare(framework, loop, tmp_path, fails=True) as server:
        assert server.wait() not in (0, None)
        assert "RuntimeError: on purpose: the startup broke" in server.log()


@pytest.mark.capability("stopping")
def test_stopping(pair: tuple[Framework, str], tmp_path: Path) -> None:
    """TERM with an open WebSocket: it is closed as going away, the handler hears of it, then comes the shutdown."""
    framework, loop = pair
    with prepare(framework, loop, tmp_path) as server:
        served = Served(framework, server, tmp_path)
        with served.websocket("/ws/echo") as socket:
            socket.send("still here")
            assert socket.recv(10) == "still here"
            server.signal(SIGTERM)
            with pytest.raises(ConnectionClosed) as ended:
                socket.recv(10)
            assert ended.value.rcvd is not None, ended.value
            assert ended.value.rcvd.code in (1001, 1012)
        server.wait()
        assert (tmp_path / "stopped").exists() or "lifespan" in framework.lacks
        assert served.complaints() == []


def test_a_stop_is_clean(pair: tuple[Framework, str], tmp_path: Path) -> None:
    """With lifespan or without: who does not know that protocol is served nevertheless, and nothing is said of it."""
    framework, loop = pair
    with prepare(framework, loop, tmp_path) as server:
        assert server.get("/text").text == "hello"
        server.stop(SIGTERM)
        assert unexpected(server.log()) == []


@pytest.mark.capability("state")
def test_state(served: Served) -> None:
    first, second = served.json("/state"), served.json("/state")
    assert first["started"] == second["started"] == "set at startup"
    assert second["requests"] == first["requests"] + 1


@pytest.mark.capability("own state")
def test_what_a_request_adds_to_the_state_is_gone_with_it(served: Served) -> None:
    with served.connect() as connection:
        for target in ("/state", "/fresh-state", "/fresh-state"):
            response = connection.request("GET", target)
        assert json.loads(response.body) == {"mine": False}


@pytest.mark.capability("context")
def test_context_on_one_connection(served: Served) -> None:
    """What one request set in its context the next on the same connection does not see."""
    with served.connect() as connection:
        for value in ("one", "two", "three"):
            told = json.loads(connection.request("GET", f"/context?value={value}").body)
            assert (told["before"], told["after"]) == ("unset", value)


@pytest.mark.capability("context")
def test_context_of_concurrent_requests(served: Served, key: str) -> None:
    with served.connect() as one, served.connect() as two:
        one.send_request("GET", f"/context?value=one&key={key}")
        two.send_request("GET", f"/context?value=two&key={key}")
        for value in ("one", "two"):
            served.wait_mark(key, value)
        for _ in range(2):
            served.open(key)
        told = [json.loads(connection.read_response().body) for connection in (one, two)]
        assert [(each["before"], each["after"]) for each in told] == [("unset", "one"), ("unset", "two")]


@pytest.mark.capability("lifespan context")
def test_context_set_at_startup(served: Served) -> None:
    assert served.json("/context?value=any")["lifespan"] == "set at startup"


@pytest.mark.capability("root path")
def test_root_path(pair: tuple[Framework, str], tmp_path: Path) -> None:
    """The application is mounted under /api, and the proxy takes the prefix away."""
    _mounted(pair, tmp_path, "/root")


@pytest.mark.capability("root path kept")
def test_root_path_that_is_kept(pair: tuple[Framework, str], tmp_path: Path) -> None:
    """The application is mounted under /api, and the proxy forwards the path as it is."""
    _mounted(pair, tmp_path, "/api/root")


def _mounted(pair: tuple[Framework, str], folder: Path, target: str) -> None:
    framework, loop = pair
    with prepare(framework, loop, folder, "--root-path", "/api") as server:
        response = server.get(target, [("Host", "shop.example")])
        assert response.status == 200, response
        assert json.loads(response.body) == {"root_path": "/api", "url": "http://shop.example/api/text"}
        assert unexpected(server.log()) == []
