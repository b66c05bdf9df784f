"""permessage-deflate: messages both ways, its rules (RFC 7692 6, 7), and bombs. Cases as in Autobahn 12 and 13."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from gunicorn.protocol.websocket.events import Closed, State
from tests.support.websocket_frames import (
    BINARY,
    CONT,
    DEFLATE,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    Inflater,
    close,
    everything,
    frame,
    machine,
    outcome,
    server_close,
    server_frame,
    text,
)

OFFERS = {
    "plain": [],
    "no takeover": [("server_no_context_takeover", None), ("client_no_context_takeover", None)],
    "small windows": [("server_max_window_bits", "9"), ("client_max_window_bits", "8")],
    "browser": [("client_max_window_bits", None)],
}


def packed(opcode: int, payload: bytes) -> bytes:
    return frame(FIN | RSV1 | opcode, payload)


def conversation(offer: str):
    """(machine, deflater of the client, inflater of the client) after an offer."""
    bits = {"plain": 15, "no takeover": 15, "small windows": 9, "browser": 12}[offer]
    takeover = offer != "no takeover"
    return machine(extensions=[("permessage-deflate", OFFERS[offer])]), Deflater(bits, takeover=takeover), Inflater(12)


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("size", [0, 1, 16, 128, 1024, 5000, 70000])
@pytest.mark.parametrize("split", [None, 777])
def test_messages_both_ways(offer, size, split):
    if offer == "small windows":
        # The window that was agreed to is 256 bytes, which zlib cannot deflate with: short matches only.
        size = min(size, 200)
    chance = random.Random(size)
    one, deflate, inflate = conversation(offer)
    for _ in range(4):
        payload = chance.randbytes(size // 2) + b"x" * (size - size // 2)
        data = packed(BINARY, deflate(payload)) + packed(TEXT, deflate(b"y" * size))
        pieces = [data] if split is None else [data[at : at + split] for at in range(0, len(data), split)]
        assert everything(one, pieces) == ([payload, "y" * size], b"")
        for message in (payload, b"z" * size):
            if offer == "no takeover":
                inflate = Inflater(12)
            sent = one.send_bytes(message)
            assert sent[0] == FIN | RSV1 | BINARY
            assert inflate(_payload(sent)) == message


def _payload(data: bytes) -> bytes:
    start = {126: 4, 127: 10}.get(data[1], 2)
    return data[start:]


@pytest.mark.parametrize("messages", [["a" * 300, "b", "", "a" * 300], ["grüße" * 1000] * 3])
def test_what_is_sent_can_be_read_in_order(messages):
    one, _, inflate = conversation("browser")
    for message in messages:
        data = one.send_text(message)
        assert data[0] == FIN | RSV1 | TEXT
        assert inflate(_payload(data)).decode() == message
        data = one.send_bytes(message.encode())
        assert data[0] == FIN | RSV1 | BINARY
        assert inflate(_payload(data)) == message.encode()


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_fragments_of_a_compressed_message(size):
    one, deflate, _ = conversation("browser")
    whole = deflate(b"x" * 9000 + "µ".encode())
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    data = frame(RSV1 | TEXT, parts[0]) + frame(FIN | PING, b"p")
    data += b"".join(frame(CONT, part) for part in parts[1:]) + frame(FIN | CONT)
    message = "x" * 9000 + "µ"
    assert everything(one, [data]) == ([message], server_frame(FIN | PONG, b"p"))
    # The context goes on behind it, and plain messages do not touch it.
    more = text("plain") + packed(TEXT, deflate(message.encode()))
    assert everything(one, [more]) == (["plain", message], b"")


@pytest.mark.parametrize(
    "data",
    [
        frame(RSV1 | TEXT, Deflater()(b"a", fragment=True)) + frame(FIN | RSV1 | CONT, b""),
        frame(TEXT, b"a") + frame(FIN | RSV1 | CONT, b"\x00"),
        frame(FIN | RSV1 | PING, b"x"),
        frame(FIN | RSV1 | 0x20 | TEXT, b"x"),
        packed(TEXT, b"\xff\xff\xff"),
        packed(TEXT, b"\x07" * 3000),
        frame(RSV1 | TEXT, b"\xff\xff\xff") + frame(FIN | CONT),
    ],
)
@pytest.mark.parametrize("split", [None, 1])
def test_what_breaks_its_rules(data, split):
    events, said = outcome(data, extensions=DEFLATE, split=split)
    assert [event.code for event in events] == [1002]
    assert said == server_close(1002, events[0].reason)


@pytest.mark.parametrize("fragments", [False, True])
def test_text_is_checked_when_it_is_inflated(fragments):
    payload = Deflater()(b"good \xff")
    data = frame(RSV1 | TEXT, payload) + frame(FIN | CONT) if fragments else packed(TEXT, payload)
    assert outcome(data, extensions=DEFLATE)[0][0].code == 1007
    binary = bytes((data[0] ^ TEXT ^ BINARY,)) + data[1:]
    assert outcome(binary, extensions=DEFLATE)[0] == [b"good \xff"]


def test_a_message_may_be_uncompressed_though_it_was_agreed_to():
    data = text("plain") + frame(TEXT, b"in ") + frame(FIN | CONT, b"parts")
    assert outcome(data, extensions=DEFLATE) == (["plain", "in parts"], b"")


# -- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 255, 256, 257, 258, 259, 516, 1000, 2043, 2044, 5000, 65536])
@pytest.mark.parametrize("kind", ["zeros", "noise"])
@pytest.mark.parametrize("fragments", [1, 2, 3])
def test_exactly_the_limit_passes_and_one_byte_more_does_not(limit, kind, fragments):
    for size, passes in ((limit, True), (limit + 1, False)):
        payload = b"0" * size if kind == "zeros" else random.Random(size).randbytes(size)
        packed_payload = Deflater()(payload)
        if passes and len(packed_payload) > limit:
            continue  # what does not shrink is over the limit as it stands on the wire
        step = -(-len(packed_payload) // fragments)
        parts = [packed_payload[at : at + step] for at in range(0, len(packed_payload), step)]
        data = b"".join(
            frame((RSV1 | BINARY if not number else CONT) | (FIN if number == len(parts) - 1 else 0), part)
            for number, part in enumerate(parts)
        )
        events, _ = outcome(data, limit=limit, extensions=DEFLATE)
        assert events == ([payload] if passes else [Closed(1009, f"message of more than {limit} bytes")])


@pytest.mark.parametrize("fragments", [False, True])
def test_a_bomb_takes_no_memory(fragments):
    bomb = Deflater()(bytes(60_000_000))
    assert len(bomb) < 250_000
    data = packed(BINARY, bomb)
    if fragments:
        data = frame(RSV1 | BINARY, bomb[:30_000]) + frame(CONT, bomb[30_000:])
    one = machine(limit=1 << 20, extensions=DEFLATE)
    tracemalloc.start()
    try:
        events, said = everything(one, [data])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [event.code for event in events] == [1009]
    assert said[2:4] == (1009).to_bytes(2)
    assert one.state is State.CLOSED
    assert peak < 6 << 20


def test_many_small_bombs_come_one_batch_at_a_time():
    deflate = Deflater()
    data = b"".join(packed(BINARY, deflate(bytes(1 << 20))) for _ in range(30))
    one = machine(limit=1 << 20, extensions=DEFLATE)
    events = one.receive(data)
    assert len(events) == 1
    assert one.pending
    count = 1
    while one.pending:
        count += len(one.receive(b""))
    assert count == 30


def test_no_limit_is_no_limit():
    events, _ = outcome(packed(BINARY, Deflater()(bytes(3_000_000))), limit=0, extensions=DEFLATE)
    assert events == [bytes(3_000_000)]


def test_a_limit_is_not_one_of_control_frames():
    data = (
        frame(RSV1 | TEXT, Deflater()(b"x" * 10, fragment=True))
        + frame(FIN | PING, b"p" * 125)
        + close(1000, b"r" * 99)
    )
    events, said = outcome(data, limit=10, extensions=DEFLATE)
    assert events == [Closed(1000, "r" * 99)]
    assert said.startswith(server_frame(FIN | PONG, b"p" * 125))
