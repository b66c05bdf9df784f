"""Extensions of the ASGI HTTP interface: trailers, early hints, files; and what logs see of an answer."""

from __future__ import annotations

import asyncio
import os

import pytest

from gunicorn.bridge.exchange import ClientGone
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.machine import Phase
from tests.unit.bridge.http_ends import (
    BODY,
    COPY,
    GET,
    HEAD,
    MORE,
    OLD,
    PROMISE,
    START,
    TRAILERS,
    TRAILING,
    One,
    Wire,
    refused,
    sent,
)
from tests.unit.bridge.websocket_ends import serve

# -- extensions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "messages", "end"),
    [
        (TRAILING, [PROMISE, BODY, TRAILERS], b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"),
        (
            TRAILING,
            [PROMISE, MORE, BODY, {**TRAILERS, "more_trailers": True}, TRAILERS],
            b"0\r\nx-sum: 1\r\nx-sum: 1\r\n\r\n",
        ),
        (TRAILING, [PROMISE, BODY, {"type": TRAILERS["type"]}], b"2\r\nok\r\n0\r\n\r\n"),
        (GET, [PROMISE, BODY, TRAILERS], b"2\r\nok\r\n0\r\n\r\n"),
        (OLD, [PROMISE, BODY, TRAILERS], b"\r\n\r\nok"),
        (HEAD, [PROMISE, BODY, TRAILERS], b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)
def test_trailers(asked, messages, end):
    one = sent(asked, *messages)
    assert one.out.endswith(end)
    assert (one.exchange.done, one.wire.answers) == (True, 1)


def test_trailers_that_never_came_end_with_the_application():
    one = sent(TRAILING, PROMISE, BODY, {**TRAILERS, "more_trailers": True})
    assert not one.exchange.done
    assert one.exchange.close() is True
    assert one.out.endswith(b"0\r\nx-sum: 1\r\n\r\n")
    assert one.exchange.close() is True
    assert one.wire.answers == 1
    assert sent(GET, START).exchange.close() is False
    assert sent(GET, START, MORE).exchange.close() is False


def test_interim_answers():
    hint = {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>"]}
    other = {"type": "http.response.informational", "status": 103, "headers": [(b"x", b"y")]}
    one = sent(GET, hint, START, other, MORE, hint, other, BODY)
    assert one.out.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 200"
    )
    assert one.out.count(b" 103 ") == 2, "none behind the final head"
    assert b" 103 " not in sent(OLD, hint, START, BODY).out


def test_debug_is_heard_and_means_nothing():
    assert sent(GET, {"type": "http.response.debug", "info": {}}, START, BODY).body == b"ok"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    return path


LENGTH_10 = [(b"Content-Length", b"10")]


@pytest.mark.parametrize(
    ("asked", "headers", "promised", "end", "past"),
    [
        (GET, [], False, b"content-length: 10\r\n\r\n0123456789", True),
        (GET, iter([(b"x", b"y")]), False, b"x: y\r\ncontent-length: 10\r\n\r\n0123456789", True),
        (GET, LENGTH_10, False, b"Content-Length: 10\r\n\r\n0123456789", True),
        (OLD, [], False, b"content-length: 10\r\n\r\n0123456789", True),
        (HEAD, [], False, b"content-length: 10\r\n\r\n", False),
        (GET, [(b"content-length", b"4")], False, b"content-length: 4\r\n\r\n0123", False),
        (GET, [(b"content-length", b"12")], False, b"content-length: 12\r\n\r\n0123456789", False),
        (TRAILING, [], True, b"4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n", False),
    ],
)
def test_pathsend(file, asked, headers, promised, end, past):
    start = {**START, "headers": headers, "trailers": promised}
    one = sent(asked, start, {"type": "http.response.pathsend", "path": str(file)})
    assert one.out.endswith(end)
    assert ("file" in one.wire.calls) is past
    assert one.exchange.done is not promised
    assert one.machine.overrun is (b": 4\r\n" in end)
    assert one.machine.shortfall is (b": 12\r\n" in end)


def test_pathsend_and_trailers(file):
    one = sent(TRAILING, PROMISE, {"type": "http.response.pathsend", "path": file}, TRAILERS)
    assert one.out.endswith(b"2\r\n89\r\n0\r\nx-sum: 1\r\n\r\n")
    assert one.exchange.done


def test_pathsend_of_nothing(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    one = sent(GET, START, {"type": "http.response.pathsend", "path": empty})
    assert one.out.endswith(b"content-length: 0\r\n\r\n")
    assert one.exchange.done
    one = One()
    refused(sent(GET, START), {"type": "http.response.pathsend", "path": str(tmp_path / "none")}, FileNotFoundError)


@pytest.mark.parametrize(
    ("messages", "end"),
    [
        ([{}], b"content-length: 10\r\n\r\n0123456789"),
        ([{"offset": 2, "count": 3}], b"content-length: 3\r\n\r\n234"),
        (
            [{"offset": 8, "more_body": True}, {"offset": 0, "count": 2}],
            b"chunked\r\n\r\n2\r\n89\r\n2\r\n01\r\n0\r\n\r\n",
        ),
        ([{"count": 3, "more_body": True}, {"count": 3}], b"3\r\n012\r\n3\r\n345\r\n0\r\n\r\n"),
    ],
)
def test_zerocopysend(file, messages, end):
    with file.open("rb", buffering=0) as opened:
        one = sent(GET, START, *({"type": COPY["type"], "file": opened, **message} for message in messages))
    assert one.out.endswith(end)
    assert (one.exchange.done, one.wire.answers) == (True, 1)


def test_zerocopysend_between_bodies(file):
    with file.open("rb", buffering=0) as opened:
        copy = {"type": COPY["type"], "file": opened.fileno(), "count": 2}
        one = sent(TRAILING, PROMISE, MORE, {**copy, "more_body": True}, copy, TRAILERS)
    assert one.out.endswith(b"2\r\nok\r\n2\r\n01\r\n2\r\n23\r\n0\r\nx-sum: 1\r\n\r\n")


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"4")]])
def test_a_client_that_left_in_the_middle_of_a_file(file, headers):
    @serve
    async def check():
        one = One()
        await one.send({**START, "headers": headers})
        one.wire.gone = True
        if headers:
            one.wire.full = True
            one.wire.room.set()
            one.exchange.gone = False
        sending = asyncio.ensure_future(one.send({"type": "http.response.pathsend", "path": file}))
        if headers:
            one.exchange.disconnect(gone=True)
        with pytest.raises(ClientGone):
            await sending
        assert one.exchange.gone
        assert not one.exchange.done
        assert one.wire.answers == 0

    check()


def test_a_file_that_becomes_shorter(file):
    class Shrinks(Wire):
        async def send_file(self, fd, offset, count):
            os.truncate(file, 5)
            await super().send_file(fd, offset, count)

    one = One()
    one.exchange.wire = Shrinks()

    @serve
    async def check():
        await one.send(START)
        with pytest.raises(OSError, match="shorter"):
            await one.send({"type": "http.response.pathsend", "path": file})

    check()
    assert not one.exchange.done
    assert one.exchange.close() is False


def test_while_a_file_is_sent_no_other_message_fits(file):
    class Slow(Wire):
        async def send_file(self, fd, offset, count):
            await self.room.wait()
            await super().send_file(fd, offset, count)

    @serve
    async def check():
        one = One()
        one.exchange.wire = one.wire = Slow()
        await one.send(START)
        sending = asyncio.ensure_future(one.send({"type": "http.response.pathsend", "path": file}))
        await asyncio.sleep(0)
        assert one.wire.paused, "nobody asks for the next answer before this one is out"
        for message in (BODY, MORE):
            with pytest.raises(ResponseError):
                await one.exchange.send(message)
        one.wire.room.set()
        await sending
        assert one.body == b"0123456789"
        assert one.wire.answers == 1

    check()


# -- what logs and hooks see -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ([], []),
        ([(b"A", b"\xe9")], [("A", "\xe9")]),
        ([[b"a", b"b"]], [("a", "b")]),
        (iter([(b"a", b"b")]), [("a", "b")]),
        ([("a", "b")], [("a", "b")]),
        ([(b"a",)], []),
        ([5], []),
    ],
)
def test_fields_for_logs(headers, seen):
    """Also of a head that can never be sent, and of an iterator that was read before."""
    one = sent(GET, {**START, "headers": headers})
    assert list(one.exchange.fields) == seen
    assert list(one.exchange.fields) == seen
    one = sent(GET)
    assert list(one.exchange.fields) == []


def test_a_server_error_takes_the_place_of_a_head_that_did_not_leave():
    from gunicorn.bridge.wsgi import answer_failure

    one = sent(GET, {**START, "headers": [(b"secret", b"x")]})
    assert answer_failure(one.exchange)
    assert one.out.startswith(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n")
    assert b"secret" not in one.out
    assert one.exchange.fields[0] == ("Content-Type", "text/plain; charset=utf-8")
    assert one.machine.phase is Phase.CLOSED
    assert not answer_failure(sent(GET, START, MORE).exchange)
