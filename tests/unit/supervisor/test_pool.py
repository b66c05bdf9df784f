"""The pool with real children: every promise from the outside, by pids, exit statuses, pipes and cells."""

import os
import signal
import time

import pytest

from gunicorn.metrics import cells as columns
from gunicorn.supervisor.child import State
from gunicorn.supervisor.plan import SECOND, Policy
from tests.unit.supervisor.nursery import Nursery, Script, deaf, obedient

TENTH = SECOND // 10


@pytest.fixture
def nursery():
    made = []

    def make(*args, **kwargs):
        made.append(Nursery(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_children_become_ready_and_leave_when_told(nursery):
    one = nursery(3)
    one.settle()
    assert one.count(State.READY) == 3
    assert sorted(one.births) == one.pids()
    one.pool.drain()
    one.until(lambda: one.pool.exit_code is not None)
    assert one.pool.exit_code == 0
    assert [status for _, status in one.deaths] == [0, 0, 0]
    assert one.log.loud() == []


def test_the_cells_tell_who_is_there(nursery):
    one = nursery(2)
    one.settle()
    for child in one.pool.state.children.values():
        page = one.cells.rows[child.slot].page
        assert page[columns.PID] == child.pid
        assert page[columns.GENERATION] == 1
        assert page[columns.STATE] == State.READY
        assert 0 < page[columns.STARTED] <= time.monotonic_ns()


def test_a_slot_comes_back_with_its_counters_kept(nursery):
    one = nursery(1, slots=2)

    def counts(row):
        row.page[columns.STATUS_2XX] += 7
        return obedient(row)

    one.script = lambda child: Script(one.cells, child, then=counts)
    one.settle()
    one.until(lambda: one.cells.total(columns.STATUS_2XX) == 7)
    one.pool.renew(one.pool.state.policy)
    one.settle(2)
    one.until(lambda: one.cells.total(columns.STATUS_2XX) == 14)


def test_a_killed_child_is_replaced_and_named_in_the_log(nursery):
    one = nursery(2)
    one.settle()
    victim = one.pids()[0]
    os.kill(victim, signal.SIGKILL)
    one.until(lambda: one.deaths and one.count(State.READY) == 2)
    assert one.deaths == [(victim, -9)]
    assert one.log.loud() == [f"Worker (pid:{victim}) was sent SIGKILL! Perhaps out of memory?"]


def test_reload_replaces_all(nursery):
    one = nursery(2)
    one.settle()
    before = one.pids()
    assert one.pool.renew(one.pool.state.policy) == 2
    one.settle(2)
    assert not set(before) & set(one.pids())
    assert one.log.loud() == []


def test_scaling(nursery):
    one = nursery(1)
    one.settle()
    assert one.pool.scale(3) == 3
    one.until(lambda: one.count(State.READY) == 3)
    assert one.pool.scale(1) == 1
    one.until(lambda: len(one.pids()) == 1)


def test_scaling_stays_within_the_slots(nursery):
    one = nursery(1, slots=6)
    assert one.pool.scale(100) == 3
    one.until(lambda: one.count(State.READY) == 3)
    one.pool.renew(one.pool.state.policy)
    one.settle(2)


def test_a_boot_that_fails_halts_a_new_server(nursery):
    one = nursery(2)
    one.script = lambda child: Script(one.cells, child, says=b"", then=lambda _: 4)
    one.until(lambda: one.pool.exit_code is not None)
    assert one.pool.exit_code == 4


def test_a_generation_that_cannot_boot_is_abandoned(nursery):
    one = nursery(2, Policy(max_boot_failures=2))
    one.settle()
    before = one.pids()
    one.script = lambda child: Script(one.cells, child, says=b"", then=lambda _: 3)
    one.pool.renew(one.pool.state.policy)
    one.until(lambda: ("abandoned", 2) in one.news)
    assert one.pids() == before
    assert one.count(State.READY) == 2


def test_an_exception_before_ready_is_a_failed_boot(nursery, capfd):
    one = nursery(1)

    def boom(_row):
        raise RuntimeError("boom")

    one.script = lambda child: Script(one.cells, child, says=b"", then=boom)
    one.until(lambda: one.pool.exit_code is not None)
    assert one.pool.exit_code == 3
    assert one.deaths[0][1] == 3
    assert "RuntimeError: boom" in capfd.readouterr().err


def test_an_exception_after_ready_is_exit_status_1(nursery, capfd):
    one = nursery(1)

    def boom(_row):
        raise RuntimeError("boom")

    def first_only(child):
        return Script(one.cells, child, then=boom) if child.age == 1 else Script(one.cells, child)

    one.script = first_only
    one.until(lambda: one.deaths and one.count(State.READY) == 1)
    assert one.deaths[0][1] == 1
    capfd.readouterr()


def test_what_a_child_said_before_it_died_still_counts(nursery):
    one = nursery(1)
    one.script = lambda child: (
        Script(one.cells, child, then=lambda _: 0) if child.age == 1 else Script(one.cells, child)
    )
    one.until(lambda: one.deaths and one.count(State.READY) == 1)
    assert one.pool.exit_code is None
    assert one.pool.state.failures == 0


def test_sys_exit_before_ready_is_a_failed_boot_whatever_its_status(nursery):
    one = nursery(1)

    def leaves(_row):
        raise SystemExit(0)

    one.script = lambda child: Script(one.cells, child, says=b"", then=leaves)
    one.until(lambda: one.pool.exit_code is not None)
    assert one.pool.exit_code == 3


def test_a_silent_child_is_aborted_with_its_request_named(nursery):
    one = nursery(1, Policy(timeout=3 * TENTH, abort_grace=TENTH))

    def stuck(row):
        columns.NOTE.pack_into(row.notes, 0, time.monotonic_ns(), b"GET /slow HTTP/1.1")
        return deaf(row)

    def script(child):
        if child.age == 1:
            return Script(one.cells, child, then=stuck, beats=False)
        return Script(one.cells, child)

    one.script = script
    one.until(lambda: one.deaths and one.count(State.READY) == 1)
    victim, status = one.deaths[0]
    assert status == -signal.SIGABRT
    loud = one.log.loud()
    assert loud[0].startswith(f"WORKER TIMEOUT (pid:{victim}) (timeout; up ")
    assert "in flight 'GET /slow HTTP/1.1' for " in loud[0]
    assert loud[1] == f"Worker (pid:{victim}) was ended (timeout)"


def test_who_ignores_abort_is_killed(nursery):
    one = nursery(1, Policy(timeout=2 * TENTH, abort_grace=TENTH))

    def ignores(row):
        signal.signal(signal.SIGABRT, signal.SIG_IGN)
        return deaf(row)

    one.script = lambda child: (
        Script(one.cells, child, then=ignores, beats=False) if child.age == 1 else Script(one.cells, child)
    )
    one.until(lambda: one.deaths)
    assert one.deaths[0][1] == -signal.SIGKILL


def test_boot_timeout(nursery):
    one = nursery(1, Policy(boot_timeout=2 * TENTH, max_boot_failures=1))
    one.script = lambda child: Script(one.cells, child, says=b"", then=deaf, takes_signals=False)
    one.until(lambda: one.pool.exit_code is not None)
    assert one.pool.exit_code == 3


def test_drain_time_over(nursery):
    one = nursery(1, Policy(graceful_timeout=2 * TENTH))
    one.script = lambda child: Script(one.cells, child, then=deaf)
    one.settle()
    one.pool.drain()
    one.until(lambda: one.pool.exit_code is not None)
    assert one.deaths[0][1] == -signal.SIGKILL
    assert "still busy when its time was over (graceful_timeout; up" in one.log.loud()[0]


def test_quit_after_drain_does_not_wait(nursery):
    one = nursery(1, Policy(graceful_timeout=3600 * SECOND, quick_timeout=TENTH))
    one.script = lambda child: Script(one.cells, child, then=deaf)
    one.settle()
    one.pool.drain()
    one.until(lambda: one.count(State.DRAINING) == 1)
    one.pool.quit()
    one.until(lambda: one.pool.exit_code is not None)
    assert one.deaths[0][1] == -signal.SIGKILL


def holds_on(row):
    """Drains for ever, with a request in flight, and ends at INT."""
    signal.sigwait({signal.SIGTERM})
    columns.NOTE.pack_into(row.notes, 0, time.monotonic_ns(), b"GET /stream HTTP/1.1")
    signal.sigwait({signal.SIGINT})
    return 0


@pytest.mark.parametrize(("drains", "status"), [(holds_on, 0), (deaf, -signal.SIGKILL)])
def test_a_reload_does_not_wait_for_what_older_generations_hold_open(nursery, drains, status):
    one = nursery(1, Policy(graceful_timeout=3600 * SECOND, overtaken_grace=TENTH, quick_timeout=TENTH))
    one.script = lambda child: Script(one.cells, child, then=drains if child.age == 1 else obedient)
    one.until(lambda: ("settled", 1) in one.news)
    (first,) = one.pids()
    one.pool.renew(one.pool.state.policy)
    one.until(lambda: ("settled", 2) in one.news)
    assert one.deaths == []
    one.pool.renew(one.pool.state.policy)
    one.settle(3)
    # One that is ended by force needs no place: the generation between may be gone before it.
    one.until(lambda: (first, status) in one.deaths)
    loud = one.log.loud()
    assert loud[0].startswith(
        f"Worker (pid:{first}) shall leave at once: a newer generation needs its place (overtaken; "
    )
    if drains is holds_on:
        assert "in flight 'GET /stream HTTP/1.1' for " in loud[0]
        assert len(loud) == 1
    else:
        assert "was ended" in loud[-1]


def test_to_leave_at_once_gives_nobody_more_time(nursery):
    one = nursery(1, Policy(graceful_timeout=TENTH, overtaken_grace=0, quick_timeout=3600 * SECOND))
    one.script = lambda child: Script(one.cells, child, then=deaf if child.age == 1 else obedient)
    one.until(lambda: ("settled", 1) in one.news)
    for generation in (2, 3):
        one.pool.renew(one.pool.state.policy)
        one.until(lambda generation=generation: ("settled", generation) in one.news)
    assert one.deaths[0][1] == -signal.SIGKILL


@pytest.mark.parametrize("gently", [True, False])
def test_a_booting_child_ends_at_once_and_nobody_minds(nursery, gently):
    one = nursery(1, Policy(graceful_timeout=3600 * SECOND, quick_timeout=3600 * SECOND))
    one.script = lambda child: Script(one.cells, child, says=b"", then=deaf, takes_signals=False)
    one.until(lambda: one.count(State.BOOTING) == 1)
    if gently:
        one.pool.drain()
    else:
        one.pool.quit()
    one.until(lambda: one.pool.exit_code is not None)
    assert one.pool.exit_code == 0
    assert one.deaths[0][1] == (-signal.SIGTERM if gently else -signal.SIGINT)
    assert one.log.loud() == []


@pytest.mark.parametrize("gently", [True, False])
def test_a_booting_child_that_does_not_listen_is_killed_soon_and_quietly(nursery, gently):
    one = nursery(1, Policy(graceful_timeout=3600 * SECOND, quick_timeout=TENTH))
    ready_out, ready_in = os.pipe()

    def imports(row):
        os.write(ready_in, b"x")
        return deaf(row)

    one.script = lambda child: Script(one.cells, child, says=b"", then=imports)
    one.until(lambda: one.count(State.BOOTING) == 1)
    os.read(ready_out, 1)
    if gently:
        one.pool.drain()
    else:
        one.pool.quit()
    one.until(lambda: one.pool.exit_code is not None)
    assert one.deaths[0][1] == -signal.SIGKILL
    assert one.log.loud() == []
    os.close(ready_out)
    os.close(ready_in)


def test_recycling(nursery):
    one = nursery(2)
    one.script = lambda child: Script(one.cells, child, says=b"RQ" if child.age <= 2 else b"R")
    one.until(lambda: len(one.deaths) == 2 and one.count(State.READY) == 2)
    assert {status for _, status in one.deaths} == {0}
    assert one.log.loud() == []


def test_code_changes_are_passed_on(nursery):
    one = nursery(1)
    one.script = lambda child: Script(one.cells, child, says=b"RC")
    one.until(lambda: ("changed", one.pids()[0]) in one.news if one.pids() else False)


def test_noise_on_the_pipe_is_ignored(nursery):
    one = nursery(1)
    one.script = lambda child: Script(one.cells, child, says=b"\0xR\xff")
    one.settle()
    assert one.log.loud() == []


def test_strangers_are_reaped_without_a_word(nursery):
    one = nursery(1)
    one.settle()
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    one.until(lambda: one.strangers)
    assert one.strangers == [(pid, 3)]
    assert one.log.loud() == []
    assert one.pool.exit_code is None


def pipes(pid):
    """The pipes a process holds, an entry for each descriptor."""
    directory = f"/proc/{pid}/fd"
    links = [os.readlink(f"{directory}/{fd}") for fd in os.listdir(directory)]
    return [link for link in links if link.startswith("pipe:")]


def pipe_of(fd):
    return os.readlink(f"/proc/self/fd/{fd}")


def test_children_hold_nothing_that_is_the_parents_alone(nursery):
    one = nursery(3)
    one.settle()
    children = one.pool.state.children.values()
    for child in children:
        held = pipes(child.pid)
        assert held.count(pipe_of(child.notice)) == 1, "its own end of its own notice pipe"
        for sibling in children:
            if sibling is not child:
                assert pipe_of(sibling.notice) not in held
        assert held.count(pipe_of(one.separated[1])) == 1, "separate() was called"


def test_a_reopen_signal_during_boot_does_not_kill(nursery):
    one = nursery(1)
    gate_out, gate_in = os.pipe()

    def waits(row):
        os.read(gate_out, 1)
        return 0

    one.script = lambda child: Script(one.cells, child, says=b"", then=waits)
    one.until(lambda: one.count(State.BOOTING) == 1)
    one.pool.forward(signal.SIGUSR1)
    one.until(lambda: one.cells.total(columns.BYTES_IN) == 1)
    assert one.deaths == []
    one.script = lambda child: Script(one.cells, child)
    os.close(gate_in)
    os.close(gate_out)


def test_no_process_to_be_had_is_a_failed_boot_and_no_end(nursery, monkeypatch):
    one = nursery(1)
    one.settle()
    (victim,) = one.pids()

    def refuse():
        raise OSError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refuse)
        os.kill(victim, signal.SIGKILL)
        one.until(lambda: one.pool.state.failures >= 2)
    one.until(lambda: one.count(State.READY) == 1)
    assert "No worker can be forked: [Errno 11] Resource temporarily unavailable" in one.log.loud()


def test_descriptors_do_not_pile_up(nursery):
    one = nursery(2)
    one.settle()
    before = len(os.listdir("/proc/self/fd"))
    for generation in range(2, 12):
        one.pool.renew(one.pool.state.policy)
        one.settle(generation)
    assert len(os.listdir("/proc/self/fd")) == before


def test_events_are_told(nursery):
    one = nursery(1)
    heard = []
    for event in ("worker.spawned", "worker.ready", "worker.draining", "worker.exited", "pool.settled"):
        one.bus.subscribe(event, lambda event=event, **data: heard.append((event, data)))
    one.settle()
    one.pool.drain()
    one.until(lambda: one.pool.exit_code is not None)
    assert [event for event, _ in heard] == [
        "worker.spawned",
        "worker.ready",
        "pool.settled",
        "worker.draining",
        "worker.exited",
    ]
    assert heard[-1][1]["reason"] == "stop"
    assert heard[-1][1]["status"] == 0
