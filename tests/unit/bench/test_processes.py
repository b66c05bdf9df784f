"""A measured process tree: started, answering, seen through /proc, gone; and what else ran on its core."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.processes import (
    SERVER_CORE,
    Core,
    StartError,
    Tree,
    answers,
    core_seconds,
    free_port,
    members,
    reaped_seconds,
)


def _files(port: int) -> Tree:
    return Tree([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], port, "unit test")


def test_a_tree_answers_and_is_gone_afterwards() -> None:
    port = free_port()
    with _files(port) as tree:
        assert answers(port)
        assert tree.start_seconds > 0
        assert tree.pss_bytes() > 1_000_000
        assert tree.cpu_seconds() >= 0
        session = tree.pids[0]
        assert members(session) == tree.pids
    assert members(session) == []
    assert not answers(port)


def test_what_does_not_start_says_why() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(StartError, match="no such thing"), Tree(command, free_port(), "unit test"):
        pass


@pytest.mark.skipif(SERVER_CORE not in os.sched_getaffinity(0), reason="the core is not ours to use")
def test_others_on_the_core_are_seen() -> None:
    """This process computes on a core for a fifth of a second: whoever calls that its own sees less of others."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        strangers, own = Core(SERVER_CORE, lambda: 0.0), Core(SERVER_CORE, time.process_time)
        began = time.process_time()
        while time.process_time() - began < 0.2:
            pass
        assert 0 < strangers.others() <= 1.1
        assert own.others() < strangers.others()
    finally:
        os.sched_setaffinity(0, allowed)


def test_core_time_only_grows() -> None:
    before = core_seconds(SERVER_CORE)
    assert core_seconds(SERVER_CORE) >= before > 0
    assert core_seconds(99999) == 0


def test_time_of_children_that_ended() -> None:
    before = reaped_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(2_000_000))"], check=True)
    assert reaped_seconds() > before
