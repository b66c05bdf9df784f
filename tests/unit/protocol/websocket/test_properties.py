"""What holds for any frames in any pieces: the same events, agreement with the library alone, nothing raised."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.protocol.websocket.events import Closed, State
from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    CONT,
    DEFLATE,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    TEXT,
    Deflater,
    Verdict,
    alone,
    close,
    ending,
    everything,
    frame,
    machine,
)

LIMIT = 300
WORDS = [b"", b"a", b"hello", "µ€😀".encode(), "µ€😀".encode()[:5], b"\xff", b"\xed\xa0", b"x" * 126, b"y" * LIMIT]
PAYLOADS = st.sampled_from(WORDS) | st.binary(max_size=8)
ORDINARY = st.one_of(
    st.builds(lambda opcode, payload: frame(FIN | opcode, payload), st.sampled_from([TEXT, BINARY]), PAYLOADS),
    st.builds(
        lambda opcode, first, more, last: frame(opcode, first) + more + frame(FIN | CONT, last),
        st.sampled_from([TEXT, BINARY]),
        PAYLOADS,
        st.sampled_from([b"", frame(FIN | PING, b"p"), frame(CONT, b"..."), frame(FIN | PONG)]),
        PAYLOADS,
    ),
    st.builds(lambda opcode, payload: frame(FIN | opcode, payload[:125]), st.sampled_from([PING, PONG]), PAYLOADS),
    st.builds(lambda payload: frame(FIN | RSV1 | TEXT, Deflater()(payload)), PAYLOADS),
)
ODD = st.one_of(
    st.builds(
        lambda bits, opcode, payload: frame(bits | opcode, payload),
        st.sampled_from([0, FIN, FIN | RSV1, RSV1, FIN | RSV2]),
        st.integers(0, 15),
        PAYLOADS,
    ),
    st.builds(lambda first, payload: frame(first, payload, mask=None), st.sampled_from([0x81, 0x82]), PAYLOADS),
    st.builds(lambda code: close(code, b"bye"), st.integers(0, 5001)),
    st.sampled_from([close(), frame(FIN | CLOSE, b"\x03"), frame(FIN | TEXT, length=LIMIT + 1), b"\x81", b"\x81\xff"]),
    st.binary(max_size=12),
)
STREAMS = st.lists(ORDINARY | ODD, max_size=8).map(b"".join)
GOOD_STREAMS = st.lists(ORDINARY, max_size=8).map(b"".join)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


def verdict(pieces: list[bytes], deflate: bool) -> Verdict:
    return ending(machine(limit=LIMIT, extensions=DEFLATE if deflate else ()), pieces)


@settings(max_examples=400, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 1 << 16), max_size=12), st.booleans())
def test_any_split_gives_the_same(data, cuts, deflate):
    whole = verdict([data], deflate)
    assert verdict(cut(data, cuts), deflate) == whole
    assert verdict([data[at : at + 1] for at in range(len(data))], deflate) == whole


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.booleans())
def test_every_stream_has_one_end_and_it_comes_last(data, deflate):
    events, _, _, state = verdict([data], deflate)
    assert [type(event) for event in events].count(Closed) == 1
    assert type(events[-1]) is Closed
    assert state is State.CLOSED
    lengths = [len(event) for event in events if isinstance(event, (str, bytes))]
    assert all(length <= LIMIT for length in lengths)


@settings(max_examples=400, deadline=None)
@given(STREAMS)
def test_the_library_alone_says_the_same(data):
    """Without limits and extensions: the short way and the tests before it change no verdict, they come earlier."""
    one = machine()
    events, said = everything(one, [data])
    messages, code, writes = alone(data)
    ours = [event for event in events if isinstance(event, (str, bytes))]
    assert ours == messages[: len(ours)]
    if not one.close_code:
        assert (ours, said, 0) == (messages, writes, code)
    elif one.close_code not in (1002, 1007, 1009):
        assert (ours, one.close_code) == (messages, code)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | st.binary(max_size=70000), st.booleans())
def test_what_is_sent_is_what_the_library_would_send(message, deflate):
    one = machine(extensions=DEFLATE if deflate else ())
    other = machine(extensions=DEFLATE if deflate else ())
    library = other._protocol
    if isinstance(message, str):
        library.send_text(message.encode())
        sent = one.send_text(message)
    else:
        library.send_binary(message)
        sent = one.send_bytes(message)
    assert sent == b"".join(library.data_to_send())
