"""The plan: what a pool needs, rule by rule, without a process."""

import pytest

from gunicorn.supervisor.child import Action, Event, State
from gunicorn.supervisor.plan import (
    BACKOFF_LIMIT,
    SECOND,
    Abandon,
    Finish,
    Halt,
    Policy,
    Settle,
    Signal,
    Spawn,
    backoff,
    plan,
    wake_at,
)
from tests.unit.supervisor.world import World


def serving(target: int = 2, policy: Policy | None = None) -> World:
    """A world whose first generation stands."""
    world = World(target, policy)
    world.boot_all()
    assert world.settled == [1]
    return world


# -- the number


def test_a_new_pool_spawns_its_target():
    assert plan(World(3).pool, 0) == [Spawn(1)] * 3


def test_it_settles_once_all_are_ready_and_only_once():
    world = World(2)
    world.run()
    world.ready(1)
    assert world.run() == []
    world.ready(2)
    assert world.run() == [Settle(1)]
    assert world.run() == []


def test_an_empty_target_settles_at_once():
    assert plan(World(0).pool, 0) == [Settle(1)]


def test_a_dead_worker_is_replaced_at_once():
    world = serving(2)
    world.passes(60)
    world.dies(1, -9)
    assert world.run() == [Spawn(1)]


def test_scaling_up_spawns_the_difference():
    world = serving(2)
    world.pool.target = 5
    assert world.run() == [Spawn(1)] * 3


def test_scaling_down_drains_the_longest_serving():
    world = serving(3)
    world.pool.target = 1
    assert world.run() == [Signal(1, Event.DRAIN, "scale"), Signal(2, Event.DRAIN, "scale")]


def test_scaling_down_prefers_those_that_do_not_serve_yet():
    world = serving(2)
    world.pool.target = 3
    world.run()
    world.pool.target = 2
    assert world.run() == [Signal(3, Event.DRAIN, "scale")]


def test_scaling_to_zero_and_back():
    world = serving(2)
    world.pool.target = 0
    world.boot_all()
    assert not world.pool.children
    world.pool.target = 2
    assert world.run() == [Spawn(1)] * 2


# -- generations


def test_reload_starts_the_new_before_it_stops_an_old():
    world = serving(2)
    world.pool.next_generation()
    assert world.run() == [Spawn(2)]
    assert world.run() == []
    world.ready(3)
    assert world.run() == [Signal(1, Event.DRAIN, "reload"), Spawn(2)]


@pytest.mark.parametrize("target", [1, 2, 3, 4, 8, 17])
def test_reload_never_loses_capacity_and_never_doubles(target):
    world = serving(target)
    world.pool.next_generation()
    most = 0
    while world.settled[-1] != 2:
        world.run()
        assert world.count(State.READY) >= target
        most = max(most, len(world.pool.children))
        for pid in world.pids_in(State.DRAINING):
            world.dies(pid)
        world.ready(*world.pids_in(State.BOOTING))
    assert most <= target + 2 * max(1, target // 4)
    assert {child.generation for child in world.pool.children.values()} == {2}
    assert len(world.pool.children) == target


def test_max_surge_is_obeyed():
    world = serving(4, Policy(max_surge=3))
    world.pool.next_generation()
    assert world.run() == [Spawn(2)] * 3


def test_workers_that_drain_for_long_do_not_stop_a_reload_but_bound_its_memory():
    world = serving(4)
    world.pool.next_generation()
    for _ in range(20):
        world.run()
        world.ready(*world.pids_in(State.BOOTING))
        assert len(world.pool.children) <= 8
    assert world.settled == [1, 2]
    assert world.count(State.DRAINING) == 4


def test_two_reloads_in_a_row_end_with_the_last():
    world = serving(2)
    world.pool.next_generation()
    world.run()
    world.pool.next_generation()
    world.boot_all()
    assert world.settled == [1, 3]
    assert {child.generation for child in world.pool.children.values()} == {3}


def test_a_boot_that_hangs_does_not_block_the_next_reload():
    world = serving(2)
    world.pool.next_generation()
    world.run()
    (hanging,) = world.pids_in(State.BOOTING)
    world.passes(600)
    world.pool.next_generation()
    assert world.run() == [Signal(hanging, Event.DRAIN, "superseded"), Spawn(3)]
    assert world.count(State.READY) == 2


def test_a_reload_before_anything_has_served_takes_over_step_by_step():
    world = World(2)
    world.run()
    world.pool.next_generation()
    assert world.run() == [Spawn(2)]
    world.boot_all()
    assert {child.generation for child in world.pool.children.values()} == {2}


def test_a_broken_reload_during_the_start_falls_back_to_the_start():
    world = World(2, Policy(max_boot_failures=1))
    world.run()
    world.pool.next_generation()
    world.run()
    world.dies(3, 4)
    assert world.run() == []
    world.ready(1)
    assert world.run() == [Abandon(2, 1)]
    world.boot_all()
    assert {child.generation for child in world.pool.children.values()} == {1}
    assert world.halted is None


def test_a_broken_reload_during_a_broken_start_halts():
    world = World(1)
    world.run()
    world.pool.next_generation()
    world.run()
    world.dies(2, 4)
    world.run()
    world.dies(1, 4)
    assert world.run() == [Halt(4), Finish()]


def test_reload_with_fewer_workers():
    world = serving(4)
    world.pool.next_generation()
    world.pool.target = 1
    world.boot_all()
    assert [child.generation for child in world.pool.children.values()] == [2]


def test_reload_replaces_an_old_worker_that_dies_by_a_new_one():
    world = serving(2)
    world.pool.next_generation()
    world.run()
    world.dies(1, -9)
    assert world.run() == [Spawn(2)]


# -- boots that fail


@pytest.mark.parametrize(("code", "exit_code"), [(3, 3), (4, 4), (1, 3), (0, 3)])
def test_the_first_failed_boot_of_a_server_that_never_served_halts_it(code, exit_code):
    world = World(2)
    world.run()
    world.dies(1, code)
    assert world.run()[0] == Halt(exit_code)
    assert world.halted == exit_code
    assert world.actions(2) == [Action.INT]
    world.dies(2, -2)
    assert world.run() == [Finish()]


def test_also_when_another_worker_is_ready_already():
    world = World(2)
    world.run()
    world.ready(1)
    world.dies(2, 3)
    assert Halt(3) in world.run()


def test_a_signal_is_no_verdict_on_the_code_until_it_happens_again_and_again():
    world = World(1, Policy(max_boot_failures=3))
    for pid in (1, 2):
        world.passes(60)
        world.run()
        world.dies(pid, -9)
        assert world.run() == []
    world.passes(60)
    world.run()
    world.dies(3, -9)
    assert Halt(3) in world.run()


def test_a_failed_boot_after_the_server_has_served_is_tried_again_later():
    world = serving(2)
    world.passes(60)
    world.dies(1, -9)
    world.run()
    world.dies(3, 3)
    assert world.run() == []
    assert world.until_next() == pytest.approx(0.1)
    world.passes(0.1)
    assert world.run() == [Spawn(1)]
    world.dies(4, 3)
    assert world.until_next() == pytest.approx(0.2)


def test_the_serving_generation_is_never_given_up():
    world = serving(1, Policy(max_boot_failures=2))
    world.passes(60)
    world.dies(1, -9)
    for _ in range(30):
        world.passes(60)
        world.run()
        (pid,) = world.pids_in(State.BOOTING)
        world.dies(pid, 4)
        world.run()
    assert world.halted is None
    assert world.fallen == []


def test_a_generation_that_cannot_boot_is_abandoned_and_the_old_one_stays():
    world = serving(2, Policy(max_boot_failures=3))
    world.pool.next_generation()
    for _ in range(3):
        world.passes(60)
        assert world.run() == [Spawn(2)]
        (pid,) = world.pids_in(State.BOOTING)
        world.dies(pid, 4)
    assert world.run() == [Abandon(2, 1), Settle(1)]
    assert world.count(State.READY) == 2
    assert world.sent == []


def test_a_reload_after_an_abandoned_one_gets_a_new_number():
    world = serving(1, Policy(max_boot_failures=1))
    world.pool.next_generation()
    world.run()
    world.dies(2, 4)
    world.run()
    assert world.pool.generation == 1
    assert world.pool.next_generation() == 3
    world.boot_all()
    assert world.settled[-1] == 3


def test_a_half_done_reload_that_starts_to_fail_gives_the_capacity_back():
    world = serving(2, Policy(max_boot_failures=1))
    world.pool.next_generation()
    world.run()
    world.ready(3)
    world.run()
    world.dies(1, 0)
    world.dies(4, 4)
    assert world.run() == [Abandon(2, 1), Spawn(1)]
    assert world.count(State.READY) == 2, "the new worker serves until the old code is back"
    world.boot_all()
    assert {child.generation for child in world.pool.children.values()} == {1}


def test_while_boots_fail_only_one_is_tried_at_a_time():
    world = serving(4)
    world.passes(60)
    for pid in (1, 2, 3):
        world.dies(pid, -9)
    assert len(world.run()) == 3
    world.dies(5, 3)
    world.dies(6, 3)
    world.dies(7, 3)
    world.passes(60)
    assert world.run() == [Spawn(1)]


def test_a_success_ends_the_series_of_failures():
    world = serving(2)
    world.passes(60)
    world.dies(1, -9)
    world.run()
    world.dies(3, 3)
    world.passes(60)
    world.run()
    world.ready(4)
    assert world.pool.failures == 0


def test_failures_of_another_generation_do_not_count():
    world = World(1, Policy(max_boot_failures=2))
    world.run()
    world.ready(1)
    world.run()
    world.pool.target = 2
    world.run()
    world.pool.next_generation()
    world.dies(2, 4)
    assert world.pool.failures == 0


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0), (1, 0.1), (2, 0.2), (5, 1.6), (7, 6.4), (8, 10), (1000, 10)])
def test_backoff(failures, seconds):
    assert backoff(failures) == seconds * SECOND
    assert backoff(failures) <= BACKOFF_LIMIT


def test_workers_that_crash_at_their_first_request_are_not_forked_in_a_circle():
    world = serving(2)
    pids = [1, 2]
    pauses = []
    for _ in range(6):
        pid = pids.pop(0)
        world.pool.children[pid].ready_at = world.now
        world.dies(pid, -11)
        at = wake_at(world.pool, world.now)
        pauses.append(max(0, world.pool.retry_at - world.now) / SECOND)
        world.passes(max(0, ((at or 0) - world.now) / SECOND) if world.pool.retry_at > world.now else 0)
        world.run()
        (new,) = world.pids_in(State.BOOTING)
        world.ready(new)
        pids.append(new)
    assert pauses == pytest.approx([0, 0, 0.1, 0.2, 0.4, 0.8])


def test_a_crash_long_after_the_last_one_is_the_first_again():
    world = serving(1)
    for _ in range(5):
        (pid,) = world.pids_in(State.READY)
        world.pool.children[pid].ready_at = world.now
        world.dies(pid, -11)
        assert world.run() == [Spawn(1)]
        world.boot_all()
        world.passes(3600)


def test_a_worker_that_leaves_by_itself_is_no_crash():
    world = serving(1)
    for _ in range(5):
        (pid,) = world.pids_in(State.READY)
        world.dies(pid, 0)
        assert world.run() == [Spawn(1)]
        world.boot_all()
