"""How a connection ends: by either side, by a broken rule, by silence. Cases as in Autobahn's suite."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.websocket.events import LOST, Closed, State
from tests.support.websocket_frames import (
    CLOSE,
    CONT,
    FIN,
    PING,
    PONG,
    RSV2,
    TEXT,
    close,
    everything,
    frame,
    machine,
    outcome,
    server_close,
    server_frame,
    text,
)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
@pytest.mark.parametrize("reason", ["", "going", "ß" * 61 + "!"])
def test_a_close_frame_is_answered_and_told(code, reason):
    one = machine()
    events, said = everything(one, [close(code, reason.encode()) + text("too late")])
    assert events == [Closed(code, reason)]
    assert said == server_close(code, reason)
    assert (one.state, one.must_end, one.close_code, one.close_reason) == (State.CLOSED, True, code, reason)
    assert (one.receive(text("far too late")), one.outgoing(), one.receive_eof()) == ([], b"", [])


def test_a_close_frame_without_a_code():
    assert outcome(close()) == ([Closed(1005, "")], server_close())


@pytest.mark.parametrize(
    "payload",
    [b"\x03", *(code.to_bytes(2) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535))],
)
def test_a_bad_close_frame(payload):
    events, said = outcome(frame(FIN | CLOSE, payload))
    assert events[0].code == 1002
    assert said == server_close(1002, events[0].reason)


def test_a_reason_that_is_not_utf_8():
    assert outcome(close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"))[0][0].code == 1007


def test_a_close_frame_within_a_message_ends_it():
    events, _ = outcome(frame(TEXT, b"half") + close(1001, b"away"))
    assert events == [Closed(1001, "away")]


def test_closing_from_our_side():
    one = machine()
    assert one.close(1000, "bye") == server_close(1000, "bye")
    assert (one.state, one.must_end) == (State.CLOSING, False)
    assert (one.close(1001), one.ping(b"")) == (b"", b"")
    # What the peer sent before it knew is of no interest, but its pings and the order of its frames are.
    events, said = everything(one, [text("late") + frame(TEXT, b"later") + frame(FIN | PING, b"p") + frame(FIN | CONT)])
    assert (events, said) == ([], server_frame(FIN | PONG, b"p"))
    assert everything(one, [close(1000, b"bye")]) == ([Closed(1000, "bye")], b"")
    assert (one.state, one.must_end) == (State.CLOSED, True)


def test_an_error_while_closing_is_the_end_without_a_second_close_frame():
    one = machine()
    one.close(1000)
    assert everything(one, [frame(FIN | TEXT | RSV2, b"x")]) == ([Closed(LOST, "")], b"")
    assert one.must_end


@pytest.mark.parametrize("held", [b"", b"\x81", frame(FIN | TEXT, b"half a frame")[:9], frame(TEXT, b"fragment")])
@pytest.mark.parametrize("closing", [False, True])
def test_an_end_without_a_close_frame(held, closing):
    one = machine()
    everything(one, [held] if held else [])
    if closing:
        one.close(1001)
    assert one.receive_eof() == [Closed(LOST, "")]
    assert (one.state, one.must_end, one.outgoing(), one.close_code) == (State.CLOSED, True, b"", LOST)
    assert one.receive_eof() == []


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1999, 2999, 5000, "1000", None])
def test_codes_that_may_not_be_sent(code):
    with pytest.raises(ResponseError, match="close"):
        machine().close(code)


@pytest.mark.parametrize("reason", ["x" * 124, "ß" * 62, "\ud800"])
def test_reasons_that_may_not_be_sent(reason):
    one = machine()
    with pytest.raises(ResponseError, match="reason"):
        one.close(1000, reason)
    assert one.state is State.OPEN


@pytest.mark.parametrize("state", ["closing", "closed"])
def test_nothing_is_sent_after_the_close_frame(state):
    one = machine()
    one.close(1000)
    if state == "closed":
        one.receive(close(1000))
    for send in (lambda: one.send_text("x"), lambda: one.send_bytes(b"x")):
        with pytest.raises(ResponseError, match=state):
            send()


def test_a_lone_surrogate_is_no_text():
    with pytest.raises(ResponseError, match="surrogate"):
        machine().send_text("\ud800")
