"""WebSockets byte by byte against real servers: what a client may send and may not, and clients that do not read."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.support.client import Connection
from tests.support.processes import consistently, eventually
from tests.support.server import Server
from tests.support.websocket_frames import (
    BINARY,
    CONT,
    FIN,
    KEY,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    Inflater,
    close,
    frame,
    server_close,
    server_frame,
    text,
)

APP = "tests.apps.asgi.conversations:app"
LIMIT = 100_000
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    loop = ("-k", "asgi", "--asgi-loop", request.param)
    with Server(APP, *loop, "--websocket-max-message-size", str(LIMIT)) as running:
        yield running


class Client:
    """A WebSocket by hand."""

    def __init__(self, server: Server, path: str = "/", receive_buffer: int = 0, **fields: str) -> None:
        self.connection = server.connect(receive_buffer=receive_buffer)
        self.seen = len(ends(server))
        self.server = server
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self.connection.send_request("GET", path, list({**HANDSHAKE, **named}.items()))
        self.response = self.connection.read_head()

    def __enter__(self) -> Client:
        assert self.response.status == 101
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.send(data)

    def expect(self, data: bytes) -> None:
        """Exactly these bytes come next."""
        assert self.connection._exactly(len(data)) == data

    def end(self) -> list[object]:
        """The server closes the connection; how the application's ended."""
        assert self.connection.wait_closed() == b""
        return self.told()

    def told(self) -> list[object]:
        return eventually(lambda: ends(self.server)[self.seen :], "the application was told")[0]


def ends(server: Server) -> list[list[object]]:
    return json.loads(server.get("/ends").body)


def test_messages_of_every_size_in_any_pieces(server):
    with Client(server) as client:
        assert client.response.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        for size in (0, 125, 126, 65535, 65536, LIMIT):
            client.send(frame(FIN | BINARY, b"x" * size))
            client.expect(server_frame(FIN | BINARY, b"x" * size))
        for byte in text("grüße"):
            client.send(bytes((byte,)))
        client.expect(server_frame(FIN | TEXT, "grüße".encode()))
        for byte in frame(TEXT, b"one ") + frame(FIN | PING, b"p") + frame(FIN | CONT, b"message"):
            client.send(bytes((byte,)))
        client.expect(server_frame(FIN | PONG, b"p"))
        client.expect(server_frame(FIN | TEXT, b"one message"))
        client.send(close(4000, b"bye"))
        client.expect(server_close(4000, "bye"))
        assert client.end() == ["echo", 4000, "bye"]


def test_many_messages_in_one_packet_come_back_in_order(server):
    with Client(server) as client:
        messages = [str(number) for number in range(2000)]
        client.send(b"".join(map(text, messages)))
        client.expect(b"".join(server_frame(FIN | TEXT, message.encode()) for message in messages))
        client.connection.reset()
        assert client.told()[:2] == ["echo", 1006]


def test_compressed_messages(server):
    with Client(server, **DEFLATE) as client:
        answer = client.response.header("Sec-WebSocket-Extensions")
        assert answer == "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        deflate, inflate = Deflater(), Inflater()
        for message in (b"again and again " * 100, b"", b"again and again " * 100):
            client.send(frame(FIN | RSV1 | TEXT, deflate(message)))
            first, size = client.connection._exactly(2)
            assert first == FIN | RSV1 | TEXT
            assert inflate(client.connection._exactly(size)) == message
        client.send(close(1000))
        client.expect(server_close(1000))


def test_compression_can_be_off(asgi_worker):
    with Server(APP, *asgi_worker, "--no-websocket-permessage-deflate") as server, Client(server, **DEFLATE) as client:
        assert client.response.header("Sec-WebSocket-Extensions") is None
        client.send(frame(FIN | RSV1 | TEXT, Deflater()(b"x")))
        assert client.connection.wait_closed().startswith(server_close(1002)[:1])
        assert client.told()[:2] == ["echo", 1002]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(FIN | TEXT, b"\xff"), 1007),
        (frame(TEXT, b"good") + frame(CONT, b"\xed\xa0\x80"), 1007),
        (frame(FIN | TEXT, b"Hello \xf4\x90" + b"x" * 300)[:20], 1007),
        (frame(FIN | BINARY, length=LIMIT + 1), 1009),
        (frame(BINARY, b"x" * LIMIT) + frame(FIN | CONT, length=1), 1009),
        (frame(FIN | BINARY, length=1 << 62), 1009),
        (frame(FIN | TEXT, b"x", mask=None), 1002),
        (frame(FIN | 0x20 | TEXT, b"x"), 1002),
        (frame(FIN | 3, b"x"), 1002),
        (frame(FIN | CONT, b"x"), 1002),
        (frame(FIN | PING, length=126), 1002),
        (frame(PING, b"x"), 1002),
        (close(1005), 1002),
        (close(999), 1002),
        (close(5000), 1002),
        (close(1000, b"\xff"), 1007),
        (frame(FIN | 8, b"\x03"), 1002),
    ],
)
def test_bad_input_ends_the_connection_with_its_code(server, data, code):
    with Client(server) as client:
        client.send(text("before"))
        client.expect(server_frame(FIN | TEXT, b"before"))
        client.send(data)
        first, size = client.connection._exactly(2)
        said = client.connection._exactly(size)
        assert (first, int.from_bytes(said[:2])) == (FIN | 8, code)
        assert client.end() == ["echo", code, said[2:].decode()]


def test_a_bomb(server):
    with Client(server, **DEFLATE) as client:
        client.send(frame(FIN | RSV1 | BINARY, Deflater()(bytes(50_000_000))))
        assert client.connection._exactly(4)[2:] == (1009).to_bytes(2)
        client.connection.wait_closed()
        assert client.told()[:2] == ["echo", 1009]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Protocol": "a b"}, 400),
        ({"Sec-WebSocket-Extensions": ";"}, 400),
    ],
)
def test_handshakes_that_are_none(server, fields, status):
    client = Client(server, **fields)
    assert client.response.status == status
    if status == 426:
        assert client.response.header("Sec-WebSocket-Version") == "13"
        assert client.response.header("Upgrade") == "websocket"
    client.connection.wait_closed()
    client.connection.close()


@pytest.mark.parametrize("phase", ["handshake", "frame", "fragment", "close"])
@pytest.mark.parametrize("how", ["half", "reset"])
def test_clients_that_vanish(server, phase, how):
    with Client(server) as client:
        client.send(
            {
                "handshake": b"",
                "frame": frame(FIN | TEXT, b"half a frame")[:9],
                "fragment": frame(TEXT, b"half a message"),
                "close": close(1000),
            }[phase]
        )
        if how == "half":
            client.connection.sock.shutdown(socket.SHUT_WR)
            client.connection.wait_closed()
        else:
            client.connection.reset()
        kind, code, _ = client.told()
        assert kind == "echo"
        assert code in ((1000, 1006) if phase == "close" else (1006,))


def test_a_client_that_sends_more_than_is_read_is_made_to_wait(server):
    with Client(server, "/deaf") as client:
        piece = frame(FIN | BINARY, b"x" * 50_000)
        sock = client.connection.sock
        sock.setblocking(False)
        sent = _send_until_blocked(sock, piece, 64 << 20)
        assert sent < 32 << 20, "the kernel's buffers and a little, not all that is sent"
        assert server.get("/ends").status == 200, "others are served"
        sock.settimeout(10)
        assert server.get("/wake").status == 200
        rest = sent % len(piece)
        sock.sendall(piece[rest:] if rest else b"")
        sock.sendall(close(1000))
        client.expect(server_close(1000))
        whole = -(-sent // len(piece)) * 50_000
        eventually(lambda: ["deaf", 1000, whole] in ends(server), "it read all of it")


def _send_until_blocked(sock: socket.socket, piece: bytes, most: int) -> int:
    """How many bytes of `piece` after `piece` the other side took, until nothing moved for a second."""
    sent, moved = 0, time.monotonic()
    while time.monotonic() - moved < 1.0 and sent < most:
        try:
            count = sock.send(piece[sent % len(piece) :])
        except BlockingIOError:
            time.sleep(0.02)
        else:
            sent += count
            moved = time.monotonic()
    return sent


def test_an_application_waits_for_a_client_that_does_not_read(server):
    with Client(server, "/talks", receive_buffer=4096) as client:
        (worker,) = server.workers()
        before = resident(worker)
        consistently(lambda: resident(worker) - before < 24 << 20, "what is not read is not collected", 1.5)
        assert server.get("/ends").status == 200, "others are served"
        client.connection.reset()
        assert client.told() == ["talks", True, ""]


def resident(pid: int) -> int:
    """Bytes of memory in use by a process."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_an_application_that_raises(asgi_worker):
    with Server(APP, *asgi_worker, tracebacks=True) as server, Client(server, "/raises") as client:
        client.send(text("x"))
        client.expect(server_close(1011))
        client.send(close(1011))
        client.connection.wait_closed()
        log = server.wait_log("this was to be expected")
        assert "in raises" in log


@pytest.mark.slow
def test_pings(asgi_worker):
    """A client that answers stays, one that does not is closed with 1011."""
    times = ("--websocket-ping-interval", "0.4", "--websocket-ping-timeout", "0.8")
    with Server(APP, *asgi_worker, *times) as server:
        with Client(server) as client:
            for _ in range(2):
                first, size = client.connection._exactly(2)
                assert first == FIN | PING
                client.send(frame(FIN | PONG, client.connection._exactly(size)))
            client.send(text("still here"))
            client.expect(server_frame(FIN | TEXT, b"still here"))
        with Client(server) as silent:
            said = silent.connection.wait_closed(10)
            assert said[0] == FIN | PING
            assert server_close(1011, "keepalive ping timeout") in said
            assert [end[1:] for end in ends(server)[silent.seen :] if end[1] == 1006]


def test_over_tls_and_unix_sockets(asgi_worker):
    for more in ({"tls": True}, {"bind": "unix"}):
        with Server(APP, *asgi_worker, **more) as server, Client(server) as client:
            assert isinstance(client.connection, Connection)
            for size in (5, 70_000, 1_000_000):
                client.send(frame(FIN | BINARY, b"x" * size))
                client.expect(server_frame(FIN | BINARY, b"x" * size))
            client.send(close(1000))
            client.expect(server_close(1000))
            assert client.end() == ["echo", 1000, ""]
