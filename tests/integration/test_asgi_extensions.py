"""The HTTP extensions by the specification's names and the peer's: hints, trailers, files, debug."""

from __future__ import annotations

import time

import pytest

from tests.apps.asgi.extensions import CONTENT
from tests.support.server import Server

EXTENSIONS = "tests.apps.asgi.extensions:app"


@pytest.fixture
def server(asgi_worker):
    with Server(EXTENSIONS, *asgi_worker, "-w", "1", tracebacks=True) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("/early_hint", ["</style.css>; rel=preload; as=style", "</app.js>; rel=preload; as=script"]),
        ("/informational", ["</style.css>; rel=preload; as=style"]),
    ],
)
def test_early_hints_by_both_names(server, path, links):
    with server.connect() as connection:
        started = time.monotonic()
        connection.send_request("GET", path)
        hint = connection.read_informational()
        assert time.monotonic() - started < 0.35, "at once, not with the answer"
        assert hint.status == 103
        assert [link for value in hint.headers("link") for link in value.split(", ")] == links
        assert hint.header("content-length") is None
        assert connection.read_response().body == b"hinted"
        assert connection.request("GET", "/").status == 200


@pytest.mark.parametrize("path", ["/early_hint", "/informational"])
def test_early_hints_are_silent_for_http_1_0(server, path):
    with server.connect() as connection:
        connection.send(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        response = connection.read_response()
        assert (response.informational, response.body) == ([], b"hinted")


def test_trailers_follow_a_chunked_body(server):
    with server.connect() as connection:
        response = connection.request("GET", "/trailers", [("TE", "trailers")])
        assert (response.body, response.framing) == (b"one two", "chunked")
        assert [(name.lower(), value) for name, value in response.trailers] == [("x-sum", "7"), ("x-other", "8")]
        assert connection.request("GET", "/").status == 200


def test_trailers_where_there_is_no_room_for_them_are_left_out(server):
    with server.connect() as connection:
        response = connection.request("GET", "/trailers_of_a_known_length")
        assert (response.body, response.framing, response.trailers) == (b"two", "length", [])
        assert connection.request("GET", "/").status == 200
        connection.send(b"GET /trailers HTTP/1.0\r\nHost: x\r\n\r\n")
        response = connection.read_response()
        assert (response.body, response.framing) == (b"one two", "close")


@pytest.mark.parametrize("path", ["/pathsend", "/pathsend_unknown_length"])
def test_a_file_by_its_path(server, path):
    with server.connect() as connection:
        for _ in range(3):
            response = connection.request("GET", path)
            assert response.body == CONTENT
        head = connection.request("HEAD", path)
        assert head.body == b""
        assert connection.request("GET", "/").status == 200


def test_a_file_by_its_path_over_tls(asgi_worker):
    with Server(EXTENSIONS, *asgi_worker, tls=True) as server, server.connect() as connection:
        assert [connection.request("GET", "/pathsend").body for _ in range(3)] == [CONTENT] * 3
        assert connection.request("GET", "/zerocopysend").status == 200


def test_a_file_to_a_slow_reader(server):
    with server.connect(receive_buffer=4096) as reader:
        reader.send_request("GET", "/pathsend")
        time.sleep(0.3)
        assert reader.read_response().body == CONTENT


def test_a_pipelined_request_behind_a_file(server):
    with server.connect() as connection:
        connection.send(b"GET /pathsend HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [connection.read_response().body for _ in range(3)] == [CONTENT] * 3
        assert connection.read_response().status == 200


@pytest.mark.parametrize("path", ["/pathsend_missing", "/pathsend_relative"])
def test_a_file_that_is_not_there_is_a_500(server, path):
    assert server.get(path).status == 500
    server.wait_log("file")
    assert server.get("/").status == 200


def test_parts_of_a_file_by_descriptor(server):
    with server.connect() as connection:
        response = connection.request("GET", "/zerocopysend")
        assert response.body == CONTENT[160:320] + b" and " + CONTENT[:160]
        assert connection.request("GET", "/zerocopysend_rest").body == CONTENT[319_840:]
        assert connection.request("GET", "/").status == 200


def test_a_reader_of_a_file_who_leaves(server):
    for _ in range(5):
        connection = server.connect(receive_buffer=4096)
        connection.send_request("GET", "/pathsend")
        connection.read_some(100)
        connection.reset()
    assert server.get("/pathsend").body == CONTENT
    assert "Traceback" not in server.log()


def test_debug_is_taken_and_not_sent(server):
    assert server.get("/debug").body == b"debugged"


def test_a_file_without_sendfile(asgi_worker):
    with Server(EXTENSIONS, *asgi_worker, "--no-sendfile") as server:
        assert server.get("/pathsend").body == CONTENT
