"""Answers of every shape reach the client as HTTP says, whatever the application does."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.client import Connection, Gone
from tests.support.processes import eventually
from tests.support.server import Server

ANSWERS = "tests.apps.answers:app"


@pytest.fixture
def server(worker):
    with Server(ANSWERS, *worker, "-w", "1", tracebacks=True) as running:
        yield running


@pytest.fixture
def wsgi_server(wsgi_worker):
    with Server(ANSWERS, *wsgi_worker, "-w", "1", tracebacks=True) as running:
        yield running


def closed(server: Server) -> list[str]:
    return json.loads(server.get("/closed").body)


def test_length_is_kept_and_the_connection_too(server):
    with server.connect() as connection:
        for _ in range(3):
            response = connection.request("GET", "/length")
            assert (response.status, response.body, response.framing) == (200, b"hello", "length")
            assert response.keeps_alive


def test_every_head_has_a_date_and_a_server(server):
    response = server.get("/length")
    date = response.header("Date")
    assert date is not None
    assert time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")
    assert response.header("Server")


def test_the_applications_own_date_and_server_win(server):
    response = server.get("/own_names")
    assert response.header("Server") == "mine"
    assert response.header("Date") == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_unknown_length_is_chunked_without_empty_chunks(server):
    with server.connect() as connection:
        response = connection.request("GET", "/unknown")
        assert (response.body, response.framing) == (b"one two three", "chunked")
        assert connection.request("GET", "/length").body == b"hello"


def test_a_single_piece_gets_its_length(server):
    response = server.get("/single")
    assert response.body == b"single"
    assert response.header("content-length") in ("6", None)


def test_http_1_0_gets_no_chunks(server):
    with server.connect() as connection:
        connection.send(b"GET /unknown HTTP/1.0\r\nHost: x\r\n\r\n")
        response = connection.read_response()
        assert (response.body, response.framing) == (b"one two three", "close")


def test_http_1_0_keep_alive(server):
    with server.connect() as connection:
        for _ in range(2):
            connection.send(b"GET /length HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
            response = connection.read_response()
            assert response.keeps_alive
            assert response.body == b"hello"


def test_empty_bodies(server):
    with server.connect() as connection:
        response = connection.request("GET", "/empty")
        assert response.body == b""
        assert connection.request("GET", "/length").body == b"hello"


@pytest.mark.parametrize("path", ["/no_content", "/body_where_none_may_be"])
def test_204_has_neither_body_nor_framing(server, path):
    with server.connect() as connection:
        response = connection.request("GET", path)
        assert response.status == 204
        assert response.header("transfer-encoding") is None
        assert response.header("content-length") is None
        assert connection.request("GET", "/length").body == b"hello"


def test_304_has_no_body(server):
    with server.connect() as connection:
        response = connection.request("GET", "/not_modified")
        assert response.status == 304
        assert response.header("etag") == '"x"'
        assert response.header("transfer-encoding") is None
        assert connection.request("GET", "/length").body == b"hello"


@pytest.mark.parametrize("path", ["/length", "/unknown", "/large?n=1000000", "/file", "/write"])
def test_head_has_no_body_and_keeps_the_connection(server, path):
    with server.connect() as connection:
        response = connection.request("HEAD", path)
        assert response.status == 200
        if path == "/length":
            assert response.header("content-length") == "5"
        again = connection.request("GET", "/length") if response.keeps_alive else server.get("/length")
        assert again.body == b"hello"


def test_the_write_callable(server):
    response = server.get("/write")
    assert response.body == b"written before returned"


def test_pieces_travel_when_they_are_made(server):
    """An event stream: the first piece must not wait for the last."""
    with server.connect() as connection:
        connection.send_request("GET", "/steps")
        head = connection.read_head()
        assert head.header("transfer-encoding") == "chunked"
        started = time.monotonic()
        first = connection.read_some()
        while b"data: 0" not in first:
            first += connection.read_some()
        assert b"data: 3" not in first
        assert time.monotonic() - started < 0.6


def test_large_answers_are_whole(server):
    response = server.get("/large?n=20000000", timeout=30)
    assert len(response.body) == 20_000_000
    assert response.body[:16] == b"0123456789abcdef"
    response = server.get("/one_large_string?n=20000000", timeout=30)
    assert len(response.body) == 20_000_000


def test_a_file_is_sent(server):
    """By wsgi.file_wrapper, or by http.response.zerocopysend."""
    response = server.get("/file?n=3000000")
    assert len(response.body) == 3_000_000
    assert response.body[:16] == b"000000000000000\n"
    assert response.body[160:176] == b"000000000000010\n"


def test_a_file_is_sent_from_where_it_stands(server):
    response = server.get("/file?n=1000&at=160")
    assert response.body[:16] == b"000000000000010\n"
    assert len(response.body) == 840


def test_a_file_keeps_to_the_length(server):
    with server.connect() as connection:
        response = connection.request("GET", "/file?n=100000&length=500")
        assert len(response.body) == 500
        assert connection.request("GET", "/length").body == b"hello"


def test_a_file_without_a_length(server):
    with server.connect() as connection:
        response = connection.request("GET", "/file?n=100000&unknown=1")
        assert len(response.body) == 100_000
        assert connection.request("GET", "/length").body == b"hello"


def test_file_wrapper_of_what_is_no_file(wsgi_server):
    assert wsgi_server.get("/file_like").body == b"not a file " * 10000


def test_a_file_without_sendfile(worker):
    with Server(ANSWERS, *worker, "--no-sendfile") as server:
        assert len(server.get("/file?n=3000000").body) == 3_000_000


def test_early_hints_come_at_once(server):
    with server.connect() as connection:
        started = time.monotonic()
        connection.send_request("GET", "/early?s=0.6")
        hint = connection.read_informational()
        assert time.monotonic() - started < 0.5
        assert hint.status == 103
        assert hint.header("link") == "</style.css>; rel=preload; as=style"
        assert hint.header("content-length") is None
        response = connection.read_response()
        assert [(one.status, one.header("link")) for one in response.informational] == [
            (103, "</app.js>; rel=preload; as=script")
        ]
        assert response.body == b"single"
        assert connection.request("GET", "/length").body == b"hello"


def test_early_hints_are_silent_for_http_1_0(server):
    with server.connect() as connection:
        connection.send(b"GET /early HTTP/1.0\r\nHost: x\r\n\r\n")
        response = connection.read_response()
        assert response.informational == []
        assert response.body == b"single"


def test_early_hints_cannot_be_forged(server):
    response = server.get("/early_forged")
    assert response.informational == []
    assert response.body != b"single", "the bad field was let through"


@pytest.mark.parametrize("path", ["/raise_before", "/raise_started", "/raise_first"])
def test_an_exception_before_the_head_is_a_500(server, path):
    with server.connect() as connection:
        response = connection.request("GET", path)
        assert response.status == 500
        assert b"ValueError" not in response.body
    log = server.wait_log("ValueError")
    assert path in log, "the log names the request"


@pytest.mark.parametrize("path", ["/raise_later", "/raise_later_length"])
def test_an_exception_after_the_head_cuts_the_answer(server, path):
    """The client must be able to see that the answer is not whole."""
    with server.connect() as connection:
        connection.send_request("GET", path)
        with pytest.raises(Gone):
            connection.read_response()
    server.wait_log("in the middle")
    assert server.get("/length").body == b"hello"
    eventually(lambda: path[1:] in closed(server), "close() was called")


def test_exc_info_replaces_the_answer(wsgi_server):
    response = wsgi_server.get("/exc_info")
    assert (response.status, response.body) == (503, b"own error page")


def test_exc_info_after_the_head_is_raised(wsgi_server):
    with wsgi_server.connect() as connection:
        connection.send_request("GET", "/exc_info_late")
        with pytest.raises(Gone):
            connection.read_response()
    wsgi_server.wait_log("too late to answer")


@pytest.mark.parametrize("path", ["/never_started", "/started_twice", "/bad_status", "/bad_field", "/text_body"])
def test_breaches_of_the_interface_are_a_500_with_a_reason(server, path):
    response, received = None, b""
    with server.connect() as connection:
        connection.send_request("GET", path)
        try:
            response = connection.read_response()
        except Gone as gone:
            received = gone.received
    # Only a piece that is found wrong after the head may cut the answer.
    assert response is not None or path == "/text_body"
    assert response is None or (response.status == 500 and not response.headers("set-cookie"))
    assert b"forged" not in received
    eventually(lambda: "error" in server.log().lower(), "a line in the log")
    assert server.get("/length").body == b"hello"


def test_fields_of_one_hop_are_not_the_applications(server):
    """PEP 3333 forbids them, and ASGI has no say in them: refused or left out, but never sent."""
    response = server.get("/hop_by_hop")
    assert response.headers("keep-alive") == []
    assert response.headers("proxy-authenticate") == []


def test_a_body_shorter_than_promised_closes(server):
    with server.connect() as connection:
        connection.send_request("GET", "/short")
        with pytest.raises(Gone):
            connection.read_response()


def test_a_body_longer_than_promised_is_cut(server):
    with server.connect() as connection:
        assert connection.request("GET", "/long").body == b"four"
        assert connection.is_open() or connection.wait_closed() == b""


def test_the_application_may_wish_to_close(server):
    with server.connect() as connection:
        response = connection.request("GET", "/wish_close")
        assert not response.keeps_alive
        assert connection.wait_closed() == b""


def test_close_is_always_called(server):
    for path in ("/length", "/unknown", "/empty", "/no_content", "/raise_first", "/write", "/long"):
        with server.connect() as connection:
            connection.request("GET", path)
        eventually(lambda path=path: path[1:] in closed(server), f"{path} was closed")


def test_close_is_called_when_the_client_goes_away(server):
    connection = server.connect()
    connection.send_request("GET", "/endless")
    connection.read_some()
    connection.reset()
    eventually(lambda: "endless" in closed(server), "close() after the disconnect", 15)
    assert "Traceback" not in server.log(), "a client that leaves is no error"


def test_sys_exit_in_an_application_does_not_stop_the_server(server):
    with server.connect() as connection:
        connection.send_request("GET", "/exit_process")
        connection.wait_closed()
    eventually(lambda: _answers(server), "a worker answers", 10)


def _answers(server: Server) -> bool:
    return server.get("/length").body == b"hello"


def test_pipelined_requests_are_answered_in_order(server):
    with server.connect() as connection:
        connection.send(
            b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/length", b"/unknown", b"/pid") * 5)
        )
        for _ in range(5):
            assert connection.read_response().body == b"hello"
            assert connection.read_response().body == b"one two three"
            assert connection.read_response().body.strip().isdigit()


def test_a_request_byte_by_byte(server):
    with server.connect() as connection:
        for byte in b"GET /length HTTP/1.1\r\nHost: x\r\n\r\n":
            connection.send(bytes([byte]))
        assert connection.read_response().body == b"hello"


def test_a_thousand_requests_on_one_connection(server):
    with server.connect() as connection:
        count = 0
        for _ in range(1000):
            response = connection.request("GET", "/length")
            assert response.body == b"hello"
            count += 1
            if not response.keeps_alive:
                break
        assert count > 1


def test_half_closed_clients_still_get_their_answer(server):
    """`nc` and friends shut their sending side down after the request."""
    with server.connect() as connection:
        connection.send(b"GET /length HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.sock.shutdown(1)
        assert connection.read_response().body == b"hello"


def test_disconnects_at_every_point_leave_the_server_well(server):
    request = b"POST /read_then_steps HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n" + b"x" * 50
    for cut in range(0, len(request) + 1, 7):
        for reset in (True, False):
            connection = Connection(server.address)
            connection.send(request[:cut])
            connection.reset() if reset else connection.close()
    assert server.get("/length").body == b"hello"
    assert "Traceback" not in server.log()
