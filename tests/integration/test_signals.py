"""Signals keep their promises: nobody who was let in is lost, and quick means quick."""

from __future__ import annotations

import time
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGWINCH

import pytest

from tests.support.client import Connection
from tests.support.load import Load
from tests.support.processes import alive, consistently, eventually
from tests.support.server import Server

SLOW = "tests.apps.slow:app"


def ask_slowly(server: Server, mark: Path, seconds: float, path: str = "/") -> Connection:
    """A connection whose request is in the hands of the application."""
    before = len(mark.read_text()) if mark.exists() else 0
    connection = server.connect()
    connection.send_request("GET", f"{path}?s={seconds}&mark={mark}", [("Connection", "close")])
    eventually(lambda: mark.exists() and len(mark.read_text()) > before, "the application has the request")
    return connection


def test_term_answers_the_request_in_flight(worker, tmp_path):
    with Server(SLOW, *worker) as server:
        connection = ask_slowly(server, tmp_path / "mark", 0.7)
        server.signal(SIGTERM)
        assert connection.read_response().status == 200
        assert server.wait() == 0


def test_term_answers_everybody_who_waits_at_a_busy_worker(tmp_path):
    """The accept queue is emptied before it is closed: the peer resets three of these four."""
    with Server(SLOW, "-k", "sync", "-w", "1") as server:
        busy = ask_slowly(server, tmp_path / "mark", 0.8)
        waiting = [server.connect() for _ in range(6)]
        for connection in waiting:
            connection.send_request("GET", "/fast")
        server.signal(SIGTERM)
        answers = [connection.read_response() for connection in [busy, *waiting]]
        assert [answer.status for answer in answers] == [200] * 7
        assert [answer.keeps_alive for answer in answers] == [False] * 7
        assert server.wait() == 0


def test_term_answers_waiting_requests_on_a_unix_socket(worker, tmp_path):
    with Server(SLOW, *worker, bind="unix") as server:
        busy = ask_slowly(server, tmp_path / "mark", 0.6)
        waiting = [server.connect() for _ in range(4)]
        for connection in waiting:
            connection.send_request("GET", "/?s=0.05")
        server.signal(SIGTERM)
        assert [connection.read_response().status for connection in [busy, *waiting]] == [200] * 5
        assert server.wait() == 0
        assert not Path(str(server.address)).exists()


def test_term_finishes_a_request_that_is_still_arriving(worker):
    """A half-received request at shutdown is finished, not reset."""
    with Server("tests.apps.echo:app", *worker) as server, server.connect() as connection:
        assert server.get().status == 200
        connection.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n01234")
        # A second request on another connection proves that the worker has turned its loop since.
        assert server.get().status == 200
        server.signal(SIGTERM)
        time.sleep(0.1)
        connection.send(b"56789")
        assert connection.read_response().status == 200
        assert server.wait() == 0


def test_term_to_an_idle_server_is_immediate(worker):
    """Idle kept-alive connections do not hold the stop back."""
    with Server("tests.apps.hello:app", *worker, "--keep-alive", "60", "--graceful-timeout", "30") as server:
        connections = [server.connect() for _ in range(5)]
        for connection in connections:
            assert connection.request().status == 200
        started = time.monotonic()
        assert server.stop(SIGTERM) == 0
        assert time.monotonic() - started < 5.0
        for connection in connections:
            connection.wait_closed()


def test_term_under_load_loses_nothing_it_let_in(worker):
    """Connections are refused or answered; never reset in between."""
    with Server("tests.apps.hello:app", *worker, "-w", "2") as server:
        with Load(server.connect, connections=6, keep_alive=False) as load:
            load.progress(200)
            server.signal(SIGTERM)
            assert server.wait() == 0
            tally = load.finish()
        unlike = [text for text in tally.failures if "ConnectionRefused" not in text and "Timeout" not in text]
        assert not unlike, unlike


def test_graceful_timeout_ends_what_does_not_end(worker, tmp_path):
    """Within that time: the asgi worker keeps the last part of it for the application's shutdown."""
    with Server(SLOW, *worker, "--graceful-timeout", "2", tracebacks=True) as server:
        stuck = ask_slowly(server, tmp_path / "mark", 30)
        started = time.monotonic()
        server.signal(SIGTERM)
        server.wait(10)
        assert (0.9 if "asgi" in worker else 1.9) <= time.monotonic() - started < 5
        received = stuck.wait_closed()
        # An event loop can still say that nothing will come; a worker that is killed says nothing.
        assert received == b"" or ("asgi" in worker and received.startswith(b"HTTP/1.1 5"))


@pytest.mark.parametrize("quick", [SIGINT, SIGQUIT])
def test_int_and_quit_do_not_wait_for_requests(worker, quick, tmp_path):
    with Server(SLOW, *worker, "--graceful-timeout", "30") as server:
        stuck = ask_slowly(server, tmp_path / "mark", 30)
        started = time.monotonic()
        assert server.stop(quick) == 0
        assert time.monotonic() - started < 5
        received = stuck.wait_closed()
        assert received == b"" or ("asgi" in worker and received.startswith(b"HTTP/1.1 5"))


def test_a_second_term_while_draining_is_quick(tmp_path):
    with Server(SLOW, "-k", "sync", "--graceful-timeout", "60") as server:
        stuck = ask_slowly(server, tmp_path / "mark", 30)
        server.signal(SIGTERM)
        eventually(lambda: "term" in server.log().lower(), "the first TERM is noticed")
        server.signal(SIGINT)
        server.wait(8)
        stuck.close()


def test_ttin_and_ttou_change_the_number_of_workers(worker):
    with Server("tests.apps.hello:app", *worker, "-w", "1") as server:
        server.wait_workers(1)
        server.signal(SIGTTIN)
        server.wait_workers(2)
        server.signal(SIGTTIN)
        server.wait_workers(3)
        server.signal(SIGTTOU)
        server.wait_workers(2)
        server.signal(SIGTTOU)
        server.wait_workers(1)
        server.signal(SIGTTOU)
        consistently(lambda: len(server.workers()) == 1, "never below one worker", 0.5)
        assert server.get().status == 200


def test_ttou_under_load_loses_nothing(worker):
    with Server("tests.apps.hello:app", *worker, "-w", "4") as server:
        server.wait_workers(4)
        with Load(server.connect, connections=6) as load:
            load.progress(100)
            for _ in range(3):
                server.signal(SIGTTOU)
                load.progress(50)
            server.wait_workers(1)
            load.progress(100)
            load.assert_clean()


def test_signals_in_a_burst_are_all_obeyed():
    with Server("tests.apps.hello:app", "-w", "1") as server:
        server.wait_workers(1)
        for _ in range(4):
            server.signal(SIGTTIN)
            # The kernel merges equal pending signals: one at a time, as fast as they are taken.
            time.sleep(0.02)
        server.wait_workers(5)
        assert server.get().status == 200


def test_usr1_reopens_the_logs_of_arbiter_and_workers(worker, tmp_path):
    error, access = tmp_path / "error.log", tmp_path / "access.log"
    arguments = ("--error-logfile", str(error), "--access-logfile", str(access))
    with Server("tests.apps.hello:app", *worker, *arguments) as server:
        assert server.get("/first").status == 200
        eventually(lambda: access.exists() and "/first" in access.read_text(), "the first access line")
        error.rename(tmp_path / "error.1")
        access.rename(tmp_path / "access.1")
        server.signal(SIGUSR1)
        eventually(lambda: error.exists() and access.exists(), "new files")

        def written() -> bool:
            assert server.get("/second").status == 200
            return "/second" in access.read_text()

        eventually(written, "the line in the new file")
        assert "/second" not in (tmp_path / "access.1").read_text() or written()
        server.signal(SIGTTIN)
        eventually(lambda: "ttin" in error.read_text().lower(), "the arbiter writes to the new file")


def test_usr1_to_a_worker_reopens_its_logs(worker, tmp_path):
    access = tmp_path / "access.log"
    with Server("tests.apps.hello:app", *worker, "--access-logfile", str(access)) as server:
        assert server.get("/first").status == 200
        access.rename(tmp_path / "access.1")
        for pid in server.workers():
            server.signal(SIGUSR1, pid)

        def written() -> bool:
            server.get("/again")
            return access.exists() and "/again" in access.read_text()

        eventually(written, "the worker writes to the new file")


def test_a_killed_worker_is_replaced(worker):
    with Server("tests.apps.hello:app", *worker, "-w", "2") as server:
        first = server.wait_workers(2)
        assert server.get().status == 200
        server.signal(SIGKILL, first[0])
        eventually(lambda: not alive(first[0]) and len(server.workers()) == 2, "a replacement")
        assert first[1] in server.workers()
        assert server.get().status == 200
        assert str(first[0]) in server.wait_log("SIGKILL")


def test_kill_nine_fails_only_what_the_worker_held():
    """With one request per worker at most, a kill costs at most one answer a worker."""
    with Server("tests.apps.hello:app", "-k", "sync", "-w", "2") as server:
        server.wait_workers(2)
        with Load(server.connect, connections=4, keep_alive=False) as load:
            load.progress(100)
            server.signal(SIGKILL, server.workers()[0])
            load.progress(300)
            tally = load.finish()
        assert tally.failed <= 2, tally.failures


@pytest.mark.parametrize("number", [SIGTERM, SIGQUIT, SIGINT])
def test_a_worker_told_to_stop_is_replaced(worker, number):
    with Server("tests.apps.hello:app", *worker, "-w", "1") as server:
        (old,) = server.wait_workers(1)
        assert server.get().status == 200
        server.signal(number, old)
        eventually(lambda: server.workers() and old not in server.workers(), "another worker")
        assert server.get().status == 200


def test_term_to_a_worker_finishes_its_request(worker, tmp_path):
    with Server(SLOW, *worker) as server:
        (old,) = server.wait_workers(1)
        connection = ask_slowly(server, tmp_path / "mark", 0.6)
        server.signal(SIGTERM, old)
        response = connection.read_response()
        assert (response.status, response.text) == (200, f"{old} slow\n")


def test_winch_without_a_daemon_changes_nothing():
    """A terminal that is resized sends WINCH too."""
    with Server("tests.apps.hello:app", "-w", "1") as server:
        before = server.wait_workers(1)
        assert server.get().status == 200
        server.signal(SIGWINCH)
        server.signal(SIGTTIN)
        server.wait_workers(2)
        assert before[0] in server.workers()


def test_a_dead_arbiter_takes_its_workers_along(worker):
    """Workers notice that their parent is gone and do not serve on as orphans."""
    with Server("tests.apps.hello:app", *worker, "-w", "2", "--timeout", "4") as server:
        workers = server.wait_workers(2)
        assert server.get().status == 200
        server.signal(SIGKILL)
        server.wait()
        eventually(lambda: not any(alive(pid) for pid in workers), "workers end themselves", 10)


def test_hup_while_draining_does_not_revive(tmp_path):
    with Server(SLOW, "-k", "sync") as server:
        connection = ask_slowly(server, tmp_path / "mark", 1.0)
        server.signal(SIGTERM)
        server.signal(SIGHUP)
        server.signal(SIGTTIN)
        assert connection.read_response().status == 200
        assert server.wait() == 0
