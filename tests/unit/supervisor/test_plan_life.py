"""The plan: recycling, heartbeats and the end, rule by rule, without a process."""

from gunicorn.supervisor.child import Action, Event, State
from gunicorn.supervisor.plan import SECOND, Finish, Goal, Policy, Signal, Spawn, plan, wake_at
from tests.unit.supervisor.world import World


def serving(target: int = 2, policy: Policy | None = None) -> World:
    """A world whose first generation stands."""
    world = World(target, policy)
    world.boot_all()
    assert world.settled == [1]
    return world


# -- recycling


def test_a_worker_that_asks_is_replaced_before_it_goes():
    world = serving(2)
    world.push(1, Event.RETIRE)
    assert world.run() == [Spawn(1)]
    world.ready(3)
    assert world.run() == [Signal(1, Event.DRAIN, "recycle")]
    world.dies(1, 0)
    assert world.run() == []


def test_recycling_goes_one_at_a_time():
    world = serving(8)
    for pid in range(1, 9):
        world.push(pid, Event.RETIRE)
        world.passes(0.001)
    for pid in range(1, 9):
        assert world.run() == [Spawn(1)]
        (new,) = world.pids_in(State.BOOTING)
        world.ready(new)
        assert world.count(State.READY) == 9
        assert plan(world.pool, world.now)[0] == Signal(pid, Event.DRAIN, "recycle")
        world.execute(plan(world.pool, world.now)[0])
        world.dies(pid, 0)
    assert world.run() == []


def test_recycling_waits_while_those_recycled_before_are_still_there():
    world = serving(1)
    for _ in range(5):
        (pid,) = world.pids_in(State.READY)
        world.push(pid, Event.RETIRE)
        world.run()
        world.ready(*world.pids_in(State.BOOTING))
        world.run()
        assert len(world.pool.children) <= 2


def test_a_replacement_that_cannot_boot_leaves_the_old_worker_in_service():
    world = serving(1)
    world.push(1, Event.RETIRE)
    world.run()
    world.dies(2, 4)
    world.run()
    assert world.count(State.READY) == 1
    world.passes(0.1)
    assert world.run() == [Spawn(1)]


def test_a_reload_takes_those_that_wait_for_recycling_along():
    world = serving(2)
    world.push(1, Event.RETIRE)
    world.run()
    world.pool.next_generation()
    world.boot_all()
    assert {child.generation for child in world.pool.children.values()} == {2}
    assert len(world.pool.children) == 2


# -- heartbeats


def test_a_silent_worker_is_aborted_replaced_and_killed():
    world = serving(1, Policy(timeout=30 * SECOND, abort_grace=2 * SECOND))
    assert world.until_next() == 30
    world.passes(29.9, beating=False)
    assert world.run() == []
    world.passes(0.1, beating=False)
    assert world.run() == [Signal(1, Event.STALL, "timeout"), Spawn(1)]
    assert world.actions(1) == [Action.ABRT]
    assert world.until_next() == 2
    world.passes(2)
    world.run()
    assert world.actions(1) == [Action.ABRT, Action.KILL]


def test_a_beating_worker_is_left_alone():
    world = serving(1)
    for _ in range(10):
        world.passes(20)
        assert world.run() == []


def test_no_timeout_means_no_judgement():
    world = serving(1, Policy(timeout=0))
    assert wake_at(world.pool, world.now) is None
    world.passes(1e6, beating=False)
    assert world.run() == []


def test_a_slow_boot_is_not_judged_by_heartbeats():
    world = World(1)
    world.run()
    world.passes(3600, beating=False)
    assert world.run() == []


def test_boot_timeout():
    world = World(1, Policy(boot_timeout=10 * SECOND, max_boot_failures=5))
    world.run()
    assert world.until_next() == 10
    world.passes(10, beating=False)
    assert world.run()[0] == Signal(1, Event.EXPIRE, "boot_timeout")
    assert world.actions(1) == [Action.ABRT]
    world.dies(1, -6)
    assert world.pool.failures == 1


def test_after_a_pause_of_the_machine_heartbeats_start_afresh():
    world = serving(1)
    world.passes(600, beating=False)
    world.pool.excuse(world.now, 570 * SECOND)
    assert world.run() == []
    assert world.until_next() == 30
    world.passes(30, beating=False)
    assert Signal(1, Event.STALL, "timeout") in world.run()


def test_after_a_pause_deadlines_move_too():
    world = serving(1)
    world.pool.goal = Goal.DRAIN
    world.run()
    world.passes(600)
    world.pool.excuse(world.now, 600 * SECOND)
    assert world.run() == []
    assert world.until_next() == 30


# -- the end


def test_drain_lets_everybody_finish():
    world = serving(2)
    world.pool.goal = Goal.DRAIN
    assert world.run() == [Signal(1, Event.DRAIN, "stop"), Signal(2, Event.DRAIN, "stop")]
    world.dies(1)
    assert world.run() == []
    world.dies(2)
    assert world.run() == [Finish()]


def test_drain_spawns_nobody():
    world = serving(2)
    world.pool.goal = Goal.DRAIN
    world.dies(1, -9)
    assert not any(isinstance(order, Spawn) for order in world.run())


def test_who_is_not_done_in_time_is_killed():
    world = serving(1, Policy(graceful_timeout=5 * SECOND))
    world.pool.goal = Goal.DRAIN
    world.run()
    assert world.until_next() == 5
    world.passes(5)
    assert world.run() == [Signal(1, Event.EXPIRE, "graceful_timeout")]
    assert world.actions(1) == [Action.TERM, Action.KILL]


def test_quit_is_for_everybody_also_for_those_who_drain_but_only_once():
    world = serving(2)
    world.pool.target = 1
    world.run()
    world.pool.goal = Goal.QUIT
    world.run()
    assert world.actions(1) == [Action.TERM, Action.INT]
    assert world.actions(2) == [Action.QUIT]
    assert world.run() == []


def test_quit_with_nobody_there_ends_at_once():
    world = World(0)
    world.pool.goal = Goal.QUIT
    assert plan(world.pool, world.now) == [Finish()]


def test_while_it_stops_failed_boots_mean_nothing():
    world = World(2)
    world.run()
    world.pool.goal = Goal.QUIT
    world.run()
    world.dies(1, -2)
    world.dies(2, 3)
    assert world.run() == [Finish()]
    assert world.halted is None
