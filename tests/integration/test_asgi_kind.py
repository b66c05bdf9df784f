"""Which interface an application speaks: found out, chosen by name, bridged, or refused with the remedy."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGHUP, SIGTERM

import pytest

from tests.support.client import Gone
from tests.support.processes import eventually
from tests.support.server import Server, free_port, run_gunicorn
from tests.support.twins import both

HELLO = "tests.apps.hello:app"
ASGI_HELLO = "tests.apps.asgi.hello:app"
WSGI_ON_ASGI = ("-k", "asgi", "--interface", "wsgi", "--threads", "4")
LOAD = 4

# Applications of one kind in every dress that frameworks give them.
DRESSES = """
import functools

async def plain(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"dressed"})

class Callable:
    async def __call__(self, scope, receive, send):
        await plain(scope, receive, send)

    async def method(self, scope, receive, send):
        await plain(scope, receive, send)

async def wants_more(extra, scope, receive, send):
    await plain(scope, receive, send)

def wrapped(scope, receive, send):
    return plain(scope, receive, send)

def factory():
    return Callable()

instance = Callable()
bound = instance.method
partial = functools.partial(wants_more, "extra")
"""


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
@pytest.mark.parametrize("dress", ["plain", "instance", "bound", "partial", "wrapped", "factory()"])
def test_an_asgi_application_gets_the_asgi_worker_when_no_class_was_named(tmp_path, dress, preload):
    (tmp_path / "dressed.py").write_text(DRESSES)
    with Server(f"dressed:{dress}", "-w", "2", *preload, cwd=tmp_path) as server:
        server.wait_workers(2)
        assert server.get().text == "dressed"
        lines = [line for line in server.log().splitlines() if "asgi" in line.lower() and "INFO" in line]
        # The first worker that has looked speaks for all; two may have looked in the same moment.
        assert 1 <= len(lines) <= 2, server.log()
        assert "worker_class" in lines[0], "the line says how to choose"


def test_the_choice_survives_a_reload_to_the_other_kind(tmp_path):
    """A release that changes its interface is served by what it needs."""
    (tmp_path / "dressed.py").write_text(DRESSES + "app = plain\n")
    with Server("dressed:app", cwd=tmp_path) as server:
        assert server.get().text == "dressed"
        (tmp_path / "dressed.py").write_text(both("return b'naked'"))
        server.signal(SIGHUP)
        eventually(lambda: server.get().text == "naked", "the WSGI release")
        assert server.stop(SIGTERM) == 0


def test_a_wsgi_application_stays_with_sync():
    with Server(HELLO) as server:
        assert server.get().status == 200
        assert "asgi" not in server.log().lower()


def refused(*arguments: str, says: tuple[str, ...]) -> None:
    done = run_gunicorn("-b", f"127.0.0.1:{free_port()}", *arguments)
    text = done.stdout + done.stderr
    assert done.returncode == LOAD, text
    assert "Traceback" not in text, text
    for part in says:
        assert part in text, text
    assert len([line for line in text.splitlines() if "ERROR" in line]) <= 3, text


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_an_asgi_application_on_a_wsgi_class_is_refused(kind, preload):
    refused("-k", kind, *preload, ASGI_HELLO, says=("ASGI", "asgi", kind))


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_a_wsgi_application_on_asgi_is_refused(preload):
    refused("-k", "asgi", *preload, HELLO, says=("WSGI", "interface"))


def test_check_config_finds_the_wrong_kind_too():
    done = run_gunicorn("--check-config", "-k", "sync", ASGI_HELLO)
    assert done.returncode in (1, LOAD), done.stderr


def test_a_word_about_the_kind_ends_the_looking(tmp_path):
    """A wrapper that hides what is inside: nobody can tell from `*args`."""
    (tmp_path / "hidden.py").write_text(DRESSES + "\ndef app(*args):\n    return plain(*args)\n")
    with Server("hidden:app", "-k", "asgi", "--interface", "asgi", cwd=tmp_path) as server:
        assert server.get().text == "dressed"


LOOP = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    name = type(asyncio.get_running_loop()).__module__.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name})
"""


def test_the_event_loop_is_the_one_that_was_named(asgi_worker, tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    with Server("loop:app", *asgi_worker, cwd=tmp_path) as server:
        assert server.get().text.split(".")[0] == asgi_worker[-1]


def test_auto_takes_uvloop_where_it_is(tmp_path):
    pytest.importorskip("uvloop")
    (tmp_path / "loop.py").write_text(LOOP)
    with Server("loop:app", "-k", "asgi", cwd=tmp_path) as server:
        assert server.get().text.startswith("uvloop")


def test_uvloop_that_is_not_there_is_said(tmp_path):
    (tmp_path / "uvloop.py").write_text("raise ImportError('hidden by the test')\n")
    (tmp_path / "loop.py").write_text(LOOP)
    with Server("loop:app", "-k", "asgi", cwd=tmp_path) as server:
        assert server.get().text.startswith("asyncio")
    done = run_gunicorn(
        "-b", f"127.0.0.1:{free_port()}", "-k", "asgi", "--asgi-loop", "uvloop", "loop:app", cwd=tmp_path
    )
    assert done.returncode in (1, 3), done.stderr
    assert "uvloop" in done.stderr
    assert "Traceback" not in done.stderr


# WSGI applications in the asgi worker's pool of threads


@pytest.fixture
def bridged():
    with Server("tests.apps.answers:app", *WSGI_ON_ASGI, twin=False, tracebacks=True) as server:
        yield server


def test_wsgi_answers_of_every_shape(bridged):
    with bridged.connect() as connection:
        for path, body in [
            ("/length", b"hello"),
            ("/unknown", b"one two three"),
            ("/single", b"single"),
            ("/write", b"written before returned"),
            ("/large?n=3000000", b"0123456789abcdef" * 187_500),
            ("/exc_info", b"own error page"),
        ]:
            assert connection.request("GET", path).body == body
        assert connection.request("HEAD", "/length").body == b""
    assert len(bridged.get("/file?n=3000000").body) == 3_000_000
    assert bridged.get("/raise_before").status == 500
    with bridged.connect() as connection:
        connection.send_request("GET", "/raise_later")
        with pytest.raises(Gone):
            connection.read_response()
    closed = json.loads(bridged.get("/closed").body)
    assert {"length", "unknown", "write", "large", "raise_later"} <= set(closed)


def test_wsgi_streams_come_piece_by_piece(bridged):
    with bridged.connect() as connection:
        connection.send_request("GET", "/steps")
        connection.read_head()
        first = connection.read_some()
        assert b"data: 0" in first
        assert b"data: 3" not in first


def test_wsgi_close_is_called_when_the_client_leaves(bridged):
    connection = bridged.connect()
    connection.send_request("GET", "/endless")
    connection.read_some()
    connection.reset()
    eventually(lambda: b"endless" in bridged.get("/closed").body, "close() after the disconnect", 15)


def test_wsgi_by_the_validator():
    with Server("tests.apps.validated:app", *WSGI_ON_ASGI) as server, server.connect() as connection:
        data = b"line one\nline two\n" * 1000
        for path in ("/", "/lines", "/line", "/iterate"):
            assert connection.request("POST", path, (), data).body == data
            assert connection.request("POST", path, (), [data[:5000], data[5000:]]).body == data


def test_wsgi_environ_in_the_bridge():
    with Server("tests.apps.echo:app", *WSGI_ON_ASGI, twin=False, env={"SCRIPT_NAME": "/shop"}) as server:
        seen = json.loads(server.ask("POST", "/shop/a%20b?q=1", [("X-One", "1")], b"x" * 100_000).body)
        environ = seen["environ"]
    assert seen["size"] == 100_000
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/shop", "/a b", "q=1")
    assert (environ["HTTP_X_ONE"], environ["REQUEST_METHOD"]) == ("1", "POST")
    assert environ["SERVER_PORT"] == str(server.port)


def test_wsgi_requests_run_side_by_side_and_do_not_block_the_loop():
    with Server("tests.apps.slow:app", *WSGI_ON_ASGI, "--timeout", "2", twin=False) as server:
        server.get("/fast")
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: server.get("/?s=0.7").status, range(4)))
        assert answers == [200] * 4
        assert time.monotonic() - started < 1.4
        pids = server.workers()
        assert server.get("/?s=3").status == 200
        assert server.workers() == pids, "the loop went on beating"


def test_wsgi_requests_in_flight_are_finished_on_term(tmp_path):
    mark = tmp_path / "mark"
    with Server("tests.apps.slow:app", *WSGI_ON_ASGI, twin=False) as server, server.connect() as connection:
        connection.send_request("GET", f"/?s=0.8&mark={mark}")
        eventually(mark.exists, "the request runs")
        server.signal(SIGTERM)
        assert connection.read_response().status == 200
        assert server.wait() == 0


def test_the_pid_of_a_bridged_application_is_the_workers():
    with Server(HELLO, *WSGI_ON_ASGI, twin=False) as server:
        assert int(server.get().text.split()[0]) in server.workers()
        assert os.getpid() not in server.workers()
