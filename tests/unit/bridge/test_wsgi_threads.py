"""The passage between a thread and a loop: order, waiting, who calls the machine, and what is left behind."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from gunicorn.bridge.environ import EnvironOptions, connection_base
from gunicorn.bridge.exchange import ClientGone
from gunicorn.bridge.wsgi import WsgiBridge
from gunicorn.bridge.wsgi_threads import AHEAD, Passage, ThreadExchange, WsgiExchange
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.trust import Peer, TrustPolicy

GET = b"GET /path HTTP/1.1\r\nHost: test\r\n\r\n"


class LoneMachine(Http1):
    """A machine that knows which threads called it."""

    __slots__ = ("callers",)

    def respond(self, *arguments):
        self.callers.add(threading.get_ident())
        return super().respond(*arguments)

    def send_data(self, *arguments):
        self.callers.add(threading.get_ident())
        return super().send_data(*arguments)

    def inform(self, *arguments):
        self.callers.add(threading.get_ident())
        return super().inform(*arguments)


class Wire:
    """A connection whose client reads as the test says."""

    def __init__(self, limit: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.sent = b""
        self.unread = 0
        self.limit = limit
        self.full = False
        self.reads = asyncio.Event()
        self.ended: list[object] = []

    def send(self, data: bytes) -> None:
        self.sent += data
        self.unread += len(data)
        if self.unread > self.limit:
            self.full = True
            self.reads.clear()

    write = send

    def read(self) -> None:
        """The client takes everything."""
        self.unread = 0
        self.full = False
        self.reads.set()

    async def drain(self) -> None:
        await self.reads.wait()

    async def send_file(self, fd: int, offset: int, size: int) -> None:
        await asyncio.sleep(0)
        self.sent += os.pread(fd, size, offset)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def answered(self, exchange: object) -> None:
        self.ended.append(exchange)

    def future(self) -> asyncio.Future[None]:
        return self.loop.create_future()


class Request:
    """One request whose application runs in a thread."""

    def __init__(self, app, request: bytes = GET, limit: float = float("inf")) -> None:
        peer = Peer("192.0.2.1", "5000")
        self.machine = LoneMachine(HttpPolicy(), TrustPolicy(), Stamp("test", "now"), peer, "http")
        self.machine.callers = set()
        self.wire = Wire(limit)
        head = self.machine.receive(request)[0]
        self.exchange = WsgiExchange(self.machine, self.wire, peer, head, {})
        self.passage = Passage(self.exchange, self.wire.loop.call_soon_threadsafe)
        thread = ThreadExchange(self.exchange, self.passage, io.BytesIO(b"a body"))
        base = connection_base(EnvironOptions(errors=io.StringIO()), peer, ("srv", "80"), None)
        self.bridge = WsgiBridge(app, thread, base)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self.bridge.run()
        except BaseException as raised:
            error = raised
        self.passage.end(error)

    async def answer(self) -> BaseException | None:
        self.thread.start()
        return await asyncio.wait_for(self.passage.attend(), 20)

    @property
    def body(self) -> bytes:
        return self.wire.sent.partition(b"\r\n\r\n")[2]


def answer(app, *arguments) -> tuple[Request, BaseException | None]:
    """Lets `app` answer a client that reads everything."""

    async def run():
        request = Request(app, *arguments)
        return request, await request.answer()

    return asyncio.run(run())


def streaming(pieces):
    def app(environ, start_response):
        start_response("200 OK", [("Connection", "close")])
        return pieces

    return app


def test_a_small_answer_is_complete_and_has_its_environ():
    seen = []

    def app(environ, start_response):
        seen.append((environ["PATH_INFO"], environ["wsgi.input"].read(), environ["SERVER_NAME"]))
        start_response("200 OK", [("X-One", "1")])
        return [b"hello"]

    request, error = answer(app)
    assert error is None
    assert seen == [("/path", b"a body", "srv")]
    assert request.wire.ended == [request.exchange]
    assert request.body == b"hello"
    exchange = request.exchange
    assert (exchange.status, list(exchange.fields), exchange.sent) == ("200 OK", [("X-One", "1")], 5)
    assert exchange.environ["PATH_INFO"] == "/path"


def test_only_the_loop_calls_the_machine():
    def app(environ, start_response):
        environ["wsgi.early_hints"]([("Link", "</a>")])
        put = start_response("200 OK", [])
        put(b"one")
        yield b"two"
        yield b"three"

    request, error = answer(app)
    assert error is None
    assert request.machine.callers == {threading.get_ident()}
    assert request.wire.sent.startswith(b"HTTP/1.1 103")
    assert request.wire.sent.endswith(b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")


def test_many_pieces_keep_their_order():
    pieces = [b"%05d" % number for number in range(5000)]
    request, error = answer(streaming(iter(pieces)), b"GET / HTTP/1.0\r\n\r\n")
    assert error is None
    assert request.body == b"".join(pieces)


@pytest.mark.parametrize("field", [("X-Bad", "a\r\nb"), ("Bad Name", "x")])
def test_a_head_that_must_not_be_said_is_told_to_who_said_it(field):
    caught = []

    def writes(environ, start_response):
        put = start_response("200 OK", [field])
        try:
            put(b"x")
        except ResponseError as error:
            caught.append(error)
        start_response("503 Sorry", [], (ValueError, ValueError(), None))
        return [b"sorry"]

    request, error = answer(writes)
    assert error is None
    assert len(caught) == 1
    assert request.wire.sent.startswith(b"HTTP/1.1 503 Sorry")


def test_a_bad_head_of_a_whole_answer_is_what_went_wrong():
    def app(environ, start_response):
        start_response("200 OK", [("X-Bad", "a\r\nb")])
        return [b"x"]

    request, error = answer(app)
    assert isinstance(error, ResponseError)
    assert request.wire.sent == b""
    assert request.wire.ended == []


def test_what_the_application_raises_comes_after_what_it_said():
    def pieces():
        yield b"first"
        raise ValueError("then")

    request, error = answer(streaming(pieces()))
    assert isinstance(error, ValueError)
    assert b"first" in request.body
    assert request.wire.ended == []


def test_a_client_that_does_not_read_holds_the_application():
    made = []

    def pieces():
        for number in range(200):
            made.append(number)
            yield b"x" * 10_000

    async def run():
        request = Request(streaming(pieces()), GET, 50_000)
        attending = asyncio.ensure_future(request.answer())
        before = -1
        while before != len(made) or not request.wire.full:
            before = len(made)
            await asyncio.sleep(0.1)
        held = len(made)
        while not attending.done():
            request.wire.read()
            await asyncio.sleep(0.001)
        return request, held, attending.result()

    request, held, error = asyncio.run(run())
    assert error is None
    assert held <= (50_000 + AHEAD) // 10_000 + 4
    assert len(made) == 200
    assert request.body.count(b"x") == 2_000_000


@pytest.mark.parametrize("full", [True, False])
def test_a_client_that_leaves_ends_the_application_and_closes_its_iterable(full):
    class Endless:
        closed = 0

        def __iter__(self):
            return (b"x" * 10_000 for _ in count())

        def close(self):
            self.closed += 1

    async def run():
        result = Endless()
        request = Request(streaming(result), GET, 50_000 if full else float("inf"))
        attending = asyncio.ensure_future(request.answer())
        while not (request.wire.full if full else request.wire.sent):
            await asyncio.sleep(0.01)
        request.exchange.disconnect(gone=True)
        request.wire.read()
        error = await attending
        return request, result, error

    request, result, error = asyncio.run(run())
    assert isinstance(error, ClientGone)
    assert result.closed == 1
    assert not request.passage.acts


def test_a_thread_that_nobody_waits_for_hears_that_nobody_listens():
    """What a cancelled task does: leave, then wait until the thread is through."""
    go_on = threading.Event()
    heard = []

    def pieces():
        try:
            yield b"first"
            go_on.wait(10)
            yield b"second"
        except GeneratorExit:
            heard.append("closed")
            raise

    async def run():
        request = Request(streaming(pieces()))
        attending = asyncio.ensure_future(request.answer())
        while not request.wire.sent:
            await asyncio.sleep(0.01)
        attending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attending
        request.passage.leave()
        go_on.set()
        return request, await asyncio.wait_for(request.passage.attend(), 10)

    request, error = asyncio.run(run())
    assert isinstance(error, ClientGone)
    assert heard == ["closed"]
    assert b"second" not in request.wire.sent


def test_nothing_can_be_said_after_the_end():
    kept = []

    def app(environ, start_response):
        kept.append(start_response("200 OK", []))
        return [b"whole"]

    request, error = answer(app)
    assert error is None
    with pytest.raises(ResponseError):
        kept[0](b"forged")
    assert b"forged" not in request.wire.sent


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_file_is_sent_by_a_descriptor_of_its_own(method):
    stream = tempfile.TemporaryFile()  # noqa: SIM115
    stream.write(b"0123456789")
    stream.seek(2)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](stream)

    request, error = answer(app, method + b" / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert error is None
    assert stream.closed, "the thread did not wait with closing it"
    assert b"Content-Length: 8" in request.wire.sent
    assert request.body == (b"23456789" if method == b"GET" else b"")
    assert request.wire.ended == [request.exchange]


def test_an_answer_from_several_threads_loses_nothing():
    """PEP 3333 gives `write` to whoever wants it."""

    def app(environ, start_response):
        put = start_response("200 OK", [("Connection", "close")])
        put(b"")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: put(b"%04d" % number), range(400)))
        return []

    request, error = answer(app, b"GET / HTTP/1.0\r\n\r\n")
    assert error is None
    body = request.body
    assert sorted(body[at : at + 4] for at in range(0, len(body), 4)) == [b"%04d" % number for number in range(400)]
