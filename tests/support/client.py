"""An HTTP/1.1 client on a raw socket that believes nothing: every framing rule is asserted.

It sends exactly the bytes it is told to and reads answers by RFC 9112 6.3; whatever a careful
client could not understand raises `BadAnswer`. It knows no server.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

Address = tuple[str, int] | str
Fields = Sequence[tuple[str, str]]


class BadAnswer(AssertionError):
    """The server sent something that is not an HTTP/1.1 response."""


class Gone(ConnectionError):
    """The connection ended before a whole response came; `received` is what there was of it."""

    def __init__(self, why: str, received: bytes = b"") -> None:
        self.received = received
        super().__init__(f"{why} after {received[:200]!r}")


@dataclass(slots=True)
class Response:
    """A final response, and the 1xx answers that came before it."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    framing: str = "none"
    """How the end of the body was found: "none", "length", "chunked" or "close"."""
    informational: list[Response] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The value of the only field `name`; None when absent; BadAnswer when repeated."""
        values = self.headers(name)
        if len(values) > 1:
            raise BadAnswer(f"{name} repeated: {values}")
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def keeps_alive(self) -> bool:
        tokens = ",".join(self.headers("connection")).lower().replace(" ", "").split(",")
        if self.framing == "close":
            return False
        return "close" not in tokens if self.version == "HTTP/1.1" else "keep-alive" in tokens


def open_socket(address: Address, timeout: float = 10.0, source: str | None = None) -> socket.socket:
    """A connected stream socket; a str address is a unix path ("@name" = abstract)."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
        except BaseException:
            sock.close()
            raise
        return sock
    return socket.create_connection(address, timeout=timeout, source_address=(source, 0) if source else None)


class Connection:
    """One connection; `timeout` bounds every single wait."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
        timeout: float = 10.0,
        receive_buffer: int = 0,
    ) -> None:
        self.host = "localhost"
        self._buffer = b""
        if receive_buffer:
            self.sock = _small_window(address, receive_buffer, timeout)
        else:
            self.sock = open_socket(address, timeout)
        if tls is not None:
            raw = self.sock
            try:
                self.sock = tls.wrap_socket(raw, server_hostname="localhost", session=session)
            except BaseException:
                raw.close()
                raise

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.sock

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def request(
        self, method: str = "GET", target: str = "/", fields: Fields = (), body: bytes | Iterable[bytes] | None = None
    ) -> Response:
        """Sends one request and reads its response. An iterable body travels in chunks."""
        self.send_request(method, target, fields, body)
        return self.read_response(method)

    def send_request(
        self, method: str = "GET", target: str = "/", fields: Fields = (), body: bytes | Iterable[bytes] | None = None
    ) -> None:
        head = head_bytes(method, target, self.host, fields, body)
        if body is None or isinstance(body, bytes):
            self.send(head + (body or b""))
            return
        self.send(head)
        for piece in body:
            self.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.send(b"0\r\n\r\n")

    def read_response(self, method: str = "GET") -> Response:
        """The next final response. Raises Gone or BadAnswer."""
        informational: list[Response] = []
        while True:
            response = parse_head(self._until(b"\r\n\r\n"))
            if response.status >= 200 or response.status == 101:
                break
            informational.append(response)
        response.informational = informational
        self._read_body(response, method)
        return response

    def read_informational(self) -> Response:
        """The next head, which must be a 1xx."""
        response = parse_head(self._until(b"\r\n\r\n"))
        assert 100 <= response.status < 200, response
        return response

    def read_head(self) -> Response:
        """The next final head; its body stays unread."""
        return parse_head(self._until(b"\r\n\r\n"))

    def read_some(self, limit: int = 65536) -> bytes:
        """Bytes that are there or come next; b"" at the end."""
        if self._buffer:
            data, self._buffer = self._buffer[:limit], self._buffer[limit:]
            return data
        return self.sock.recv(limit)

    def read_all(self) -> bytes:
        """Everything until the server closes."""
        pieces = [self._buffer]
        self._buffer = b""
        while data := self.sock.recv(65536):
            pieces.append(data)
        return b"".join(pieces)

    def wait_closed(self, timeout: float = 5.0) -> bytes:
        """Waits for the end of the connection (FIN or RST) and returns what came before it."""
        self.sock.settimeout(timeout)
        pieces = [self._buffer]
        self._buffer = b""
        try:
            while data := self.sock.recv(65536):
                pieces.append(data)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            pass
        return b"".join(pieces)

    def is_open(self) -> bool:
        """True when neither bytes nor an end have arrived (asked without waiting)."""
        before = self.sock.gettimeout()
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1, 0 if isinstance(self.sock, ssl.SSLSocket) else socket.MSG_PEEK) != b""
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except ConnectionResetError:
            return False
        finally:
            self.sock.settimeout(before)

    def _read_body(self, response: Response, method: str) -> None:
        length = response.header("content-length")
        coding = response.header("transfer-encoding")
        if length is not None and (coding is not None or not length.isdecimal()):
            raise BadAnswer(f"Content-Length {length!r} with Transfer-Encoding {coding!r}")
        if coding is not None and (response.version == "HTTP/1.0" or response.status in (204, 101)):
            raise BadAnswer(f"Transfer-Encoding in {response.version} {response.status}")
        if method == "HEAD" or response.status in (101, 204, 304):
            response.framing = "none"
        elif coding is not None:
            if coding.lower() != "chunked":
                raise BadAnswer(f"Transfer-Encoding: {coding}")
            response.framing = "chunked"
            self._read_chunks(response)
        elif length is not None:
            response.framing = "length"
            response.body = self._exactly(int(length))
        else:
            response.framing = "close"
            response.body = self.read_all()

    def _read_chunks(self, response: Response) -> None:
        pieces = []
        while True:
            line = self._until(b"\r\n")
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise BadAnswer(f"chunk size line {line[:80]!r}") from None
            if size == 0:
                break
            response.chunks.append(size)
            pieces.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise BadAnswer("no CRLF after a chunk")
        while line := self._until(b"\r\n")[:-2]:
            response.trailers.append(_field(line))
        response.body = b"".join(pieces)

    def _until(self, mark: bytes) -> bytes:
        while (found := self._buffer.find(mark)) < 0:
            self._more()
        end = found + len(mark)
        data, self._buffer = self._buffer[:end], self._buffer[end:]
        return data

    def _exactly(self, size: int) -> bytes:
        pieces, have = [self._buffer], len(self._buffer)
        while have < size:
            data = self._receive(min(size - have, 1 << 18))
            if not data:
                raise Gone(f"end at {have} of {size} body bytes", b"".join(pieces)[:200])
            pieces.append(data)
            have += len(data)
        whole = b"".join(pieces)
        self._buffer = whole[size:]
        return whole[:size]

    def _more(self) -> None:
        data = self._receive(65536)
        if not data:
            raise Gone("end of connection", self._buffer)
        self._buffer += data

    def _receive(self, size: int) -> bytes:
        try:
            return self.sock.recv(size)
        except (ConnectionResetError, ssl.SSLEOFError) as error:
            raise Gone(type(error).__name__, self._buffer) from error


class Session:
    """Requests one after the other, on a kept connection while the server keeps it, else on a new one."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def request(
        self, method: str = "GET", target: str = "/", fields: Fields = (), body: bytes | None = None
    ) -> Response:
        connection = self._connection or self._connect()
        self._connection = connection
        response = connection.request(method, target, fields, body)
        if not response.keeps_alive:
            connection.close()
            self._connection = None
        return response


def head_bytes(method: str, target: str, host: str, fields: Fields, body: object = None) -> bytes:
    """A request head; Host and the body's framing are added unless `fields` names them."""
    named = {name.lower() for name, _ in fields}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in named:
        lines.append(f"Host: {host}")
    if isinstance(body, bytes):
        if "content-length" not in named:
            lines.append(f"Content-Length: {len(body)}")
    elif body is not None:
        lines.append("Transfer-Encoding: chunked")
    lines.extend(f"{name}: {value}" for name, value in fields)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parse_head(data: bytes) -> Response:
    """A response head with its closing empty line. Raises BadAnswer."""
    lines = data[:-4].split(b"\r\n")
    version, _, rest = lines[0].decode("latin-1").partition(" ")
    code, _, reason = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or len(code) != 3 or not code.isdecimal():
        raise BadAnswer(f"status line {lines[0][:100]!r}")
    return Response(version, int(code), reason, [_field(line) for line in lines[1:]])


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or not name or name != name.strip() or "\r" in value or "\n" in value or "\0" in value:
        raise BadAnswer(f"field line {line[:100]!r}")
    return name, value.strip(" \t")


def _small_window(address: Address, size: int, timeout: float) -> socket.socket:
    """A connection whose receive window is small from the start: for slow readers."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    sock.settimeout(timeout)
    sock.connect(address)
    return sock


def get(address: Address, target: str = "/", fields: Fields = (), *, timeout: float = 10.0) -> Response:
    """One GET on a connection of its own, which the server is asked to close."""
    return ask(address, "GET", target, fields, timeout=timeout)


def ask(
    address: Address,
    method: str,
    target: str = "/",
    fields: Fields = (),
    body: bytes | Iterable[bytes] | None = None,
    *,
    timeout: float = 10.0,
) -> Response:
    """One request on a connection of its own, which the server is asked to close."""
    with Connection(address, timeout=timeout) as connection:
        return connection.request(method, target, [("Connection", "close"), *fields], body)
