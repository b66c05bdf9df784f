"""A blocked event loop: reported with the stack that blocks it, counted, and no reason for false alarms."""

from __future__ import annotations

import os
import time
from signal import SIGCONT, SIGSTOP

import pytest

from tests.support.processes import consistently
from tests.support.server import Server

SLOW = "tests.apps.slow:app"


@pytest.mark.parametrize(
    ("path", "function"), [("/block", "rest_for_a_while"), ("/spin", "spin_for_a_while")], ids=["sleeps", "computes"]
)
def test_a_blocked_loop_is_reported_with_its_stack_and_request(asgi_worker, path, function):
    with Server(SLOW, *asgi_worker, "-w", "1", "--asgi-block-threshold", "0.3", tracebacks=True) as server:
        server.get("/fast")
        pids = server.workers()
        assert server.get(f"{path}?s=1.5&mine=1").status == 200
        log = server.wait_log(function)
        assert f"{path}?s=1.5&mine=1" in log, "the request in flight"
        assert "slow.py" in log
        assert log.count(function) <= 3, "once a blockage, not once a look"
        assert server.workers() == pids
        assert server.get("/fast").status == 200


def test_each_blockage_is_reported_once(asgi_worker):
    with Server(SLOW, *asgi_worker, "-w", "1", "--asgi-block-threshold", "0.3", tracebacks=True) as server:
        for _ in range(2):
            assert server.get("/block?s=1").status == 200
            server.get("/fast")
            time.sleep(0.5)
        blocked = [line for line in server.log().splitlines() if "block" in line.lower() and "[WARNING]" in line]
        assert 2 <= len(blocked) <= 4, "what blocks, and at most how long it took"


def test_short_blocks_and_long_waits_are_nothing_to_report(asgi_worker):
    with Server(SLOW, *asgi_worker, "-w", "1", "--asgi-block-threshold", "1.0") as server:
        for _ in range(5):
            server.get("/block?s=0.2")
        server.get("/?s=2.5")
        assert "block" not in server.log().lower()


def test_it_can_be_switched_off(asgi_worker):
    with Server(SLOW, *asgi_worker, "-w", "1", "--asgi-block-threshold", "0") as server:
        server.get("/fast")
        (pid,) = server.workers()
        assert server.get("/block?s=1.5").status == 200
        assert "block" not in server.log().lower()
        assert len(os.listdir(f"/proc/{pid}/task")) == 1, "not even a thread"


def test_a_suspended_process_is_no_blocked_loop(asgi_worker):
    with Server(SLOW, *asgi_worker, "-w", "1", "--asgi-block-threshold", "0.3") as server:
        server.get("/fast")
        (pid,) = server.workers()
        server.signal(SIGSTOP, pid)
        time.sleep(1.5)
        server.signal(SIGCONT, pid)
        assert server.get("/fast").status == 200
        consistently(lambda: "block" not in server.log().lower(), "no report", 0.7)
