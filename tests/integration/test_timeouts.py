"""A stuck worker is found, named, shown where it hangs, killed and replaced; others are not touched."""

from __future__ import annotations

import time
from signal import SIGSTOP

import pytest

from tests.support.client import BadAnswer, Gone
from tests.support.processes import alive, eventually
from tests.support.server import Server

SLOW = "tests.apps.slow:app"


# Paths that hold up a whole worker: in sync any slow request does, in asgi one that keeps the event loop.
HOLDING_UP = [("sync", "/hangs/here"), ("asgi", "/block")]
ONE_AT_A_TIME = ["sync", "asgi"]


@pytest.mark.parametrize(("kind", "path"), HOLDING_UP)
def test_a_stuck_worker_is_killed_with_its_request_and_stacks_in_the_log(kind, path):
    with Server(SLOW, "-k", kind, "-w", "1", "--timeout", "1", tracebacks=True) as server:
        (stuck,) = server.wait_workers(1)
        with server.connect() as connection:
            connection.send_request("GET", f"{path}?s=60")
            with pytest.raises((Gone, BadAnswer)):
                connection.read_response()
        eventually(lambda: not alive(stuck), "the stuck worker is gone")
        log = server.log()
        assert str(stuck) in log
        assert "timeout" in log.lower()
        assert path in log
        assert "rest_for_a_while" in log, "the stack names the function that hangs"
        assert server.get("/fast").status == 200


@pytest.mark.parametrize(("kind", "path"), HOLDING_UP)
def test_the_stacks_are_in_the_error_log_wherever_that_is(tmp_path, kind, path):
    log = tmp_path / "errors"
    with Server(SLOW, "-k", kind, "--timeout", "1", "--error-logfile", str(log)) as server:
        with server.connect() as connection:
            connection.send_request("GET", f"{path}?s=60")
            connection.wait_closed(10)
        eventually(lambda: "rest_for_a_while" in log.read_text(), "the stack in the file")


@pytest.mark.parametrize("kind", ONE_AT_A_TIME)
def test_a_busy_loop_is_shown_too(kind):
    with Server(SLOW, "-k", kind, "-w", "1", "--timeout", "1", tracebacks=True) as server:
        with server.connect() as connection:
            connection.send_request("GET", "/spin?s=60")
            with pytest.raises(Gone):
                connection.read_response()
        server.wait_log("spin_for_a_while")
        assert server.get("/fast").status == 200


@pytest.mark.parametrize("kind", ONE_AT_A_TIME)
def test_a_worker_that_swallows_everything_is_killed_all_the_same(kind):
    with Server(SLOW, "-k", kind, "-w", "1", "--timeout", "1", tracebacks=True) as server:
        (stuck,) = server.wait_workers(1)
        with server.connect() as connection:
            connection.send_request("GET", "/stubborn?s=60")
            eventually(lambda: not alive(stuck), "the stubborn worker is gone", 15)
        assert server.get("/fast").status == 200


def test_a_stopped_worker_is_replaced(worker):
    """SIGSTOP is what a frozen process looks like from outside; it cannot even die of SIGABRT."""
    with Server("tests.apps.hello:app", *worker, "-w", "1", "--timeout", "1", tracebacks=True) as server:
        (frozen,) = server.wait_workers(1)
        server.get()
        server.signal(SIGSTOP, frozen)
        eventually(lambda: not alive(frozen), "the frozen worker is gone", 15)
        assert server.get().status == 200


@pytest.mark.parametrize(("kind", "path"), HOLDING_UP)
def test_others_are_not_disturbed(kind, path):
    with Server(SLOW, "-k", kind, "-w", "2", "--timeout", "2", tracebacks=True) as server:
        pids = server.wait_workers(2)
        with server.connect() as connection:
            connection.send_request("GET", f"{path}?s=60")
            eventually(lambda: "timeout" in server.log().lower(), "the timeout", 10)
            eventually(lambda: sum(alive(pid) for pid in pids) == 1, "one of the two is gone", 10)
        server.wait_workers(2)
        assert server.get("/fast").status == 200


@pytest.mark.parametrize("kind", [("-k", "gthread", "--threads", "2"), ("-k", "asgi")], ids=["gthread", "asgi"])
def test_long_requests_in_threads_or_tasks_are_no_timeout(kind):
    """The loop beats while threads work and tasks wait."""
    with Server(SLOW, *kind, "--timeout", "1") as server:
        before = server.wait_workers(1)
        assert server.get("/?s=2.5").status == 200
        assert server.workers() == before


def test_an_idle_worker_is_no_timeout(worker):
    with Server("tests.apps.hello:app", *worker, "--timeout", "1") as server:
        before = server.wait_workers(1)
        server.get()
        time.sleep(3.0)
        assert server.workers() == before
        assert server.get().status == 200


@pytest.mark.parametrize(("kind", "path"), HOLDING_UP)
def test_timeout_zero_means_never(kind, path):
    with Server(SLOW, "-k", kind, "--timeout", "0") as server:
        before = server.wait_workers(1)
        assert server.get(f"{path}?s=2").status == 200
        assert server.workers() == before


@pytest.mark.parametrize("kind", ONE_AT_A_TIME)
def test_the_kill_after_the_head_adds_nothing_to_the_body(kind):
    """A late 500 in the middle of a body would be read as data by the client."""
    app = "tests.apps.stuck:app"
    with Server(app, "-k", kind, "--timeout", "1", tracebacks=True) as server:
        with server.connect() as connection:
            connection.send_request("GET", "/")
            received = connection.wait_closed(15)
        head, _, body = received.partition(b"\r\n\r\n")
        # What an application sends and then blocks the event loop may still wait for the loop.
        assert head.startswith(b"HTTP/1.1 200") or (kind == "asgi" and not received)
        assert b"HTTP/1.1 5" not in body
        assert b"500" not in body


def test_a_slow_boot_is_not_a_stuck_worker(worker, deploy):
    """`timeout` speaks of requests; importing may take longer than it."""
    deploy.version("v1", boot=2.5)
    with Server(deploy.uri, *worker, "--timeout", "1", cwd=deploy.folder) as server:
        assert server.get().text.startswith("v1")
        assert server.log().lower().count("booting worker") == 1
