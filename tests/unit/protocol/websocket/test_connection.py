"""Bytes in, messages out: framing, control frames, fragments, text, closing, limits. Cases as in Autobahn's suite."""

from __future__ import annotations

import pytest

from gunicorn.protocol.websocket.connection import BATCH_COUNT
from gunicorn.protocol.websocket.events import Closed, Pong
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
    outcome,
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
