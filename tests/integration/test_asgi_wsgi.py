"""WSGI applications in threads of the asgi worker: bodies, streams, slow and lost clients, side by side, the end."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGINT, SIGTERM

import pytest

from tests.support.client import Gone
from tests.support.processes import consistently, eventually, resident_bytes, threads
from tests.support.server import Server

ANSWERS = "tests.apps.answers:app"
SLOW = "tests.apps.slow:app"


@pytest.fixture
def bridged(asgi_worker) -> tuple[str, ...]:
    """The command line that runs a WSGI application on each event loop."""
    return (*asgi_worker, "--interface", "wsgi", "--threads", "2")


# What a body, a head, an environ and a thread are like, a path each.
APPLICATION = """
import hashlib
import threading
import time

CLOSED = []
LOCK = threading.Lock()

class Pieces:
    def __init__(self, name, pieces):
        self.name, self.pieces = name, pieces

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        CLOSED.append(self.name)

def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Digest", hashlib.md5(body).hexdigest())])
    return [body]

def numbers(environ, start_response):
    start_response("200 OK", [])
    return Pieces("numbers", (b"%07d\\n" % number for number in range(20000)))

def wide(environ, start_response):
    start_response("200 OK", [])
    return Pieces("wide", (b"x" * 65536 for _ in range(640)))

def names(environ, start_response):
    start_response("200 OK", [])
    return [threading.current_thread().name.encode()]

def live(environ, start_response):
    start_response("200 OK", [])
    return iter(lambda: environ["wsgi.input"].read1(65536), b"")

def late(environ, start_response):
    put = start_response("200 OK", [])
    def go_on():
        time.sleep(0.2)
        try:
            put(b"forged")
        except Exception as error:
            CLOSED.append(type(error).__name__)
    threading.Thread(target=go_on).start()
    return [b"whole"]

def breaks_close(environ, start_response):
    class Body(Pieces):
        def close(self):
            raise ValueError("the close broke")
    start_response("200 OK", [])
    return Body("", [b"a", b"b"])

def cancelled(environ, start_response):
    import asyncio
    raise asyncio.CancelledError

def upgrade(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"http" if environ.get("HTTP_UPGRADE") else b"none"]

def lists(environ, start_response):
    start_response("200 OK", [])
    return [",".join(CLOSED).encode()]

def app(environ, start_response):
    return globals()[environ["PATH_INFO"][1:]](environ, start_response)
"""


@pytest.fixture
def written(tmp_path):
    (tmp_path / "threaded.py").write_text(APPLICATION)
    return tmp_path


def serve(folder, *arguments, **options) -> Server:
    return Server("threaded:app", *arguments, cwd=folder, **options)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_echoed_whole_and_kept_in_a_file(bridged, written, chunked):
    body = bytes(range(256)) * (5 * 4096)
    with serve(written, *bridged) as server, server.connect() as connection:
        for _ in range(2):
            sent = [body[at : at + 100_000] for at in range(0, len(body), 100_000)] if chunked else body
            answer = connection.request("POST", "/echo", (), sent)
            assert answer.body == body


def test_bodies_that_are_long_in_coming_take_no_thread(bridged, written):
    with serve(written, *bridged) as server:
        dripping = [server.connect() for _ in range(4)]
        for connection in dripping:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf ")
        assert server.get("/names").status == 200
        for connection in dripping:
            connection.send(b"whole")
            assert connection.read_response().body == b"half whole"
            connection.close()


def test_a_body_is_read_while_it_arrives_where_that_is_asked(bridged, written):
    with serve(written, *bridged, "--no-request-buffering") as server, server.connect() as connection:
        connection.send(b"POST /live HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        connection.read_head()
        assert b"one" in connection.read_some()
        connection.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert b"two" in connection.read_some()


def test_a_body_that_cannot_be_stored_is_refused(bridged, written):
    folder = written / "spool"
    folder.mkdir()
    options = f"tmp_upload_dir = {str(folder)!r}"
    with serve(written, *bridged, "--spool-threshold", "1000", config=options) as server:
        folder.rmdir()
        assert server.ask("POST", "/echo", (), b"x" * 5000).status == 507
        assert server.ask("POST", "/echo", (), b"x" * 500).status == 200
        assert "could not be stored" in server.log()


def test_a_body_that_stops_coming_is_refused(bridged, written):
    with serve(written, *bridged, "--body-timeout", "0.5") as server, server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf")
        assert connection.read_response().status == 408
        assert server.get("/names").status == 200


def test_a_body_that_is_not_complete_when_the_worker_ends_is_refused(bridged, written):
    with serve(written, *bridged, "--graceful-timeout", "1") as server, server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf")
        time.sleep(0.2)
        server.signal(SIGTERM)
        assert connection.read_response().status == 408
        assert server.wait() == 0


def test_the_body_is_asked_for(bridged, written):
    with serve(written, *bridged) as server, server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_informational().status == 100
        connection.send(b"body")
        assert connection.read_response().body == b"body"


def test_many_small_pieces_arrive_in_order(bridged, written):
    with serve(written, *bridged) as server:
        assert server.get("/numbers").body == b"".join(b"%07d\n" % number for number in range(20000))


def test_a_stream_is_seen_piece_by_piece(bridged):
    with Server(ANSWERS, *bridged, twin=False) as server, server.connect() as connection:
        connection.send_request("GET", "/steps")
        connection.read_head()
        first = connection.read_some()
        assert b"data: 0" in first
        assert b"data: 2" not in first


def test_a_slow_reader_holds_its_thread_and_no_memory(bridged, written):
    """40 MiB for a client that does not read: the application waits, the others go on."""
    with serve(written, *bridged) as server:
        server.get("/names")
        (pid,) = server.workers()
        before = resident_bytes(pid)
        with server.connect(receive_buffer=4096) as connection:
            connection.send_request("GET", "/wide")
            connection.read_head()
            for _ in range(5):
                assert server.get("/names").status == 200
            consistently(lambda: resident_bytes(pid) - before < 12 << 20, "memory stays bounded", 1.0)
            assert b"wide" not in server.get("/lists").body
        eventually(lambda: b"wide" in server.get("/lists").body, "the iterable is closed")


def test_a_slow_reader_of_a_file_holds_no_thread(bridged):
    alone = (*bridged, "--threads", "1")
    with Server(ANSWERS, *alone, twin=False) as server, server.connect(receive_buffer=4096) as connection:
        connection.send_request("GET", "/file?n=30000000")
        connection.read_head()
        assert server.get("/length").body == b"hello"


def test_two_slow_requests_take_the_time_of_one_and_a_third_waits(bridged):
    with Server(SLOW, *bridged, twin=False) as server:
        server.get("/fast")
        started = time.monotonic()
        with ThreadPoolExecutor(3) as pool:
            two = [pool.submit(server.get, "/?s=0.8") for _ in range(2)]
            assert [answer.result().status for answer in two] == [200, 200]
            assert time.monotonic() - started < 1.5
        started = time.monotonic()
        with ThreadPoolExecutor(3) as pool:
            three = [pool.submit(server.get, "/?s=0.6") for _ in range(3)]
            assert [answer.result().status for answer in three] == [200] * 3
        assert time.monotonic() - started > 1.1, "no more than two at a time"


def test_the_threads_have_names_and_their_number_is_bounded(bridged, written):
    with serve(written, *bridged) as server:
        seen = {server.get("/names").text for _ in range(20)}
        assert seen <= {"gunicorn-0", "gunicorn-1"}
        (pid,) = server.workers()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: server.get("/names"), range(40)))
        assert threads(pid) <= 6, "the loop's, the watchdog's, two for the application, and few others"


def test_a_client_that_leaves_in_mid_stream_closes_the_iterable(bridged):
    with Server(ANSWERS, *bridged, twin=False) as server:
        connection = server.connect()
        connection.send_request("GET", "/endless")
        connection.read_some()
        connection.reset()
        eventually(lambda: "endless" in json.loads(server.get("/closed").body), "close() was called")


def test_a_request_whose_client_left_before_its_turn_is_not_run(bridged, tmp_path):
    mark = tmp_path / "mark"
    with Server(SLOW, *bridged, twin=False) as server:
        server.get("/fast")
        busy = [server.connect() for _ in range(2)]
        for connection in busy:
            connection.send_request("GET", "/?s=1")
        impatient = server.connect()
        impatient.send_request("GET", f"/?mark={mark}")
        time.sleep(0.2)
        impatient.reset()
        for connection in busy:
            assert connection.read_response().status == 200
            connection.close()
        assert server.get("/fast").status == 200
        assert not mark.exists()


def test_exceptions_are_500_and_logged_once(bridged, written):
    with Server(ANSWERS, *bridged, twin=False, tracebacks=True) as server:
        assert server.get("/raise_before").status == 500
        assert server.get("/bad_field").status == 500
        assert server.log().count("Traceback") == 2, server.log()
        with server.connect() as connection:
            connection.send_request("GET", "/raise_later")
            with pytest.raises(Gone):
                connection.read_response()
        assert server.log().count("Traceback") == 3
        assert "in the middle" in server.log()
    with serve(written, *bridged, tracebacks=True) as server:
        assert server.get("/breaks_close").body == b"ab", "the answer was complete"
        assert server.get("/cancelled").status == 500
        eventually(lambda: server.log().count("ValueError: the close broke") == 1, "the log")
        assert "CancelledError" in server.log()


def test_write_after_the_answer_is_refused(bridged, written):
    with serve(written, *bridged) as server, server.connect() as connection:
        assert connection.request("GET", "/late").body == b"whole"
        eventually(lambda: b"ResponseError" in connection.request("GET", "/lists").body, "the application was told")


def test_an_upgrade_is_an_ordinary_request(bridged, written):
    fields = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    with serve(written, *bridged) as server:
        answer = server.get("/upgrade", fields)
        assert (answer.status, answer.body) == (200, b"http")


def test_pipelined_requests_are_answered_in_order(bridged, written):
    with serve(written, *bridged) as server, server.connect() as connection:
        head = b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n"
        connection.send(b"".join(head + b"%02d" % number for number in range(20)))
        assert [connection.read_response().body for _ in range(20)] == [b"%02d" % number for number in range(20)]


HOOKS = """
def pre_request(worker, req):
    worker.log.info("before %s", req.path)

def post_request(worker, req, environ, resp):
    worker.log.info("after %s %s %s %d", req.path, environ.get("PATH_INFO"), resp.status, worker.nr)
"""


def test_hooks_and_the_access_log_see_each_request_once(bridged, written):
    form = "%(m)s %(U)s %(s)s %(B)s %({RAW_URI}e)s"
    with serve(written, *bridged, "--access-logfile", "-", "--access-logformat", form, config=HOOKS) as server:
        server.get("/names")
        text = server.wait_log("after /names /names 200 OK 0")
        assert text.count("before /names") == 1
        assert text.count("after /names") == 1
        assert len([line for line in text.splitlines() if line.startswith("GET /names 200")]) == 1
        assert "GET /names 200 10 /names" in text


def test_term_waits_for_threads_and_their_answers(bridged, tmp_path):
    mark = tmp_path / "mark"
    with Server(SLOW, *bridged, twin=False) as server, server.connect() as connection:
        connection.send_request("GET", f"/?s=1&mark={mark}")
        eventually(mark.exists, "the request runs")
        server.signal(SIGTERM)
        answer = connection.read_response()
        assert answer.status == 200
        assert answer.header("connection") == "close"
        assert server.wait() == 0


@pytest.mark.parametrize("how", ["quick", "late"])
def test_a_stuck_thread_does_not_hold_up_the_end(bridged, tmp_path, how):
    mark = tmp_path / "mark"
    with Server(SLOW, *bridged, "--graceful-timeout", "2", twin=False) as server, server.connect() as connection:
        connection.send_request("GET", f"/stubborn?s=30&mark={mark}")
        eventually(mark.exists, "the request runs")
        started = time.monotonic()
        assert server.stop(SIGINT if how == "quick" else SIGTERM) == 0
        assert time.monotonic() - started < 4
        with pytest.raises(Gone):
            connection.read_response()
        assert "Task was destroyed" not in server.log()


def test_a_stream_is_closed_at_the_end(bridged, tmp_path):
    """An application that says something hears that nobody listens, and cleans up."""
    mark = tmp_path / "closed"
    (tmp_path / "streaming.py").write_text(STREAM.format(mark=str(mark)))
    with Server("streaming:app", *bridged, "--graceful-timeout", "4", cwd=tmp_path) as server:
        with server.connect() as connection:
            connection.send_request("GET", "/")
            connection.read_head()
            assert server.stop(SIGTERM) == 0
        assert mark.exists()


STREAM = """
import pathlib
import time

def app(environ, start_response):
    start_response("200 OK", [])
    try:
        while True:
            yield b"tick"
            time.sleep(0.05)
    finally:
        pathlib.Path({mark!r}).write_text("x")
"""


def test_flask(bridged):
    pytest.importorskip("flask")
    with Server("tests.apps.flask_project:create_app()", *bridged) as server:
        assert "flask False" in server.get("/").text
        assert server.get("/stream").text == "".join(f"line {number}\n" for number in range(100))
        assert server.get("/teapot").status == 418
        assert server.get("/url", [("Host", "shop.test:81")]).text == "http://shop.test:81/url"


DJANGO = """
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="only a test", ALLOWED_HOSTS=["*"])

def page(request):
    return HttpResponse(f"django {len(request.body)}")

def stream(request):
    return StreamingHttpResponse(f"line {number}\\n" for number in range(100))

urlpatterns = [path("", page), path("stream", stream)]
app = get_wsgi_application()
"""


def test_django(bridged, tmp_path):
    pytest.importorskip("django")
    (tmp_path / "site_of_django.py").write_text(DJANGO)
    with Server("site_of_django:app", *bridged, cwd=tmp_path) as server:
        assert server.ask("GET", "/").text == "django 0"
        assert server.get("/stream").text == "".join(f"line {number}\n" for number in range(100))
