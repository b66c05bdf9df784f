"""Bytes in, messages out: framing, control frames, fragments, text, closing, limits. Cases as in Autobahn's suite."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.websocket.connection import BATCH_COUNT
from gunicorn.protocol.websocket.events import LOST, Closed, Pong, State
from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    CONT,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    close,
    everything,
    frame,
    machine,
    server_close,
    server_frame,
    text,
)

SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536, 65537]
BAD_TEXTS = [
    b"\x80",
    b"\xbf\xbf",
    b"\xc0\xaf",
    b"\xc3(",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65",
]
UNFINISHED = [b"\xc2", b"\xe1\xbd", b"\xf0\x9f\x98", b"\xed\x9f", b"ok \xce"]
GOOD_TEXTS = ["", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\x7f", "\uffff", "\U0010ffff", "\ud7ff\ue000", "😀" * 40]


def outcome(data, *, limit: int = 0, split: int | None = None, **more):
    """(events, close frame said and what was said before it)."""
    pieces = [data] if split is None else [data[at : at + split] for at in range(0, len(data), split)]
    return everything(machine(limit=limit, **more), pieces)


# -- messages (Autobahn 1) -------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [None, 1, 997])
@pytest.mark.parametrize("size", SIZES)
def test_messages_of_every_length_encoding(size, split):
    if split == 1 and size > 200:
        split = 4
    data = frame(FIN | TEXT, b"*" * size) + frame(FIN | BINARY, b"\xfe" * size)
    assert outcome(data, split=split) == (["*" * size, b"\xfe" * size], b"")


@pytest.mark.parametrize("size", SIZES)
def test_messages_sent(size):
    one = machine()
    assert one.send_text("*" * size) == server_frame(FIN | TEXT, b"*" * size)
    assert one.send_bytes(b"\xfe" * size) == server_frame(FIN | BINARY, b"\xfe" * size)
    assert not one.speaks


def test_types_are_exactly_text_and_bytes():
    for data in (frame(FIN | BINARY, b"ab"), frame(BINARY, b"a") + frame(FIN | CONT, b"b"), frame(FIN | BINARY, b"")):
        (message,), _ = outcome(data)
        assert type(message) is bytes


def test_a_length_may_be_spelled_longer_than_needed():
    small = frame(FIN | TEXT, b"hi")
    longer = small[:1] + b"\xfe\x00\x02" + small[2:]
    longest = small[:1] + b"\xff" + (2).to_bytes(8) + small[2:]
    assert outcome(longer + longest) == (["hi", "hi"], b"")


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x00\x01\x00\x80"])
def test_any_mask(mask):
    assert outcome(frame(FIN | TEXT, b"hello there", mask))[0] == ["hello there"]


# -- pings (Autobahn 2) ----------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x00\xff\xfe", b"\xfe" * 125])
@pytest.mark.parametrize("split", [None, 1])
def test_a_ping_is_answered_with_its_payload(payload, split):
    assert outcome(frame(FIN | PING, payload), split=split) == ([], server_frame(FIN | PONG, payload))


def test_every_ping_is_answered_in_order():
    pings = b"".join(frame(FIN | PING, b"%d" % number) for number in range(10))
    assert outcome(pings) == ([], b"".join(server_frame(FIN | PONG, b"%d" % number) for number in range(10)))


def test_pongs_are_told_also_unasked():
    one = machine()
    assert one.ping(b"now") == server_frame(FIN | PING, b"now")
    assert everything(one, [frame(FIN | PONG, b"now") + frame(FIN | PONG)]) == ([Pong(b"now"), Pong(b"")], b"")


def test_while_the_peer_does_not_read_only_the_last_pong_is_kept():
    one = machine()
    one.congested = True
    flood = b"".join(frame(FIN | PING, b"%d" % number) for number in range(1000))
    assert everything(one, [flood, flood]) == ([], b"")
    assert one.speaks
    one.congested = False
    assert one.outgoing() == server_frame(FIN | PONG, b"999")
    assert (one.outgoing(), one.speaks) == (b"", False)


def test_nothing_owed_is_said_behind_a_close_frame():
    one = machine()
    one.congested = True
    everything(one, [frame(FIN | PING, b"x")])
    assert everything(one, [close(1000)]) == ([Closed(1000, "")], server_close(1000))
    one.congested = False
    assert one.outgoing() == b""


@pytest.mark.parametrize("first", [FIN | PING, FIN | PONG, FIN | CLOSE])
@pytest.mark.parametrize("length", [126, 65535, 1 << 40])
def test_a_long_control_frame_is_refused_before_its_payload(first, length):
    (closed,), said = outcome(frame(first, length=length))
    assert closed.code == 1002
    assert said == server_close(1002, closed.reason)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_a_control_frame_is_not_fragmented(opcode):
    assert outcome(frame(opcode, b"\x03\xe8"))[0][0].code == 1002


# -- reserved bits and opcodes, masks (Autobahn 3, 4) ----------------------------------------------------


@pytest.mark.parametrize("bits", [RSV1, RSV2, RSV3, RSV1 | RSV2, RSV2 | RSV3, RSV1 | RSV2 | RSV3])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("split", [None, 1])
def test_reserved_bits(bits, opcode, split):
    events, said = outcome(text("one") + frame(FIN | bits | opcode, b"\x03\xe8"), split=split)
    assert events == ["one", Closed(1002, "reserved bits must be 0")]
    assert said == server_close(1002, "reserved bits must be 0")


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"payload"])
def test_reserved_opcodes(opcode, payload):
    events, said = outcome(text("one") + frame(FIN | opcode, payload) + text("two"))
    assert [event if isinstance(event, str) else event.code for event in events] == ["one", 1002]
    assert said.startswith(server_close(1002)[:1])


@pytest.mark.parametrize("first", [FIN | TEXT, FIN | BINARY, TEXT, FIN | PING, FIN | CLOSE])
def test_an_unmasked_frame_is_refused_by_its_head(first):
    (closed,), said = outcome(frame(first, b"\x03\xe8", mask=None)[:2])
    assert closed.code == 1002
    assert said == server_close(1002, closed.reason)


def test_a_length_of_64_bits():
    assert outcome(frame(FIN | TEXT, length=1 << 63))[0][0].code == 1002


# -- fragments (Autobahn 5) ------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [None, 1, 3])
def test_fragments_are_joined_with_control_frames_between_them(split):
    data = (
        frame(TEXT, b"frag")
        + frame(FIN | PING, b"p")
        + frame(CONT)
        + frame(CONT, b"ment")
        + frame(FIN | PONG, b"q")
        + frame(FIN | CONT, b"!")
        + frame(BINARY, b"\x00")
        + frame(FIN | CONT)
        + text("x")
    )
    assert outcome(data, split=split) == ([Pong(b"q"), "fragment!", b"\x00", "x"], server_frame(FIN | PONG, b"p"))


@pytest.mark.parametrize(
    "data",
    [
        frame(FIN | CONT, b"x"),
        frame(CONT, b"x"),
        frame(TEXT, b"x") + frame(FIN | TEXT, b"y"),
        frame(TEXT, b"x") + frame(BINARY, b"y"),
        frame(BINARY, b"x") + frame(FIN | CONT, b"y") + frame(FIN | CONT, b"z"),
        text("a") + frame(CONT, b"x"),
    ],
)
def test_fragments_out_of_order(data):
    events, _ = outcome(data)
    assert events[-1].code == 1002


def test_a_flood_of_empty_fragments_is_one_empty_message():
    data = frame(TEXT) + frame(CONT) * 20000 + frame(FIN | CONT)
    assert outcome(data, limit=1) == ([""], b"")


# -- text (Autobahn 6) -----------------------------------------------------------------------------------


@pytest.mark.parametrize("message", GOOD_TEXTS)
@pytest.mark.parametrize("size", [None, 1, 2, 3])
def test_text_in_fragments_that_cut_characters(message, size):
    payload = message.encode()
    size = size or max(1, len(payload))
    parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    data = b"".join(
        frame((TEXT if not number else CONT) | (FIN if number == len(parts) - 1 else 0), part)
        for number, part in enumerate(parts)
    )
    assert outcome(data) == ([message], b"")
    assert outcome(data, split=1) == ([message], b"")


@pytest.mark.parametrize("payload", BAD_TEXTS + UNFINISHED)
@pytest.mark.parametrize("split", [None, 1])
@pytest.mark.parametrize("before", [b"", b"x" * 200])
def test_what_is_not_utf_8(payload, split, before):
    events, said = outcome(frame(FIN | TEXT, before + payload), split=split)
    assert events[-1].code == 1007
    assert said == server_close(1007, events[-1].reason)
    assert outcome(frame(TEXT, before + payload) + frame(FIN | CONT), split=split)[0][-1].code == 1007
    assert outcome(frame(FIN | BINARY, payload))[0] == [payload]


@pytest.mark.parametrize("payload", BAD_TEXTS)
def test_bad_text_is_refused_before_its_message_is_complete(payload):
    """At the first byte that no text goes on with: in a fragment, and in a frame of which half is here."""
    assert outcome(frame(TEXT, payload))[0][0].code == 1007
    half = frame(FIN | TEXT, b"Hello " + payload + b" and more" * 20)[: 2 + 2 + 4 + 6 + len(payload)]
    one = machine()
    events, _ = everything(one, [half])
    assert [event.code for event in events] == [1007]
    bytewise, _ = everything(machine(), [bytes((byte,)) for byte in half])
    assert bytewise == events
    assert one.must_end


@pytest.mark.parametrize("payload", UNFINISHED)
def test_an_unfinished_character_may_still_be_finished(payload):
    assert outcome(frame(TEXT, payload)) == ([], b"")


# -- closing (Autobahn 7) --------------------------------------------------------------------------------


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
    with pytest.raises(ResponseError, match="close code"):
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


# -- limits (Autobahn 9) ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [125, 126, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("split", [None, 1000])
def test_a_message_of_exactly_the_limit_passes(size, opcode, split):
    data = frame(FIN | opcode, b"x" * size)
    events, said = outcome(data, limit=size, split=split)
    assert (len(events[0]), said) == (size, b"")
    halves = frame(opcode, b"x" * (size // 2)) + frame(FIN | CONT, b"x" * (size - size // 2)) + frame(FIN | PING)
    assert len(outcome(halves, limit=size, split=split)[0][0]) == size


@pytest.mark.parametrize(
    "data",
    [
        frame(FIN | TEXT, length=101),
        frame(FIN | BINARY, length=101),
        frame(BINARY, length=1 << 40),
        frame(TEXT, b"x" * 60) + frame(CONT, length=41),
        frame(TEXT, b"x" * 100) + frame(FIN | CONT, length=1),
        frame(BINARY, b"x") * 1 + frame(CONT, b"x") * 99 + frame(FIN | CONT, length=1),
    ],
)
@pytest.mark.parametrize("split", [None, 1])
def test_a_longer_message_is_refused_by_the_head_of_its_frame(data, split):
    """No byte of the payload that is too much is here."""
    events, said = outcome(data, limit=100, split=split)
    assert events == [Closed(1009, "message of more than 100 bytes")]
    assert said == server_close(1009, "message of more than 100 bytes")


def test_a_whole_frame_over_the_limit():
    assert outcome(text("x" * 101), limit=100)[0][0].code == 1009
    assert outcome(text("x" * 300), limit=100)[0][0].code == 1009


def test_the_limit_is_not_one_of_control_frames():
    """A ping between two fragments has room also where the message has none left."""
    ping = frame(FIN | PING, b"p" * 125)
    data = frame(TEXT, b"x" * 10) + ping + frame(FIN | CONT) + close(1000, b"y" * 100)
    events, said = outcome(data, limit=10)
    assert events == ["x" * 10, Closed(1000, "y" * 100)]
    assert said == server_frame(FIN | PONG, b"p" * 125) + server_close(1000, "y" * 100)


def test_tiny_fragments_cost_what_their_bytes_cost():
    import tracemalloc

    one = machine(limit=1 << 20)
    one.receive(frame(TEXT, b"x"))
    piece = frame(CONT, b"x") * 1000
    tracemalloc.start()
    try:
        for _ in range(50):
            one.receive(piece)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 400_000
    assert one.receive(frame(FIN | CONT)) == ["x" * 50001]


# -- pauses ----------------------------------------------------------------------------------------------


def test_receive_pauses_after_a_batch_and_goes_on():
    one = machine()
    data = b"".join(text(str(number)) for number in range(100)) + close(1000)
    events = one.receive(data)
    assert events == [str(number) for number in range(BATCH_COUNT)]
    assert one.pending
    assert one.partial
    while one.pending:
        batch = one.receive(b"")
        assert len(batch) <= BATCH_COUNT
        events += batch
    assert events == [*(str(number) for number in range(100)), Closed(1000, "")]


def test_more_bytes_while_paused():
    one = machine()
    first = b"".join(text(str(number)) for number in range(40))
    events = [*one.receive(first), *one.receive(text("x") + text("y")[:3])]
    while one.pending:
        events += one.receive(b"")
    assert one.partial
    events += one.receive(text("y")[3:])
    assert events == [*(str(number) for number in range(40)), "x", "y"]
    assert not one.partial


def test_big_messages_end_a_batch():
    one = machine()
    assert len(one.receive(frame(FIN | BINARY, b"x" * 40000) * 4)) == 2
    assert one.pending
