"""Whatever happens in whatever order: the plan comes to rest, keeps its bounds and heals when things calm down."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.supervisor.child import Event, State
from gunicorn.supervisor.plan import SECOND, Goal, Policy
from tests.unit.supervisor.world import World

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ready", "die", "fail", "crash", "retire", "pass", "silence", "reload", "scale", "sleep"]),
        st.integers(0, 7),
    ),
    max_size=60,
)


def happen(world: World, what: str, which: int) -> None:
    children = sorted(world.pool.children)
    pid = children[which % len(children)] if children else 0
    child = world.pool.children.get(pid)
    if what == "pass":
        world.passes(which)
    elif what == "silence":
        world.passes(which * 10, beating=False)
    elif what == "sleep":
        world.passes(which * 100, beating=False)
        world.pool.excuse(world.now, which * 100 * SECOND)
    elif what == "reload":
        world.pool.next_generation()
    elif what == "scale":
        world.pool.target = which
    elif child is None:
        return
    elif what == "ready":
        world.ready(pid)
    elif what == "retire":
        world.push(pid, Event.RETIRE)
    elif what == "fail" and child.state is State.BOOTING:
        world.dies(pid, 4)
    elif what == "crash":
        world.dies(pid, -11)
    elif what == "die":
        world.dies(pid, 0)


def served_first(target: int) -> World:
    world = World(target, Policy(boot_timeout=50 * SECOND, max_boot_failures=3))
    world.boot_all()
    return world


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 6), EVENTS)
def test_it_rests_and_heals(target, events):
    world = served_first(target)
    for what, which in events:
        happen(world, what, which)
        world.run()
        pool = world.pool
        surge = max(2 * pool.target, pool.target + pool.policy.surge(pool.target))
        standing = [c for c in pool.children.values() if c.standing]
        booting = [c for c in standing if c.state is State.BOOTING]
        assert not booting or len(standing) <= max(surge, len(standing) - len(booting) + pool.target)
        assert world.halted is None, "a server that has served is never halted by a boot"
    world.passes(3600)
    for _ in range(3):
        world.boot_all()
        world.passes(3600)
    assert {c.generation for c in world.pool.children.values()} <= {world.pool.generation}
    assert [c.state for c in world.pool.children.values()] == [State.READY] * world.pool.target


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), EVENTS, st.sampled_from([Goal.DRAIN, Goal.QUIT]))
def test_from_everywhere_there_is_an_end(target, events, goal):
    world = served_first(target)
    for what, which in events:
        happen(world, what, which)
        world.run()
    world.pool.goal = goal
    for _ in range(400):
        world.run()
        if world.finished:
            break
        # Nobody obeys: only the deadlines end them, one kill after the other.
        world.passes(max(0.0, world.until_next()))
        for pid, action in world.sent:
            if action.value == "KILL" and pid in world.pool.children:
                world.dies(pid, -9)
    assert world.finished


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8), st.lists(st.integers(0, 9), max_size=80))
def test_a_reload_never_goes_below_the_target(target, order):
    """However the boots and the leavings interleave, as many serve as before."""
    world = served_first(target)
    world.pool.next_generation()
    for pick in order:
        world.run()
        assert world.count(State.READY) >= target
        moving = world.pids_in(State.BOOTING) + world.pids_in(State.DRAINING)
        if not moving:
            break
        pid = moving[pick % len(moving)]
        if world.pool.children[pid].state is State.BOOTING:
            world.ready(pid)
        else:
            world.dies(pid, 0)
