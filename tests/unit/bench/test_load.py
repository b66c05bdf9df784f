"""What is asked before a load: one request, whose whole answer must be the right one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.load import POST, Load, LoadError, verify
from bench.measure import HEADLINE
from bench.workloads import ANSWERS, BROWSER, WORKLOADS, Kind


class Mirror(BaseHTTPRequestHandler):
    """Answers what it was asked; /missing is not there."""

    def do_GET(self) -> None:
        self.answer(f"{self.command} {len(self.headers)} {self.headers['Cookie']}".encode())

    def do_POST(self) -> None:
        self.answer(b"%d" % self.rfile.read(int(self.headers["Content-Length"])).count(b"x"))

    def answer(self, body: bytes) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_the_request_is_the_one_of_the_load(port: int) -> None:
    cookie = next(field for field in BROWSER if field.startswith("Cookie: "))[8:].encode()
    # Host is the tenth.
    verify(Load(fields=BROWSER), port, b"GET 10 " + cookie)
    verify(Load(script="post64k.lua"), port, b"%d" % len(POST))


@pytest.mark.parametrize(("path", "body"), [("/", b"something else"), ("/missing", b"GET 2 None")])
def test_another_answer_is_no_start(port: int, path: str, body: bytes) -> None:
    with pytest.raises(LoadError, match="answered"):
        verify(Load(path=path), port, body)


def test_every_application_under_load_has_an_answer() -> None:
    measured = {one.app for one in WORKLOADS if one.kind in (Kind.THROUGHPUT, Kind.CAPACITY)}
    assert measured == set(ANSWERS)
    assert set(HEADLINE) == set(Kind)
