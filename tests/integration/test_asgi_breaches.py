"""Messages that break the ASGI format: an exception in the application's own stack, a clear answer for the client."""

from __future__ import annotations

import json

import pytest

from tests.apps.asgi.breaches import AFTER_THE_END, AFTER_THE_HEAD, BEFORE_THE_HEAD
from tests.support.client import Gone
from tests.support.processes import eventually
from tests.support.server import Server

BREACHES = "tests.apps.asgi.breaches:app"


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with Server(BREACHES, "-k", "asgi", "--asgi-loop", request.param, tracebacks=True) as running:
        yield running


def raised(server: Server, name: str) -> list[str]:
    return [line for line in json.loads(server.get("/raised").body) if line.startswith(f"{name}: ")]


def assert_shown(server: Server, name: str) -> None:
    """The application saw the exception, and the log shows it in the application's own frame."""
    eventually(lambda: raised(server, name), "the exception is raised by send()")
    error = raised(server, name)[0]
    assert len(error) < 500, "one line that can be read"
    text = error.split(": ", 2)[2]
    eventually(lambda: text.splitlines()[0][:60] in server.log(), f"{text!r} in the log")
    assert "in misbehave" in server.log()


@pytest.mark.parametrize("name", BEFORE_THE_HEAD)
def test_before_the_head_the_client_gets_a_500(server, name):
    with server.connect() as connection:
        response = connection.request("GET", f"/{name}")
        assert response.status == 500
        assert b"Traceback" not in response.body
        assert "b" not in [field.lower() for field, _ in response.fields]
    assert_shown(server, name)


@pytest.mark.parametrize("name", AFTER_THE_HEAD)
def test_in_the_middle_the_answer_is_cut(server, name):
    with server.connect() as connection:
        connection.send_request("GET", f"/{name}")
        with pytest.raises(Gone):
            connection.read_response()
    assert_shown(server, name)


@pytest.mark.parametrize("name", AFTER_THE_END)
def test_after_the_end_the_answer_stands(server, name):
    with server.connect() as connection:
        response = connection.request("GET", f"/{name}")
        assert (response.status, response.body) == (200, b"ok")
        if response.keeps_alive and connection.is_open():
            assert connection.request("GET", "/raised").status == 200
    assert_shown(server, name)


@pytest.mark.parametrize("name", ["returns", "returns-after-start"])
def test_an_application_that_returns_without_an_answer_is_a_500(server, name):
    assert server.get(f"/{name}").status == 500
    eventually(lambda: f"/{name}" in server.log(), "a line that names the request")


def test_an_application_that_returns_in_the_middle_cuts_its_answer(server):
    with server.connect() as connection:
        connection.send_request("GET", "/returns-in-the-middle")
        with pytest.raises(Gone):
            connection.read_response()
    eventually(lambda: "/returns-in-the-middle" in server.log(), "a line that names the request")


def test_an_application_may_catch_the_exception_and_answer(server):
    assert server.get("/swallows").body == b"well after all"


def test_the_worker_outlives_them_all(server):
    pids = server.workers()
    for name in (*BEFORE_THE_HEAD, *AFTER_THE_HEAD, *AFTER_THE_END):
        with server.connect() as connection:
            connection.send_request("GET", f"/{name}")
            try:
                connection.read_response()
            except Gone:
                continue
    assert server.workers() == pids
    assert server.get("/swallows").status == 200
