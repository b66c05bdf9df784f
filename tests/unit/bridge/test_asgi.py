"""The ASGI HTTP interface: messages, their order and format, `receive`, and flow control."""

from __future__ import annotations

import asyncio

import pytest

from gunicorn.bridge.asgi import READ_AHEAD
from gunicorn.bridge.exchange import ClientGone
from tests.unit.bridge.http_ends import (
    BODY,
    CONTINUE,
    COPY,
    EXPECTING,
    GET,
    HEAD,
    MORE,
    OLD,
    PATH,
    POST,
    PROMISE,
    START,
    TRAILERS,
    TRAILING,
    One,
    refused,
    sent,
)
from tests.unit.bridge.websocket_ends import serve

# -- messages in order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "messages", "out"),
    [
        (GET, [START, BODY], b"Content-Length: 2\r\n\r\nok"),
        (GET, [START, {"type": "http.response.body"}], b"Content-Length: 0\r\n\r\n"),
        (GET, [START, MORE, BODY], b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nok\r\n0\r\n\r\n"),
        (GET, [START, {**MORE, "body": b""}, BODY], b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (GET, [START, MORE, {**MORE, "body": b""}, {**BODY, "body": b""}], b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (GET, [{**START, "headers": [(b"content-length", b"4")]}, MORE, BODY], b"content-length: 4\r\n\r\nokok"),
        (GET, [{**START, "headers": iter([[b"A", b"\xe9"]])}, BODY], b"Content-Length: 2\r\nA: \xe9\r\n\r\nok"),
        (GET, [{**START, "headers": ((b"a", b"b"),)}, BODY], b"Content-Length: 2\r\na: b\r\n\r\nok"),
        (GET, [START, {**BODY, "body": bytearray(b"ok")}], b"\r\n\r\nok"),
        (GET, [START, {**BODY, "body": memoryview(b"ok")}], b"\r\n\r\nok"),
        (HEAD, [START, BODY], b"Content-Length: 2\r\n\r\n"),
        (HEAD, [START, MORE, BODY], b"HTTP/1.1 200 OK\r\n\r\n"),
        (OLD, [START, MORE, BODY], b"Connection: close\r\n\r\nokok"),
        (GET, [{**START, "status": 204}, BODY], b"HTTP/1.1 204 No Content\r\n\r\n"),
        (GET, [{**START, "status": 299}, BODY], b"HTTP/1.1 299 \r\nContent-Length: 2\r\n\r\nok"),
    ],
)
def test_answers(asked, messages, out):
    one = sent(asked, *messages)
    assert one.out.startswith(b"HTTP/1.1 ")
    assert one.out.endswith(out)
    assert (one.exchange.done, one.wire.answers) == (True, 1)
    assert one.exchange.sent == sum(len(message.get("body", b"")) for message in messages)


def test_a_whole_answer_is_one_write():
    assert sent(GET, START, BODY).wire.calls == ["write"]
    assert sent(GET, START).wire.calls == []
    assert sent(GET, START, MORE, BODY).wire.calls == ["send", "send"]


EARLY = "before http.response.start"
BEGUN = "after the answer had begun"
DONE = "after the answer was complete"
DUE = "where http.response.trailers was due"


@pytest.mark.parametrize(
    ("before", "message", "state"),
    [
        ([], BODY, EARLY),
        ([], TRAILERS, EARLY),
        ([], PATH, EARLY),
        ([], COPY, EARLY),
        ([START], START, BEGUN),
        ([START], TRAILERS, BEGUN),
        ([START, MORE], START, BEGUN),
        ([START, MORE], TRAILERS, BEGUN),
        ([START, MORE], PATH, BEGUN),
        ([START, BODY], START, DONE),
        ([START, BODY], BODY, DONE),
        ([START, BODY], MORE, DONE),
        ([START, BODY], TRAILERS, DONE),
        ([START, BODY], PATH, DONE),
        ([START, BODY], COPY, DONE),
        ([PROMISE, BODY], START, DUE),
        ([PROMISE, BODY], BODY, DUE),
        ([PROMISE, BODY], PATH, DUE),
        ([PROMISE, BODY], COPY, DUE),
        ([PROMISE, BODY, TRAILERS], TRAILERS, DONE),
        ([PROMISE, BODY, TRAILERS], BODY, DONE),
    ],
)
def test_messages_out_of_order(before, message, state):
    assert refused(sent(GET, *before), message) == f"{message['type']} was sent {state}"


@pytest.mark.parametrize(
    ("before", "message", "words"),
    [
        ([], None, "an ASGI message is a dict with a 'type', not None"),
        ([], [], "an ASGI message is a dict with a 'type', not []"),
        ([], "http.response.start", "an ASGI message is a dict"),
        ([], {"status": 200}, "an ASGI message is a dict with a 'type', not {'status': 200}"),
        ([], {"type": "http.response.begin"}, "no message of an HTTP answer: 'http.response.begin'"),
        ([], {"type": "websocket.accept"}, "no message of an HTTP answer: 'websocket.accept'"),
        ([], {"type": 5}, "no message of an HTTP answer: 5"),
        ([], {"type": b"x" * 1000}, "no message of an HTTP answer: b'xxx"),
        ([], {"type": START["type"]}, "http.response.start has no 'status'"),
        ([], {**START, "status": []}, "http.response.start has no 'status' that is a number"),
        ([], {**START, "status": "200"}, "a number of three digits"),
        ([], {**START, "status": 99}, "a number of three digits"),
        ([], {**START, "status": True}, "a number of three digits"),
        ([], {**START, "headers": 5}, "'headers' is an iterable, not int"),
        ([], {**START, "headers": None}, "'headers' is an iterable, not NoneType"),
        ([{**START, "headers": [b""]}], BODY, "headers are pairs of bytes"),
        ([{**START, "headers": [()]}], BODY, "headers are pairs of bytes"),
        ([{**START, "headers": [(b"a",)]}], BODY, "headers are pairs of bytes"),
        ([{**START, "headers": [(b"a", b"b", b"c")]}], BODY, "headers are pairs of bytes"),
        ([{**START, "headers": [5]}], BODY, "headers are pairs of bytes"),
        ([{**START, "headers": [(b"content-length", 5)]}], BODY, "headers are pairs of bytes"),
        ([{**START, "headers": {b"ab": b"c"}}], BODY, "not a field name"),
        ([{**START, "headers": [(b"a", "b")]}], BODY, "value of 'a' must be bytes"),
        ([{**START, "headers": [(b"a", None)]}], BODY, "value of 'a' must be bytes"),
        ([{**START, "headers": [(b"a", b"b\r\nc: d")]}], BODY, "control character in the value of 'a'"),
        ([{**START, "headers": [(b"a b", b"c")]}], BODY, "not a field name: 'a b'"),
        ([{**START, "headers": [(b"content-length", b"two")]}], BODY, "Content-Length must be a number"),
        ([{**START, "headers": [(b"content-length", b"1")] * 2}], BODY, "more than one Content-Length"),
        ([{**START, "status": 101}], BODY, "101 answers only a request with Upgrade"),
        ([{**START, "status": 103}], BODY, "103 is an interim status"),
        ([START], {**BODY, "body": "text"}, "'body' is bytes, not str"),
        ([START, MORE], {**BODY, "body": None}, "'body' is bytes, not NoneType"),
        ([START], {"type": PATH["type"]}, "http.response.pathsend has no 'path'"),
        ([START], {**PATH, "path": b"x"}, "'path' is a str, not bytes"),
        ([START], {"type": COPY["type"]}, "http.response.zerocopysend has no 'file'"),
        ([START], {**COPY, "file": "x"}, "not a file that can be sent"),
        ([], {"type": "http.response.early_hint", "links": 5}, "'links' is an iterable, not int"),
        ([], {"type": "http.response.early_hint", "links": ["x"]}, "'link' is bytes, not str"),
        ([], {"type": "http.response.early_hint", "links": [b"a\nb"]}, "control character"),
        ([], {"type": "http.response.informational"}, "http.response.informational has no 'status'"),
        ([], {"type": "http.response.informational", "status": []}, "http.response.informational has no 'status'"),
        ([], {"type": "http.response.informational", "status": 200}, "not an interim status"),
        ([], {"type": "http.response.informational", "status": 101}, "not an interim status"),
        ([], {"type": "http.response.informational", "status": 103, "headers": [("a", "b")]}, "pairs of bytes"),
        ([PROMISE, BODY], {**TRAILERS, "headers": [("a", "b")]}, "pairs of bytes"),
        ([PROMISE, BODY], {**TRAILERS, "headers": [(b"content-length", b"1")]}, "cannot be a trailer field"),
        ([PROMISE, BODY], {**TRAILERS, "headers": [(b"a", b"b\r\n")]}, "control character"),
    ],
)
def test_messages_of_a_wrong_format(before, message, words):
    assert words in refused(sent(GET, *before), message)


def test_what_was_refused_can_be_done_better():
    one = One()
    for wrong in ({**START, "status": 99}, {**START, "headers": 5}, {"type": "nonsense"}):
        refused(one, wrong)
    assert one.exchange.status == ""
    better = sent(TRAILING, PROMISE, BODY)
    refused(better, {**TRAILERS, "headers": [(b"trailer", b"x")]})

    @serve
    async def check():
        await one.send(START, BODY)
        await better.send(TRAILERS)

    check()
    assert one.body == b"ok"
    assert better.out.endswith(b"0\r\nx-sum: 1\r\n\r\n")


def test_a_client_that_left_comes_before_every_other_error():
    one = One()
    one.exchange.disconnect(gone=True)
    for message in (START, None, {"type": "nonsense"}, BODY):
        assert "client left" in refused(one, message, ClientGone)
    assert issubclass(ClientGone, OSError)


# -- receive ---------------------------------------------------------------------------------------------


@serve
async def test_no_body():
    one = One()
    assert await one.exchange.receive() == {"type": "http.request", "body": b"", "more_body": False}
    waiting = asyncio.ensure_future(one.exchange.receive())
    await asyncio.sleep(0)
    assert not waiting.done()
    await one.send(START, BODY)
    assert await waiting == {"type": "http.disconnect"}
    assert await one.exchange.receive() == {"type": "http.disconnect"}


@serve
async def test_a_body_in_pieces():
    one = One(POST + b"ab")
    assert await one.exchange.receive() == {"type": "http.request", "body": b"ab", "more_body": True}
    waiting = asyncio.ensure_future(one.exchange.receive())
    await asyncio.sleep(0)
    one.arrive(b"c")
    assert await waiting == {"type": "http.request", "body": b"c", "more_body": True}
    one.arrive(b"d")
    one.arrive(b"ef")
    assert await one.exchange.receive() == {"type": "http.request", "body": b"def", "more_body": False}
    one.exchange.disconnect(gone=False)
    assert await one.exchange.receive() == {"type": "http.disconnect"}


@pytest.mark.parametrize("gone", [False, True])
def test_what_came_before_the_client_left_is_given_first(gone):
    @serve
    async def check():
        one = One(POST + b"ab")
        one.exchange.disconnect(gone=gone)
        assert await one.exchange.receive() == {"type": "http.request", "body": b"ab", "more_body": True}
        for _ in range(2):
            assert await one.exchange.receive() == {"type": "http.disconnect"}

    check()


@serve
async def test_the_end_of_a_chunked_body_is_told_once():
    one = One(POST.replace(b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
    assert (await one.exchange.receive())["more_body"] is True
    one.arrive(b"0\r\n\r\n")
    assert await one.exchange.receive() == {"type": "http.request", "body": b"", "more_body": False}
    one.exchange.disconnect(gone=True)
    assert await one.exchange.receive() == {"type": "http.disconnect"}


@serve
async def test_several_who_wait():
    """One gets the body, the others go on waiting; all hear of the end."""
    one = One(POST)
    waiting = [asyncio.ensure_future(one.exchange.receive()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    one.arrive(b"abcdef")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = [task.result() for task in waiting if task.done() and not task.cancelled()]
    assert done == [{"type": "http.request", "body": b"abcdef", "more_body": False}]
    one.exchange.disconnect(gone=True)
    rest = await asyncio.gather(*(task for task in waiting if not task.cancelled()))
    assert [message["type"] for message in rest].count("http.disconnect") == 2


@serve
async def test_a_waiter_that_is_woken_and_cancelled_at_once_takes_nothing_along():
    one = One(POST)
    first, second = (asyncio.ensure_future(one.exchange.receive()) for _ in range(2))
    await asyncio.sleep(0)
    one.arrive(b"abcdef")
    first.cancel()
    assert (await second)["body"] == b"abcdef"
    assert first.cancelled() or first.exception() is None


@serve
async def test_who_asks_again_and_again_piles_nothing_up():
    """Frameworks ask whether the client is still there by a `receive` that they cancel at once."""
    one = One()
    await one.exchange.receive()
    stays = asyncio.ensure_future(one.exchange.receive())
    for _ in range(100):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await one.exchange.receive()
    assert len(one.exchange.waiters) == 1
    one.exchange.disconnect(gone=True)
    assert await stays == {"type": "http.disconnect"}


@serve
async def test_100_continue_is_said_once_and_only_to_who_waits():
    one = One(EXPECTING)
    assert one.out == b""
    waiting = [asyncio.ensure_future(one.exchange.receive()) for _ in range(3)]
    await asyncio.sleep(0)
    assert one.out == CONTINUE
    one.arrive(b"abcdef")
    await asyncio.sleep(0)
    await one.send(START, BODY)
    await asyncio.gather(*waiting)
    assert one.out.count(CONTINUE) == 1
    one = One(EXPECTING)
    await one.send(START, MORE)
    asyncio.ensure_future(one.exchange.receive()).cancel()
    waiting = asyncio.ensure_future(one.exchange.receive())
    await asyncio.sleep(0)
    assert CONTINUE not in one.out, "not behind a final head"
    waiting.cancel()
    one = One(EXPECTING + b"abcdef")
    await one.exchange.receive()
    assert one.out == b""


# -- flow control ----------------------------------------------------------------------------------------


@serve
async def test_a_body_that_nobody_reads_stops_the_client():
    size = 3 * READ_AHEAD
    one = One(POST.replace(b"6", b"%d" % size))
    one.arrive(b"x" * READ_AHEAD)
    assert not one.wire.paused
    one.arrive(b"x")
    assert one.wire.paused
    assert len((await one.exchange.receive())["body"]) == READ_AHEAD + 1
    assert not one.wire.paused
    one.arrive(b"x" * (size - READ_AHEAD - 1))
    assert not one.wire.paused, "there is nothing more to wait for"
    assert (await one.exchange.receive())["more_body"] is False


@serve
async def test_a_client_that_does_not_read_stops_the_application():
    one = One()
    await one.send(START, MORE)
    one.wire.full = True
    sending = asyncio.ensure_future(one.exchange.send(MORE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not sending.done()
    assert one.out.endswith(b"2\r\nok\r\n2\r\nok\r\n"), "the message was taken before"
    one.wire.full = False
    one.wire.room.set()
    await sending
    await one.send(BODY)
    assert one.exchange.done
