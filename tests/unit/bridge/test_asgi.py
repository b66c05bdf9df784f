"""The ASGI HTTP interface: messages, their order and format, `receive`, flow control, extensions, and faults."""

from __future__ import annotations

import asyncio
import os

import pytest

from gunicorn.bridge.asgi import READ_AHEAD, AsgiExchange
from gunicorn.bridge.exchange import ClientGone
from gunicorn.bridge.scope import ScopeOptions, connection_scope, header_pairs, http_scope
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.machine import Phase
from gunicorn.protocol.trust import Peer, TrustPolicy
from tests.unit.bridge.websocket_ends import Wire as BareWire
from tests.unit.bridge.websocket_ends import serve

PEER = Peer("192.0.2.1", "5000")
GET = b"GET /p HTTP/1.1\r\nHost: t\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
OLD = GET.replace(b"1.1", b"1.0")
POST = b"POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\n"
EXPECTING = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
TRAILING = GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\n\r\n")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body", "body": b"ok"}
MORE = {**BODY, "more_body": True}
PROMISE = {**START, "trailers": True}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}


class Wire(BareWire):
    """The transport of one answer; reads files as the loop would."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.answers = 0
        self.gone = False

    def write(self, data: bytes) -> None:
        self.calls.append("write")
        super().send(data)

    def send(self, data: bytes) -> None:
        self.calls.append("send")
        super().send(data)

    def answered(self, exchange) -> None:
        self.answers += 1

    async def send_file(self, fd: int, offset: int, count: int) -> None:
        self.calls.append("file")
        if self.gone:
            raise ClientGone("broken pipe")
        data = os.pread(fd, count, offset)
        self.out += data
        if len(data) < count:
            raise OSError("the file became shorter while it was sent")

    async def read_file(self, fd: int, offset: int, count: int):
        while count:
            block = os.pread(fd, min(count, 4), offset)
            if not block:
                raise OSError("the file became shorter while it was sent")
            offset, count = offset + len(block), count - len(block)
            yield block


class One:
    """One request and its exchange."""

    def __init__(self, asked: bytes = GET) -> None:
        self.machine = Http1(HttpPolicy(), TrustPolicy(), Stamp("", ""), PEER, "http")
        self.wire = Wire()
        request, *rest = self.machine.receive(asked)
        base = connection_scope(ScopeOptions(), PEER, ("192.0.2.2", 80), None)
        scope = http_scope(base, request, header_pairs(request))
        self.exchange = AsgiExchange(self.machine, self.wire, PEER, request, scope)
        self.feed(rest)

    def feed(self, events) -> None:
        for event in events:
            self.exchange.feed(event.data, event.last)

    def arrive(self, data: bytes) -> None:
        self.feed(self.machine.receive(data))

    async def send(self, *messages) -> None:
        for message in messages:
            await self.exchange.send(message)

    @property
    def out(self) -> bytes:
        return bytes(self.wire.out)

    @property
    def body(self) -> bytes:
        return self.out.partition(b"\r\n\r\n")[2]


def sent(asked: bytes, *messages) -> One:
    """What comes of these messages."""
    made = []

    @serve
    async def check():
        made.append(One(asked))
        await made[0].send(*messages)

    check()
    return made[0]


def refused(made: One, message: object, kind: type[BaseException] = ResponseError) -> str:
    """What `send` raises for the message, which leaves no trace."""
    before = made.out, made.wire.answers, made.exchange.sent

    @serve
    async def check():
        with pytest.raises(kind) as caught:
            await made.exchange.send(message)
        texts.append(str(caught.value))

    texts: list[str] = []
    check()
    assert (made.out, made.wire.answers, made.exchange.sent) == before
    return texts[0]


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
PATH = {"type": "http.response.pathsend", "path": __file__}
COPY = {"type": "http.response.zerocopysend", "file": 0}


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
