"""PEP 3333 on an exchange: what the application does, and what goes out for it."""

from __future__ import annotations

import gzip
import sys
from wsgiref.validate import validator

import pytest

from gunicorn.bridge.files import FileWrapper
from gunicorn.bridge.wsgi import answer_failure
from gunicorn.protocol.errors import ResponseError

OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n"


class Result:
    """An iterable that remembers being closed."""

    def __init__(self, *blocks: bytes, error: Exception | None = None) -> None:
        self.blocks = list(blocks)
        self.error = error
        self.closed = 0

    def __iter__(self):
        yield from self.blocks
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def answering(result, *fields, status="200 OK"):
    def app(environ, start_response):
        start_response(status, list(fields))
        return result

    return app


def test_a_small_answer_is_one_send(bridge, wire):
    bridge(answering([b"hello"], ("Content-Type", "text/plain"))).run()
    assert len(wire.calls) == 1
    assert wire.head[0] == b"HTTP/1.1 200 OK"
    assert b"Content-Length: 5" in wire.head
    assert wire.body == b"hello"


def test_an_iterable_with_a_length_is_one_send(bridge, wire):
    result = Result(b"hel", b"lo")
    bridge(answering(result, ("Content-Length", "5"))).run()
    assert wire.body == b"hello"
    assert result.closed == 1
    assert len(wire.calls) == 2


def test_blocks_leave_as_they_come(bridge, wire):
    sent_before = []

    def app(environ, start_response):
        start_response("200 OK", [])
        for block in (b"a", b"", b"b"):
            sent_before.append(len(wire.calls))
            yield block

    bridge(app).run()
    assert sent_before == [0, 1, 1]
    assert b"Transfer-Encoding: chunked" in wire.head
    assert wire.body == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


def test_http_1_0_gets_no_chunks(bridge, wire):
    bridge(answering(Result(b"a", b"b")), OLD).run()
    assert wire.body == b"ab"
    assert not [line for line in wire.head if line.startswith(b"Transfer-Encoding")]


def test_head_gets_no_body_but_its_length(bridge, wire):
    bridge(answering([b"hello"]), HEAD).run()
    assert b"Content-Length: 5" in wire.head
    assert wire.body == b""


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body_get_none(bridge, wire, status):
    bridge(answering([b"oops"], status=status)).run()
    assert wire.body == b""


def test_close_is_called_when_the_iteration_fails(bridge):
    result = Result(b"a", error=ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        bridge(answering(result)).run()
    assert result.closed == 1


def test_an_unsent_head_can_be_replaced_with_exc_info(bridge, wire):
    def app(environ, start_response):
        start_response("200 OK", [("X-First", "1")])
        try:
            raise ValueError("boom")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())
        return [b"sorry"]

    bridge(app).run()
    assert wire.head[0] == b"HTTP/1.1 500 Oops"
    assert b"X-First: 1" not in wire.head


def test_a_sent_head_makes_exc_info_raise(bridge, wire):
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"begun")
        try:
            raise ValueError("boom")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())
        return []

    made = bridge(app)
    with pytest.raises(ValueError, match="boom"):
        made.run()
    assert not answer_failure(made.exchange)
    assert b"500" not in wire.sent


def test_write_and_the_result_make_one_body(bridge, wire):
    def app(environ, start_response):
        write = start_response("200 OK", [("Content-Length", "4")])
        write(b"ab")
        return [b"cd"]

    bridge(app).run()
    assert wire.body == b"abcd"


@pytest.mark.parametrize(
    ("app", "text"),
    [
        (lambda environ, start_response: [b"x"], "start_response"),
        (lambda environ, start_response: [], "start_response"),
        (answering(["text"]), "not of str"),
        (lambda e, s: (s(200, []), [b""])[1], "the status is a str"),
        (lambda e, s: (s("200 OK", "X: y"), [b""])[1], "list of tuples"),
        (lambda e, s: (s("200 OK", []), s("200 OK", []), [b""])[2], "twice"),
        (answering([b""], ("Bad Name", "x")), "Bad Name"),
        (answering([b""], ("X", "a\r\nSet-Cookie: b")), "X"),
        (answering([b""], status="twohundred"), "twohundred"),
    ],
)
def test_breaches_of_the_convention_are_told_to_the_author(bridge, wire, app, text):
    made = bridge(app)
    with pytest.raises(ResponseError, match=text):
        made.run()
    assert wire.sent == b""
    assert answer_failure(made.exchange)
    assert wire.head[0] == b"HTTP/1.1 500 Internal Server Error"


def test_a_file_goes_out_unread(bridge, wire, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(3)
        bridge(answering(FileWrapper(file))).run()
    assert b"Content-Length: 7" in wire.head
    assert wire.calls[-1] == b"<file 3+7>"


def test_a_file_is_closed_after_it_was_handed_on(bridge, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = path.open("rb")
    bridge(answering(FileWrapper(file))).run()
    assert file.closed


def test_a_shorter_promise_bounds_the_file(bridge, wire, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    bridge(answering(FileWrapper(path.open("rb")), ("Content-Length", "4"))).run()
    assert wire.calls[-1] == b"<file 0+4>"


def test_a_wrapper_without_a_file_is_iterated(bridge, wire):
    class Source:
        def __init__(self) -> None:
            self.left = [b"ab", b"c"]

        def read(self, size: int) -> bytes:
            return self.left.pop(0) if self.left else b""

    bridge(answering(FileWrapper(Source()), ("Content-Length", "3"))).run()
    assert wire.body == b"abc"


def test_early_hints_leave_before_the_answer(bridge, wire):
    def app(environ, start_response):
        hint = environ["wsgi.early_hints"]
        hint([("Link", "</a.css>; rel=preload")])
        hint([("Link", "</b.css>; rel=preload")])
        start_response("200 OK", [])
        return [b"x"]

    bridge(app).run()
    assert len(wire.calls) == 3
    assert wire.calls[0] == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    assert wire.calls[2].startswith(b"HTTP/1.1 200 OK\r\n")


def test_early_hints_are_silent_for_http_1_0(bridge, wire):
    def app(environ, start_response):
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        start_response("200 OK", [])
        return [b"x"]

    bridge(app, OLD).run()
    assert len(wire.calls) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_wsgiref_finds_nothing_wrong(bridge, wire, method):
    def app(environ, start_response):
        environ["wsgi.input"].read(3)
        environ["wsgi.input"].readline()
        environ["wsgi.errors"].write("fine")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    request = f"{method} /a%20b?c=d HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n".encode()
    bridge(validator(app), request).run()
    assert wire.head[0] == b"HTTP/1.1 200 OK"


def test_a_file_that_is_not_what_is_on_disk_is_read(bridge, wire, tmp_path):
    path = tmp_path / "file.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(b"0123456789" * 10)
    bridge(answering(FileWrapper(gzip.open(path)), ("Content-Length", "100"))).run()  # noqa: SIM115
    assert wire.body == b"0123456789" * 10
