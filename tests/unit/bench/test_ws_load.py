"""The WebSocket client: its frames, and what it says of a server that echoes, lies, pings or leaves."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench import ws_load
from bench.load import LoadError
from bench.ws_load import BINARY, CLOSE, MASK, PING, PONG, frame, message, unframe

Answer = Callable[[int, bytes], list[bytes]]
"""(number of the message, its payload) -> what is sent, piece by piece."""
Control = Callable[[bytes], object]
"""Told the payload of every pong."""
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def test_a_masked_frame_is_the_one_of_the_rfc() -> None:
    """RFC 6455 §5.7: "a single-frame masked text message (contains "Hello")"."""
    assert frame(0x1, b"Hello", MASK) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert frame(0x1, b"Hello") == bytes.fromhex("810548656c6c6f")


def test_128_bytes_need_a_longer_length() -> None:
    whole = frame(BINARY, bytes(128))
    assert whole[:4] == b"\x82\x7e\x00\x80"
    assert len(frame(BINARY, bytes(128), MASK)) == len(whole) + 4 == 136
    assert unframe(whole + b"rest") == (BINARY, bytes(128), b"rest")
    assert [unframe(whole[:size]) for size in range(len(whole))] == [None] * len(whole)


def test_no_two_connections_send_the_same() -> None:
    messages = [message(number, 128) for number in range(100)]
    assert {len(one) for one in messages} == {128}
    assert len(set(messages)) == 100


@pytest.mark.parametrize("data", [b"\x02\x01x", b"\xc2\x01x", b"\x82\x81abcdx", b"\x82\x7f" + bytes(8)])
def test_fragments_reserved_bits_masks_and_giants_are_refused(data: bytes) -> None:
    with pytest.raises(LoadError):
        unframe(data)


def _serve(listener: socket.socket, answer: Answer, control: Control) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_one, args=(sock, answer, control), daemon=True).start()


def _one(sock: socket.socket, answer: Answer, control: Control) -> None:
    with sock:
        # Pieces go out as they come, without waiting for the acknowledgement of the piece before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        key = next(line[19:] for line in head.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        sock.sendall(f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        data, number = b"", 0
        while more := sock.recv(4096):
            data += more
            while (found := _unmask(data)) is not None:
                opcode, payload, data = found
                if opcode == PONG:
                    control(payload)
                if opcode != BINARY:
                    continue
                pieces = answer(number, payload)
                if not pieces:
                    return
                for piece in pieces:
                    sock.sendall(piece)
                number += 1


def _unmask(data: bytes) -> tuple[int, bytes, bytes] | None:
    """What `unframe` does, of the frames a client sends."""
    start = 4 if data[1:2] == b"\xfe" else 2
    size = int.from_bytes(data[2:4]) if start == 4 else int.from_bytes(data[1:2]) & 0x7F
    end = start + 4 + size
    if len(data) < max(end, 6):
        return None
    mask = data[start : start + 4]
    return data[0] & 0xF, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data[start + 4 : end])), data[end:]


@contextmanager
def _server(answer: Answer, control: Control = bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, answer, control), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _echo(number: int, payload: bytes) -> list[bytes]:
    return [frame(BINARY, payload)]


def test_every_echo_counts() -> None:
    served = []

    def answer(number: int, payload: bytes) -> list[bytes]:
        served.append(payload)
        return _echo(number, payload)

    with _server(answer) as port:
        report = ws_load.load(port, 3, 128, 0.2)
    assert report.errors == 0
    # The last message of each connection came back after the time.
    assert report.messages == len(served) - 3 > 0
    assert set(served) == {message(number, 128) for number in range(3)}
    assert report.rate == report.messages / report.seconds
    assert 0 < report.busy < 1.01


def test_pieces_and_pings_are_understood() -> None:
    pongs = []

    def answer(number: int, payload: bytes) -> list[bytes]:
        whole = frame(BINARY, payload)
        return [frame(PING, b"are you there?")[:5], frame(PING, b"are you there?")[5:] + whole[:3], whole[3:]]

    def control(payload: bytes) -> None:
        pongs.append(payload)

    with _server(answer, control) as port:
        report = ws_load.load(port, 2, 128, 0.2)
    assert report.errors == 0
    assert report.messages > 10
    assert set(pongs) == {b"are you there?"}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda payload: frame(BINARY, payload[:-1] + b"!"),
        lambda payload: frame(BINARY, message(9, 128)),
        lambda payload: frame(0x1, payload),
        lambda payload: frame(CLOSE, b"\x03\xe8"),
        lambda payload: b"",
    ],
)
def test_a_wrong_echo_is_an_error(wrong: Callable[[bytes], bytes]) -> None:
    def answer(number: int, payload: bytes) -> list[bytes]:
        return list(filter(None, [frame(BINARY, payload) if number < 5 else wrong(payload)]))

    with _server(answer) as port:
        report = ws_load.load(port, 2, 128, 2)
    assert report.errors == 2
    assert report.messages == 10


def test_a_server_without_websocket_is_no_load() -> None:
    def refuse(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(4096)
            sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        with pytest.raises(LoadError, match="404"):
            ws_load.load(listener.getsockname()[1], 1, 128, 0.1)
        thread.join()
