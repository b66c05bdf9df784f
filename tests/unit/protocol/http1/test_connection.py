"""One connection: phases, bodies, pipelining, persistence, interim answers, upgrades, errors."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.http1.connection import DISCARD_LIMIT, Http1
from gunicorn.protocol.limits import HttpPolicy, Limits, Stamp
from gunicorn.protocol.machine import Body, Goodbye, Phase, Request
from gunicorn.protocol.trust import Networks, Peer, ProxyMode, TrustPolicy

POLICY = HttpPolicy()
STAMP = Stamp("", "")
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def post(length: int, *more: bytes) -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: h", b"Content-Length: %d" % length, *more, b"", b""])


CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def machine(policy: HttpPolicy = POLICY, trust: TrustPolicy | None = None, host: str = "127.0.0.1") -> Http1:
    return Http1(policy, trust or TrustPolicy(), STAMP, Peer(host, "4000"), "http")


def asked(data: bytes = GET) -> Http1:
    one = machine()
    one.receive(data)
    return one


def answer(one: Http1, status="200 OK", fields=(), body=b"", last=True) -> bytes:
    return one.respond(0, status, list(fields), body, last)


def refusal(one: Http1, data: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        one.receive(data)
    return caught.value


class TestRequests:
    def test_a_get_is_one_event(self):
        one = machine()
        (request,) = one.receive(GET)
        assert isinstance(request, Request)
        assert (request.method, request.complete, one.phase) == ("GET", True, Phase.ANSWER)
        assert answer(one, body=b"hi") == OK + b"Content-Length: 2\r\n\r\nhi"
        assert one.phase is Phase.IDLE

    def test_pieces(self):
        one = machine()
        for position in range(len(GET) - 1):
            assert one.receive(GET[position : position + 1]) == ()
            assert one.phase is Phase.HEAD
        assert len(one.receive(b"\n")) == 1

    def test_a_body_with_its_head(self):
        one = machine()
        request, body = one.receive(post(3) + b"abc")
        assert (body.data, body.last, request.complete, one.phase) == (b"abc", True, False, Phase.ANSWER)

    def test_a_body_is_passed_on_as_it_came(self):
        one = asked(post(10))
        assert one.phase is Phase.BODY
        piece = b"01234"
        (first,) = one.receive(piece)
        assert first.data is piece
        assert not first.last
        (second,) = one.receive(b"56789GET")
        assert (second.data, second.last, one.phase, one.pending) == (b"56789", True, Phase.ANSWER, 3)

    def test_chunked_with_trailers(self):
        one = machine()
        (request,) = one.receive(CHUNKED)
        assert (request.length, request.chunked) == (None, True)
        assert one.receive(b"3\r\n") == ()
        assert [event.data for event in one.receive(b"abc\r\n")] == [b"abc"]
        (last,) = one.receive(b"0\r\nX: y\r\n\r\n")
        assert (last.data, last.last, request.trailers) == (b"", True, [("x", "y")])

    def test_pipelining_pauses(self):
        one = machine()
        assert len(one.receive(GET + post(2) + b"ab" + GET[:10])) == 1
        assert one.pending
        assert one.receive(b"") == ()
        answer(one)
        assert (one.phase, one.pending) == (Phase.IDLE, 59)
        request, body = one.receive(b"")
        assert (request.method, body.data) == ("POST", b"ab")
        one.receive(GET[10:20])
        answer(one)
        assert one.receive(GET[20:])[0].method == "GET"
        assert not one.pending

    def test_pending_is_over_when_a_partial_head_was_taken_in(self):
        one = asked(GET + b"GET")
        answer(one)
        assert one.receive(b"") == ()
        assert (one.pending, one.phase) == (False, Phase.HEAD)

    def test_body_limit(self):
        one = machine(HttpPolicy(Limits(body=5)))
        assert refusal(one, post(6)).status == 413
        one = machine(HttpPolicy(Limits(body=5)))
        assert refusal(one, CHUNKED + b"6\r\n").status == 413

    @pytest.mark.parametrize(
        ("data", "status"),
        [(b"\x16\x03\x01\x02", 0), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), (b"G\n", 400), (b"\r\n\r\n", 400)],
    )
    def test_foreign_bytes(self, data, status):
        assert refusal(machine(), data).status == status


class TestEnd:
    def test_between_requests(self):
        one = machine()
        (event,) = one.receive_eof()
        assert isinstance(event, Goodbye)
        assert one.phase is Phase.CLOSED
        assert one.receive(GET) == ()

    @pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\n", post(5), post(5) + b"ab", CHUNKED + b"0\r\n"])
    def test_inside_a_request(self, data):
        one = asked(data)
        with pytest.raises(ProtocolError) as caught:
            one.receive_eof()
        assert caught.value.rule.startswith("incomplete-")

    def test_half_closed_client_gets_its_answers(self):
        one = asked(GET + GET)
        assert one.receive_eof() == ()
        assert b"close" not in answer(one)
        assert len(one.receive(b"")) == 1
        assert b"Connection: close" in answer(one)
        assert one.phase is Phase.CLOSED

    def test_half_closed_client_with_half_a_second_request(self):
        one = asked(GET + b"GET")
        one.receive_eof()
        answer(one)
        assert refusal(one, b"").rule == "incomplete-head"


class TestAnswers:
    def test_streaming(self):
        one = asked()
        assert answer(one, body=b"a", last=False) == OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
        assert one.send_data(0, b"", False) == b""
        assert one.send_data(0, b"0123456789", False) == b"a\r\n0123456789\r\n"
        assert one.send_data(0, b"z", True) == b"1\r\nz\r\n0\r\n\r\n"
        assert one.phase is Phase.IDLE

    def test_streaming_to_http10_ends_with_the_connection(self):
        one = asked(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
        assert answer(one, body=b"a", last=False) == OK + b"Connection: close\r\n\r\na"
        assert one.send_data(0, b"b", True) == b"b"
        assert one.phase is Phase.CLOSED

    def test_overrun_is_cut(self):
        one = asked()
        out = answer(one, fields=[("Content-Length", "3")], body=b"abcd")
        assert out.endswith(b"\r\n\r\nabc")
        assert (one.overrun, one.shortfall, one.phase) == (True, False, Phase.IDLE)
        one.receive(GET)
        answer(one)
        assert not one.overrun

    def test_overrun_in_pieces(self):
        one = asked()
        answer(one, fields=[("Content-Length", "3")], body=b"ab", last=False)
        assert one.send_data(0, b"cd", False) == b"c"
        assert one.send_data(0, b"e", True) == b""
        assert one.overrun

    def test_shortfall_ends_the_connection(self):
        one = asked()
        answer(one, fields=[("Content-Length", "3")], body=b"a")
        assert (one.overrun, one.shortfall, one.phase) == (False, True, Phase.CLOSED)

    def test_head_has_no_body(self):
        one = asked(GET.replace(b"GET", b"HEAD"))
        assert answer(one, fields=[("Content-Length", "2")], body=b"hi") == OK + b"Content-Length: 2\r\n\r\n"
        assert (one.phase, one.shortfall, one.overrun) == (Phase.IDLE, False, False)
        one.receive(GET.replace(b"GET", b"HEAD"))
        assert answer(one, last=False) == OK + b"\r\n"
        assert one.send_data(0, b"body", True) == b""

    def test_errors_of_the_application_leave_the_machine_as_it_was(self):
        one = asked()
        with pytest.raises(ResponseError):
            answer(one, fields=[("A B", "c")])
        with pytest.raises(ResponseError):
            one.send_data(0, b"x", True)
        assert answer(one, "500 Oops").startswith(b"HTTP/1.1 500 Oops\r\n")
        with pytest.raises(ResponseError):
            answer(one)
        with pytest.raises(ResponseError):
            answer(machine())

    def test_driver_ends_keep_alive(self):
        one = asked()
        one.keep_alive = False
        assert b"Connection: close" in answer(one)
        assert one.phase is Phase.CLOSED

    def test_application_ends_keep_alive(self):
        one = asked()
        assert b"Connection: close" in answer(one, fields=[("Connection", "close")])
        assert one.phase is Phase.CLOSED

    def test_bypass(self):
        one = asked()
        answer(one, fields=[("Content-Length", "5")], last=False)
        with pytest.raises(ResponseError):
            one.bypass(0, 4)
        assert one.bypass(0, 5)
        assert one.phase is Phase.IDLE
        one.receive(GET.replace(b"GET", b"HEAD"))
        answer(one, fields=[("Content-Length", "5")], last=False)
        assert not one.bypass(0, 5)
        with pytest.raises(ResponseError):
            one.bypass(0, 5)

    def test_abort(self):
        one = asked()
        answer(one, last=False)
        one.abort()
        assert one.phase is Phase.CLOSED
        assert one.fail(ProtocolError(500, "x", "y", "z")) == b""


class TestUnreadBodies:
    def test_a_small_rest_is_thrown_away(self):
        one = asked(post(10) + b"abc")
        assert b"close" not in answer(one)
        assert one.phase is Phase.BODY
        (event,) = one.receive(b"defg")
        assert (event.data, event.last) == (b"", False)
        (event,) = one.receive(b"hij" + GET)
        assert (event.data, event.last, one.phase, one.pending) == (b"", True, Phase.IDLE, 27)
        assert one.receive(b"")[0].method == "GET"

    def test_a_large_rest_ends_the_connection(self):
        one = asked(post(DISCARD_LIMIT + 1))
        assert b"Connection: close" in answer(one)
        assert one.phase is Phase.CLOSED

    def test_an_endless_rest_ends_the_connection(self):
        one = asked(CHUNKED)
        answer(one)
        one.receive(b"fffff\r\n")
        error = refusal(one, b"x" * (DISCARD_LIMIT + 1))
        assert (error.status, one.fail(error), one.phase) == (0, b"", Phase.CLOSED)

    def test_an_answer_before_the_end_of_the_body(self):
        one = asked(post(10))
        answer(one, body=b"a", last=False)
        (event,) = one.receive(b"0123456789")
        assert (event.data, event.last, one.phase) == (b"0123456789", True, Phase.ANSWER)
        one.send_data(0, b"", True)
        assert one.phase is Phase.IDLE

    def test_the_client_leaves_instead(self):
        one = asked(post(10))
        answer(one)
        assert isinstance(one.receive_eof()[0], Goodbye)


class TestInterim:
    EXPECT = post(5, b"Expect: 100-continue")

    def test_continue_is_said_once(self):
        one = asked(self.EXPECT)
        assert one.outgoing() == b""
        assert one.want_continue(0) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert one.want_continue(0) == b""

    def test_no_continue_once_the_body_comes_or_the_answer_began(self):
        one = asked(self.EXPECT)
        one.receive(b"a")
        assert one.want_continue(0) == b""
        one = asked(self.EXPECT)
        answer(one, last=False)
        assert one.want_continue(0) == b""
        assert asked(post(5)).want_continue(0) == b""
        assert asked().want_continue(0) == b""

    def test_an_answer_instead_of_continue_ends_the_connection(self):
        assert b"Connection: close" in answer(asked(self.EXPECT), "403 Forbidden")
        one = asked(self.EXPECT)
        one.want_continue(0)
        assert b"Connection: close" not in answer(one, "403 Forbidden")

    def test_early_hints(self):
        one = asked()
        for _ in range(2):
            assert one.inform(0, "103 Early Hints", [("Link", "a")]) == b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        answer(one, last=False)
        assert one.inform(0, "103 Early Hints", []) == b""

    def test_early_hints_are_nothing_to_http10(self):
        one = asked(b"GET / HTTP/1.0\r\n\r\n")
        assert one.inform(0, "103 Early Hints", [("Link", "a")]) == b""
        with pytest.raises(ResponseError):
            one.inform(0, "103 Early Hints", [("Link", "a\n")])


class TestUpgrade:
    ASK = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
    TAKEN = (("Upgrade", "websocket"), ("Connection", "Upgrade"))

    def test_bytes_after_the_request_belong_to_the_tunnel(self):
        one = asked(self.ASK + b"\x81\x00")
        out = answer(one, "101 Switching Protocols", self.TAKEN)
        assert out == b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert one.phase is Phase.TUNNEL
        one.receive(b"\x82")
        assert one.take_rest() == b"\x81\x00\x82"
        assert (one.take_rest(), one.pending) == (b"", False)

    def test_nobody_asked(self):
        one = asked()
        with pytest.raises(ResponseError, match="101"):
            answer(one, "101 Switching Protocols", self.TAKEN)
        assert answer(one).startswith(OK)

    def test_not_before_the_body_is_read(self):
        one = asked(self.ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"))
        with pytest.raises(ResponseError, match="body"):
            answer(one, "101 Switching Protocols", self.TAKEN)

    def test_ignored(self):
        one = asked(self.ASK)
        answer(one)
        assert one.phase is Phase.IDLE


class TestFail:
    ERROR = ProtocolError(400, "x", "RFC 1", "detail")

    def test_ends_the_connection(self):
        one = machine()
        out = one.fail(self.ERROR)
        assert out.startswith(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")
        assert one.phase is Phase.CLOSED
        assert one.fail(self.ERROR) == b""

    def test_is_silent_where_an_answer_is_out(self):
        one = asked()
        answer(one, last=False)
        assert one.fail(self.ERROR) == b""

    def test_answers_the_request_after_an_answered_one(self):
        one = asked()
        answer(one)
        assert one.fail(self.ERROR).endswith(b"x: RFC 1\n")

    def test_carries_the_fields_of_the_error(self):
        error = ProtocolError(426, "x", "RFC 1", "detail", (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")))
        assert b"\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n" in asked().fail(error)

    def test_head_gets_no_body(self):
        one = asked(post(5).replace(b"POST", b"HEAD"))
        assert one.fail(self.ERROR).endswith(b"\r\n\r\n")


class TestProxyHeader:
    LINE = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
    TRUST = TrustPolicy(proxy_mode=ProxyMode.AUTO)

    @pytest.mark.parametrize("cut", [0, 1, 6, 20, len(LINE), len(LINE) + 5])
    def test_names_the_client(self, cut):
        one = machine(trust=self.TRUST)
        data = self.LINE + GET
        events = [*one.receive(data[:cut]), *one.receive(data[cut:])]
        assert [event.method for event in events] == ["GET"]
        assert one.peer == Peer("192.0.2.1", "56324")
        assert one.proxy_header is not None
        assert one.proxy_header.destination == Peer("198.51.100.2", "443")

    def test_comes_once(self):
        one = machine(trust=self.TRUST)
        one.receive(self.LINE + GET)
        answer(one)
        assert refusal(one, self.LINE + GET).rule == "request-line"

    def test_may_be_absent(self):
        one = machine(trust=self.TRUST)
        assert len(one.receive(GET)) == 1
        assert one.peer.host == "127.0.0.1"

    def test_of_a_stranger_is_a_bad_request(self):
        one = machine(trust=self.TRUST, host="192.0.2.9")
        assert refusal(one, self.LINE + GET).status == 400
        assert one.peer.host == "192.0.2.9"

    def test_trust_stays_with_the_transport(self):
        trust = TrustPolicy(proxy_mode=ProxyMode.V1, forwarders=Networks("127.0.0.1"))
        one = machine(trust=trust)
        head = b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\n\r\n"
        (request,) = one.receive(self.LINE + head)
        assert request.scheme == "https"

    def test_cut_short(self):
        one = machine(trust=self.TRUST)
        one.receive(self.LINE[:10])
        assert (one.phase, one.pending) == (Phase.HEAD, False)
        with pytest.raises(ProtocolError):
            one.receive_eof()


def test_events_are_of_stream_zero():
    one = machine()
    assert {event.stream for event in one.receive(post(3) + b"abc") if isinstance(event, Request | Body)} == {0}
