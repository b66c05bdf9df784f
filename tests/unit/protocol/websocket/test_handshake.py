"""The opening handshake: which requests are one, what the 101 says, what the application may not."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp, WebSocketPolicy
from gunicorn.protocol.machine import Phase
from gunicorn.protocol.trust import Peer, TrustPolicy
from gunicorn.protocol.websocket.connection import WebSocket
from gunicorn.protocol.websocket.handshake import read_offer
from tests.support.websocket_frames import KEY, frame

FIELDS = {
    "Host": "test",
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
ACCEPT = ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
"""For the key of RFC 6455 1.3, which KEY is."""


def machine() -> Http1:
    return Http1(HttpPolicy(), TrustPolicy(), Stamp("", ""), Peer("192.0.2.1", "1"), "http")


def ask(*more: str, start: str = "GET /chat HTTP/1.1", one: Http1 | None = None, **changes: str | None):
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [start, *(f"{name}: {value}" for name, value in fields.items() if value is not None), *more, "", ""]
    return (one or machine()).receive("\r\n".join(lines).encode("latin-1"))[0]


def test_the_offer():
    offer = read_offer(
        ask(
            "Sec-WebSocket-Protocol: chat, ,log",
            "Sec-WebSocket-Protocol: \tchat2",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-y; a=1",
            'Sec-WebSocket-Extensions: z; b="2"',
        )
    )
    assert offer.key == KEY
    assert offer.subprotocols == ["chat", "log", "chat2"]
    assert offer.extensions == [
        ("permessage-deflate", [("client_max_window_bits", None)]),
        ("x-y", [("a", "1")]),
        ("z", [("b", "2")]),
    ]


def test_the_least_offer():
    offer = read_offer(ask(Sec_WebSocket_Protocol="", Sec_WebSocket_Extensions=" "))
    assert (offer.subprotocols, offer.extensions) == ([], [])


@pytest.mark.parametrize(
    ("more", "changes", "status", "rule"),
    [
        ((), {"Upgrade": "h2c"}, 426, "websocket-upgrade"),
        ((), {"Upgrade": None}, 426, "websocket-upgrade"),
        ((), {"Connection": "close"}, 426, "websocket-upgrade"),
        ((), {"start": "GET / HTTP/1.0"}, 426, "websocket-upgrade"),
        ((), {"start": "POST / HTTP/1.1"}, 405, "websocket-method"),
        (("Content-Length: 2",), {}, 400, "websocket-body"),
        (("Transfer-Encoding: chunked",), {}, 400, "websocket-body"),
        ((), {"Sec-WebSocket-Version": None}, 426, "websocket-version"),
        ((), {"Sec-WebSocket-Version": "8"}, 426, "websocket-version"),
        ((), {"Sec-WebSocket-Version": "013"}, 426, "websocket-version"),
        (("Sec-WebSocket-Version: 13",), {}, 400, "websocket-version"),
        ((), {"Sec-WebSocket-Key": None}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": ""}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": KEY[:-1]}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": KEY + "="}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": "AAAA" + KEY}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": "=" + KEY[1:]}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": KEY[:4] + " " + KEY[4:]}, 400, "websocket-key"),
        ((), {"Sec-WebSocket-Key": "\xe9" + KEY[1:]}, 400, "websocket-key"),
        ((f"Sec-WebSocket-Key: {KEY}",), {}, 400, "websocket-key"),
        (("Sec-WebSocket-Protocol: a b",), {}, 400, "websocket-protocol"),
        (("Sec-WebSocket-Protocol: a, (b)",), {}, 400, "websocket-protocol"),
        (("Sec-WebSocket-Extensions: a;;",), {}, 400, "websocket-extensions"),
        (("Sec-WebSocket-Extensions: a=1",), {}, 400, "websocket-extensions"),
        (("Sec-WebSocket-Extensions: a; b=\xe9",), {}, 400, "websocket-extensions"),
        (('Sec-WebSocket-Extensions: a; b="c d"',), {}, 400, "websocket-extensions"),
    ],
)
def test_refuses(more, changes, status, rule):
    with pytest.raises(ProtocolError) as caught:
        read_offer(ask(*more, **changes))
    error = caught.value
    assert (error.status, error.rule) == (status, rule)
    assert error.section.startswith("RFC 6455 4")
    assert str(error).isascii()


def test_the_answer_to_another_version_says_which_is_spoken():
    one = machine()
    with pytest.raises(ProtocolError) as caught:
        read_offer(ask(Sec_WebSocket_Version="8", one=one))
    lines = one.fail(caught.value).split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 426 Upgrade Required"
    assert {b"Upgrade: websocket", b"Connection: close, upgrade", b"Sec-WebSocket-Version: 13"} <= set(lines)


def test_the_answer_to_another_method_says_which_is_allowed():
    one = machine()
    with pytest.raises(ProtocolError) as caught:
        read_offer(ask(start="PUT / HTTP/1.1", one=one))
    assert b"\r\nAllow: GET\r\n" in one.fail(caught.value)


def accepted(*more: str, subprotocol: str | None = None, fields=(), deflate: bool = True):
    websocket = WebSocket(WebSocketPolicy(deflate=deflate), read_offer(ask(*more)))
    return websocket.accept(subprotocol, list(fields))


def test_the_answer():
    own = [("X-One", "1"), ("Server", "me")]
    status, fields = accepted("Sec-WebSocket-Protocol: a, b", subprotocol="b", fields=own)
    assert status == "101 Switching Protocols"
    assert fields == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ACCEPT,
        ("Sec-WebSocket-Protocol", "b"),
        *own,
    ]


def test_the_answer_through_the_http_machine():
    one = machine()
    websocket = WebSocket(WebSocketPolicy(), read_offer(ask(one=one)))
    behind = frame(0x81, b"hi")
    one.receive(behind)
    status, fields = websocket.accept(None, [("X", "y")])
    head = one.respond(0, status, fields, b"", False)
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 101 Switching Protocols",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"X: y",
        b"",
        b"",
    ]
    assert one.phase is Phase.TUNNEL
    assert websocket.receive(one.take_rest()) == ("hi",)


@pytest.mark.parametrize(
    ("extensions", "deflate", "answer"),
    [
        ("permessage-deflate", True, "permessage-deflate; server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            True,
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            True,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8",
            True,
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8",
        ),
        (
            "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
            True,
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        ("permessage-deflate; server_max_window_bits=8", True, None),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            True,
            "permessage-deflate; server_max_window_bits=12",
        ),
        ("permessage-deflate; server_max_window_bits=16", True, None),
        ("permessage-deflate; server_max_window_bits", True, None),
        ("permessage-deflate; client_max_window_bits=7", True, None),
        ("permessage-deflate; unknown", True, None),
        ("permessage-deflate; server_no_context_takeover=1", True, None),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", True, None),
        ("x-webkit-deflate-frame, permessage-foo", True, None),
        ("permessage-deflate", False, None),
    ],
)
def test_what_is_agreed_to(extensions, deflate, answer):
    _, fields = accepted(f"Sec-WebSocket-Extensions: {extensions}", deflate=deflate)
    assert dict(fields).get("Sec-WebSocket-Extensions") == answer


@pytest.mark.parametrize(
    ("subprotocol", "fields", "words"),
    [
        ("c", [], "'c'; it offered 'a', 'b'"),
        ("A", [], "did not offer"),
        ("", [], "did not offer"),
        (None, [("Sec-WebSocket-Protocol", "a")], "by 'subprotocol'"),
        (None, [("sec-websocket-accept", "x")], "sec-websocket-accept"),
        (None, [("Sec-WebSocket-Extensions", "x")], "Sec-WebSocket-Extensions"),
        (None, [("Upgrade", "h2c")], "Upgrade"),
        (None, [("Connection", "close")], "Connection"),
        (None, [("Transfer-Encoding", "chunked")], "Transfer-Encoding"),
        (None, [("Content-Length", "0")], "Content-Length"),
    ],
)
def test_what_the_application_may_not_say(subprotocol, fields, words):
    with pytest.raises(ResponseError, match=words):
        accepted("Sec-WebSocket-Protocol: a, b", subprotocol=subprotocol, fields=fields)
