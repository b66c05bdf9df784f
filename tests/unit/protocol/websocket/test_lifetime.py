"""What a connection leaves behind: nothing that waits for the collector, and no error of the library unseen."""

from __future__ import annotations

import gc
import weakref

import pytest
from websockets.extensions import Extension

from gunicorn.protocol.websocket.events import State
from tests.support.websocket_frames import DEFLATE, FIN, RSV1, TEXT, Deflater, close, everything, frame, machine, text


@pytest.mark.parametrize(
    "last",
    [
        close(1000),
        close(999),
        frame(FIN | TEXT, b"\xff"),
        frame(FIN | 3),
        frame(FIN | RSV1 | TEXT, b"\xff\xff\xff"),
        frame(RSV1 | TEXT, b"\xff\xff\xff") + frame(FIN),
        frame(FIN | RSV1 | TEXT, Deflater()(b"x" * 101)),
        b"",
    ],
)
def test_it_is_freed_by_counting(last):
    gc.collect()
    gc.disable()
    try:
        one = machine(limit=100, extensions=DEFLATE)
        watched = [weakref.ref(one._protocol), weakref.ref(one._coding)]
        everything(one, [text("x"), last])
        one.receive_eof()
        assert one.state is State.CLOSED
        del one
        assert [ref() for ref in watched] == [None, None]
    finally:
        gc.enable()


def test_what_comes_after_the_end_is_ignored():
    one = machine()
    everything(one, [close(1000)])
    assert everything(one, [text("x"), b"\x81", close(1000)]) == ([], b"")
    assert one.receive_eof() == []
    assert (one.close(1000), one.ping(b"x"), one.partial, one.pending) == (b"", b"", False, False)


class Broken(Extension):
    """An extension with a bug."""

    def decode(self, frame, *, max_size=None):
        raise LookupError("a bug, not the peer's fault")


def test_a_bug_under_the_library_is_raised():
    one = machine()
    one._protocol.extensions = [Broken()]
    with pytest.raises(LookupError):
        one.receive(frame(TEXT, b"a fragment goes through the library"))
