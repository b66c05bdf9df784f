"""Counting frames from outside: what is asked, and what is made of the answers. The server here invents its counts."""

from __future__ import annotations

import sys

import pytest

from bench.frames import APPLICATION_FRAMES, ASGI, frames_per_message, frames_per_request
from bench.processes import StartError

SERVER = """
import base64, hashlib, re, socket, sys

EACH, CLOSES, FIRST = int(sys.argv[1]), sys.argv[2] == "closes", 1000
listener = socket.create_server(("127.0.0.1", int(sys.argv[3])))
assert sys.argv[4].startswith("framed_asgi:"), sys.argv
count = 0
while True:
    sock, _ = listener.accept()
    while head := sock.recv(4096):
        # Warming up costs more, and one request in four has some work of its own to do: the median knows neither.
        count += EACH + (FIRST if count < 10 * FIRST else 500 if count % 4 == 0 else 0)
        if key := re.search(b"Sec-WebSocket-Key: (.*)\\r\\n", head):
            accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nSec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")
        elif head.startswith(b"GET"):
            close = b"Connection: close\\r\\n" if CLOSES else b""
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 12\\r\\n%s\\r\\n%12d" % (close, count))
            if CLOSES:
                break
        else:
            assert len(head) == 136, head
            sock.sendall(b"\\x82\\x7e\\x00\\x80%128d" % count)
    sock.close()
"""


def _command(each: int, closes: bool = False) -> list[str]:
    return [sys.executable, "-c", SERVER, str(each), "closes" if closes else "keeps", "{port}"]


@pytest.mark.parametrize("closes", [False, True])
def test_frames_of_a_request_are_the_median_without_the_application(closes: bool) -> None:
    assert frames_per_request(_command(21, closes), "unit test", application=ASGI) == 21 - APPLICATION_FRAMES


def test_frames_of_a_message_are_counted_on_one_websocket() -> None:
    assert frames_per_message(_command(13), "unit test") == 13 - APPLICATION_FRAMES


def test_a_server_that_does_not_start_is_no_figure() -> None:
    with pytest.raises(StartError):
        frames_per_request([sys.executable, "-c", "raise SystemExit(3)"], "unit test")
