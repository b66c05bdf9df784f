"""The plan: a reload never waits for what older generations still hold open, and cuts off no more than it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.supervisor.child import Action, Event, State
from gunicorn.supervisor.plan import SECOND, Goal, Policy, Signal, Spawn, plan, wake_at
from tests.unit.supervisor.test_plan_property import happen
from tests.unit.supervisor.world import World

GRACE = Policy().overtaken_grace // SECOND
OVERTAKEN = "overtaken"


def streaming(target: int, reloads: int = 1, policy: Policy | None = None) -> World:
    """A world after `reloads` reloads, in which whoever drains has an open stream and stays."""
    world = World(target, policy)
    world.boot_all()
    for _ in range(reloads):
        world.pool.next_generation()
        settle(world)
    return world


def settle(world: World) -> None:
    for _ in range(100):
        world.run()
        booting = world.pids_in(State.BOOTING)
        if not booting:
            return
        world.ready(*booting)
    raise AssertionError("never at rest")


def hurried(world: World) -> list[int]:
    return [pid for pid, action in world.sent if action is Action.INT]


def test_one_reload_hurries_nobody():
    for target in (1, 2, 4, 8):
        world = streaming(target)
        assert world.settled == [1, 2]
        world.passes(29)
        world.run()
        assert hurried(world) == []
        assert world.count(State.DRAINING) == target


def test_the_second_reload_of_a_single_worker_waits_for_the_grace_and_no_longer():
    world = streaming(1)
    world.passes(0.5)
    world.pool.next_generation()
    assert world.run() == []
    assert world.until_next() == GRACE - 0.5
    world.passes(GRACE - 0.5)
    assert world.run() == [Signal(1, Event.QUIT, OVERTAKEN)]
    assert world.actions(1) == [Action.TERM, Action.INT]
    assert world.run() == [], "its place is not free yet"
    world.dies(1)
    assert world.run() == [Spawn(3)]
    world.ready(3)
    world.run()
    assert world.settled == [1, 2, 3]
    assert world.count(State.READY) == 1


def test_who_has_had_the_grace_already_is_hurried_at_once():
    world = streaming(1)
    world.passes(GRACE)
    world.pool.next_generation()
    assert world.run() == [Signal(1, Event.QUIT, OVERTAKEN)]


def test_who_ends_within_the_grace_is_not_hurried():
    world = streaming(1)
    world.passes(0.5)
    world.pool.next_generation()
    world.run()
    world.passes(GRACE - 0.6)
    world.dies(1)
    assert world.run() == [Spawn(3)]
    assert hurried(world) == []


def test_who_does_not_listen_is_killed_and_waited_for_no_longer():
    world = streaming(1)
    world.passes(GRACE)
    world.pool.next_generation()
    world.run()
    quick = Policy().quick_timeout // SECOND
    assert world.until_next() == quick
    world.passes(quick)
    orders = world.run()
    assert orders[0] == Signal(1, Event.EXPIRE, "quick stop")
    assert Spawn(3) in orders, "a process that the kernel does not let go must not block reloads for ever"


def test_being_hurried_gives_no_more_time():
    world = streaming(1, policy=Policy(graceful_timeout=4 * SECOND))
    world.passes(3)
    world.pool.next_generation()
    world.run()
    assert hurried(world) == [1]
    assert world.until_next() == 1


def test_a_graceful_timeout_below_the_grace_stands():
    world = streaming(1, policy=Policy(graceful_timeout=SECOND))
    world.pool.next_generation()
    world.run()
    world.passes(1)
    assert world.run()[0] == Signal(1, Event.EXPIRE, "graceful_timeout")
    assert hurried(world) == []


def test_only_as_many_as_needed_and_the_oldest_first():
    world = streaming(4)
    old = sorted(world.pids_in(State.DRAINING))
    world.passes(GRACE)
    world.pool.next_generation()
    for pid in old:
        orders = world.run()
        assert [order for order in orders if order.event is Event.QUIT] == [Signal(pid, Event.QUIT, OVERTAKEN)]
        world.dies(pid)
        assert world.run() == [Spawn(3)]
        assert len(world.pool.children) == 8
        world.ready(*world.pids_in(State.BOOTING))
    world.run()
    assert hurried(world) == old
    assert world.settled == [1, 2, 3]
    assert {child.generation for child in world.pool.children.values() if child.standing} == {3}
    assert world.count(State.DRAINING) == 4, "the second generation drains on"


def test_a_place_that_is_free_costs_nobody_his():
    world = streaming(4)
    world.dies(min(world.pids_in(State.DRAINING)))
    world.passes(GRACE)
    world.pool.next_generation()
    assert world.run() == [Spawn(3)]
    assert hurried(world) == []


def test_the_surge_decides_how_many_go_at_once():
    world = streaming(4, policy=Policy(max_surge=3))
    world.passes(GRACE)
    world.pool.next_generation()
    world.run()
    assert len(hurried(world)) == 3


def test_recycling_hurries_nobody():
    world = World(1)
    world.boot_all()
    for _ in range(2):
        (pid,) = world.pids_in(State.READY)
        world.push(pid, Event.RETIRE)
        settle(world)
        world.passes(10)
    world.run()
    assert world.count(State.DRAINING) == 1
    assert hurried(world) == []


def test_what_drains_after_recycling_makes_place_for_a_reload():
    world = World(1)
    world.boot_all()
    world.push(1, Event.RETIRE)
    settle(world)
    world.passes(GRACE)
    world.pool.next_generation()
    assert world.run() == [Signal(1, Event.QUIT, OVERTAKEN)]


def test_lost_capacity_is_replaced_without_hurrying_anybody():
    world = streaming(1)
    world.passes(GRACE)
    (pid,) = world.pids_in(State.READY)
    world.dies(pid, -9)
    assert world.run() == [Spawn(2)]
    assert hurried(world) == []


def test_nobody_is_hurried_for_a_generation_that_waits_after_a_failed_boot():
    world = streaming(2)
    world.pool.next_generation()
    world.passes(GRACE)
    world.run()
    assert hurried(world) == [1]
    world.dies(1)
    world.run()
    (booting,) = world.pids_in(State.BOOTING)
    world.dies(booting, 4)
    assert world.run() == []
    assert wake_at(world.pool, world.now) == world.pool.retry_at
    world.passes(0.1)
    assert world.run() == [Spawn(3)]
    assert hurried(world) == [1]


def test_after_a_pause_of_the_machine_the_grace_starts_afresh():
    world = streaming(1)
    world.pool.next_generation()
    world.run()
    world.passes(600)
    world.pool.excuse(world.now, 600 * SECOND)
    assert world.run() == []
    assert world.until_next() == GRACE


def test_a_stop_takes_over():
    world = streaming(1)
    world.pool.next_generation()
    world.run()
    world.pool.goal = Goal.DRAIN
    world.passes(GRACE)
    world.run()
    assert hurried(world) == []


@pytest.mark.parametrize("target", [1, 2, 5])
def test_a_storm_of_reloads_under_streams(target):
    """HUP every two seconds, streams of five: each release serves soon, memory is bounded, capacity never lost."""
    world = World(target)
    world.boot_all()
    told: dict[int, int] = {}
    cut = 0
    for tenth in range(600):
        if tenth % 20 == 0:
            world.pool.next_generation()
        world.passes(0.1)
        world.run()
        for pid in world.pids_in(State.DRAINING, lambda c: not c.ready_at):
            world.dies(pid)
        for pid in world.pids_in(State.DRAINING):
            begun = told.setdefault(pid, world.now)
            if world.pool.children[pid].hurried:
                assert world.now - begun >= Policy().overtaken_grace - SECOND // 5
                cut += 1
                world.dies(pid)
            elif world.now - begun >= 5 * SECOND:
                world.dies(pid)
        world.run()
        assert world.count(State.READY) >= target
        assert len(world.pool.children) <= max(2 * target, target + Policy().surge(target))
        # A boot takes a moment.
        world.ready(*world.pids_in(State.BOOTING, lambda c: world.now - c.started >= SECOND // 5))
        oldest = min(c.generation for c in world.pool.children.values() if c.state is State.READY)
        assert world.pool.generation - oldest <= 3
    assert cut


EVENTS = st.lists(
    st.tuples(st.sampled_from(["ready", "die", "crash", "retire", "pass", "reload", "scale"]), st.integers(0, 7)),
    max_size=50,
)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5), EVENTS)
def test_from_everywhere_a_reload_ends_though_no_stream_does(target, events):
    """Nobody who drains leaves before INT; all the same the wanted generation serves after a bounded time."""
    world = World(target)
    world.boot_all()
    for what, which in events:
        happen(world, what, which)
        world.run()
    world.passes(60)
    world.run()
    world.pool.next_generation()
    waited = 0.0
    for _ in range(500):
        world.run()
        for pid in hurried(world):
            if pid in world.pool.children:
                world.dies(pid)
        booting = world.pids_in(State.BOOTING)
        world.ready(*booting)
        if world.settled[-1:] == [world.pool.generation]:
            break
        if not booting and not plan(world.pool, world.now):
            pause = max(0.0, world.until_next())
            waited += pause
            world.passes(pause)
    assert world.settled[-1] == world.pool.generation
    assert waited <= 2 * (GRACE + 1) * max(1, world.pool.target)
