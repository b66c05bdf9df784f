"""What a pool of children needs next, decided from its records and the time alone.

Knows nothing of processes: `plan` reads a `PoolState` and returns orders, `wake_at` says when to ask
again if nothing happens before. Both are pure; the pool executes orders and reports back through
`PoolState.ready`, `failed` and `gone`, so every rule is tested without a fork.

Generations. A reload raises `generation`; children of any other generation, and those that asked to
be replaced, are *stale*. Stale children serve on until fresh ones are READY in their place. A
generation that cannot boot is abandoned and the one that last settled is wanted again.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from gunicorn.supervisor.child import Child, Event, State

SECOND = 1_000_000_000
BACKOFF_FIRST = SECOND // 10
BACKOFF_LIMIT = 10 * SECOND
CRASH_WINDOW = SECOND
"""A child that dies by accident within this time after READY counts as crashing."""
CRASH_MEMORY = 6 * BACKOFF_LIMIT
"""Accidents further apart than this have nothing to do with each other."""

EXIT_BOOT = 3
EXIT_APP = 4


class Policy(NamedTuple):
    """The times (nanoseconds, 0 = unlimited) and limits a pool is run by."""

    timeout: int = 30 * SECOND
    """Oldest heartbeat of a READY child."""
    graceful_timeout: int = 30 * SECOND
    boot_timeout: int = 0
    quick_timeout: int = 3 * SECOND
    """What a child gets that is told to leave at once."""
    overtaken_grace: int = 2 * SECOND
    """What of `graceful_timeout` a draining child has for certain, even if a newer generation needs its place."""
    abort_grace: int = 2 * SECOND
    """From SIGABRT, in which it dumps its stacks, to SIGKILL."""
    max_boot_failures: int = 5
    """Consecutive failed boots after which a generation is abandoned."""
    max_surge: int = 0
    """Children above the target while a generation is replaced; 0 = a quarter of the target, at least 1.

    At most a quarter more memory, and yet a pool of 1 keeps serving while it is replaced.
    """

    def surge(self, target: int) -> int:
        """How many more than `target` may stand during a replacement."""
        return self.max_surge or max(1, target // 4)


class Goal(enum.Enum):
    """What the pool as a whole wants."""

    SERVE = "serve"
    DRAIN = "drain"
    """All leave politely."""
    QUIT = "quit"
    """All leave now."""


class _Order:
    """What orders have in common: equal are those of one kind with equal fields."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Spawn(_Order):
    """Fork one child of `generation`."""

    __match_args__ = ("generation",)

    def __init__(self, generation: int) -> None:
        self.generation = generation


class Signal(_Order):
    """Put `event` to the child's matrix."""

    __match_args__ = ("pid", "event", "reason")

    def __init__(self, pid: int, event: Event, reason: str) -> None:
        self.pid = pid
        self.event = event
        self.reason = reason


class Settle(_Order):
    """`generation` stands complete and alone."""

    __match_args__ = ("generation",)

    def __init__(self, generation: int) -> None:
        self.generation = generation


class Abandon(_Order):
    """`generation` cannot boot; `fallback` is wanted again."""

    __match_args__ = ("generation", "fallback")

    def __init__(self, generation: int, fallback: int) -> None:
        self.generation = generation
        self.fallback = fallback


class Halt(_Order):
    """Nothing has ever served and nothing will: stop with `code`."""

    __match_args__ = ("code",)

    def __init__(self, code: int) -> None:
        self.code = code


class Finish(_Order):
    """The pool was told to stop and is empty."""


Order = Spawn | Signal | Settle | Abandon | Halt | Finish


class PoolState:
    """All that the plan knows. Times are nanoseconds of the monotonic clock."""

    def __init__(self, target: int, policy: Policy) -> None:
        self.target = target
        self.policy = policy
        self.children: dict[int, Child] = {}
        """By pid."""
        self.generation = 1
        """The one wanted."""
        self.newest = 1
        """The highest number ever given."""
        self.serving = 0
        """The one to fall back to: the last that settled, or the first that got any child ready."""
        self.settled = 0
        """The one that last stood complete and alone; 0 = none yet."""
        self.goal = Goal.SERVE
        self.failures = 0
        """Consecutive failed boots of the wanted generation."""
        self.failure_code = 0
        """Exit status of the last of them; negative = a signal."""
        self.crashes = 0
        """Accidents soon after READY, one close upon another."""
        self.crashed_at = 0
        self.retry_at = 0
        """No fork before this."""
        self.excused = 0
        """Heartbeats count as at least this young: the machine or we ourselves slept until then."""

    def next_generation(self) -> int:
        """A reload begins; returns the number now wanted."""
        self.newest += 1
        self._want(self.newest)
        return self.newest

    def abandon(self) -> None:
        """The wanted generation is given up for the one that last served."""
        self._want(self.serving)

    def _want(self, generation: int) -> None:
        self.generation = generation
        self.settled = 0 if self.settled != generation else self.settled
        self.failures = self.failure_code = self.retry_at = 0

    def ready(self, child: Child) -> None:
        """`child` serves."""
        if not self.serving:
            self.serving = child.generation
        if child.generation == self.generation:
            self.failures = self.failure_code = self.retry_at = 0

    def failed(self, generation: int, code: int, now: int) -> None:
        """A child of `generation` could not be forked or ended before it was ready."""
        if generation != self.generation:
            return
        self.failures += 1
        self.failure_code = code
        self.retry_at = now + backoff(self.failures)

    def gone(self, child: Child, before: State, code: int, now: int) -> None:
        """`child` ended with `code` out of state `before`, the one it had when it was reaped."""
        if before is State.DRAINING:
            return
        if not child.ready_at:
            self.failed(child.generation, code, now)
        elif before is State.READY and code != 0 and now - child.ready_at < CRASH_WINDOW:
            self.crashes = 1 + (self.crashes if now - self.crashed_at < CRASH_MEMORY else 0)
            self.crashed_at = now
            # Each of the pool may fall once at once: one bad moment must not cost capacity.
            if self.crashes > self.target:
                self.retry_at = max(self.retry_at, now + backoff(self.crashes - self.target))

    def excuse(self, now: int, gap: int) -> None:
        """Time passed in which nobody could run: heartbeats and deadlines get `gap` back."""
        self.excused = now
        for child in self.children.values():
            if child.deadline:
                child.deadline += gap
            if child.told_at:
                child.told_at += gap


def backoff(failures: int) -> int:
    """Nanoseconds to wait after so many consecutive failures."""
    if failures <= 0:
        return 0
    return min(BACKOFF_FIRST << min(failures - 1, 16), BACKOFF_LIMIT)


def plan(pool: PoolState, now: int) -> list[Order]:
    """The orders of this moment. Executed and reported, the next plan for the same moment is empty."""
    orders = _overdue(pool, now)
    if pool.goal is not Goal.SERVE:
        return orders + _stop(pool)
    verdict = _verdict(pool)
    if verdict is not None:
        return [*orders, verdict]
    overdue = {order.pid for order in orders if isinstance(order, Signal)}
    orders += _balance(pool, now, overdue)
    if not orders and pool.settled != pool.generation and _complete(pool):
        orders.append(Settle(pool.generation))
    return orders


def wake_at(pool: PoolState, now: int) -> int | None:
    """When `plan` must be asked again although nothing happened; None = never."""
    times = [child.deadline for child in pool.children.values() if child.deadline]
    if pool.policy.timeout:
        times += [_beat(pool, c) + pool.policy.timeout for c in pool.children.values() if c.state is State.READY]
    if pool.goal is Goal.SERVE:
        if pool.retry_at > now:
            times.append(pool.retry_at)
        times += [_spared_until(pool, child) for child in _needs(pool, now, set()).overtaken]
    return min(times, default=None)


def _beat(pool: PoolState, child: Child) -> int:
    return max(child.beat, child.ready_at, pool.excused)


def _overdue(pool: PoolState, now: int) -> list[Order]:
    orders: list[Order] = []
    timeout = pool.policy.timeout
    for child in pool.children.values():
        if child.deadline and now >= child.deadline:
            orders.append(Signal(child.pid, Event.EXPIRE, _broken_promise(child)))
        elif timeout and child.state is State.READY and now >= _beat(pool, child) + timeout:
            orders.append(Signal(child.pid, Event.STALL, "timeout"))
    return orders


def _broken_promise(child: Child) -> str:
    """What the child's deadline stood for."""
    if child.state is State.BOOTING:
        return "boot_timeout"
    if child.state is State.DRAINING:
        return "quick stop" if child.hurried else "graceful_timeout"
    return child.reason


def _stop(pool: PoolState) -> list[Order]:
    if not pool.children:
        return [Finish()]
    if pool.goal is Goal.DRAIN:
        return [Signal(c.pid, Event.DRAIN, "stop") for c in pool.children.values() if c.standing]
    return [
        Signal(c.pid, Event.QUIT, "stop")
        for c in pool.children.values()
        if c.standing or (c.state is State.DRAINING and not c.hurried)
    ]


def _verdict(pool: PoolState) -> Halt | Abandon | None:
    """Whether failed boots end the server, the generation, or (None) neither."""
    if not pool.failures:
        return None
    starting = not pool.serving or (pool.generation == 1 and pool.newest == 1 and not pool.settled)
    if not pool.serving and any(c.standing and c.generation != pool.generation for c in pool.children.values()):
        # A reload came before anything was ready; those of before it may yet be, and then there is a fallback.
        return None
    # A signal from outside (the OOM killer, an operator) says less about the code than an exit status.
    if starting and (pool.failure_code >= 0 or pool.failures >= pool.policy.max_boot_failures):
        return Halt(EXIT_APP if pool.failure_code == EXIT_APP else EXIT_BOOT)
    if pool.generation != pool.serving and pool.failures >= max(1, pool.policy.max_boot_failures):
        return Abandon(pool.generation, pool.serving)
    return None


class _Needs(NamedTuple):
    """What brings a pool closer to its target and its generation."""

    leave: list[Signal]
    spawn: int
    overtaken: list[Child]
    """Draining children whose places a reload waits for, and who may keep them until `_spared_until`."""


def _balance(pool: PoolState, now: int, overdue: set[int]) -> list[Order]:
    needs = _needs(pool, now, overdue)
    hurry = [Signal(c.pid, Event.QUIT, "overtaken") for c in needs.overtaken if now >= _spared_until(pool, c)]
    return [*needs.leave, *hurry, *[Spawn(pool.generation)] * needs.spawn]


def _needs(pool: PoolState, now: int, overdue: set[int]) -> _Needs:
    """Drains what is too much and spawns what is missing, in this order of preference: serve, renew, shrink."""
    standing = [c for c in pool.children.values() if c.standing and c.pid not in overdue]
    # Still booting for a reload that another one has overtaken: useless, and perhaps stuck for ever.
    useful = (pool.generation, pool.serving)
    superseded = [c for c in standing if pool.serving and c.state is State.BOOTING and c.generation not in useful]
    standing = [c for c in standing if c not in superseded]
    fresh = [c for c in standing if c.generation == pool.generation and not c.retiring]
    stale = [c for c in standing if c.generation != pool.generation or c.retiring]
    ready = sum(c.state is State.READY for c in fresh)

    spare = _least_useful(fresh, len(fresh) - pool.target)
    spare_stale = _least_useful(stale, len(stale) - max(0, pool.target - ready))
    leave = [Signal(c.pid, Event.DRAIN, "scale") for c in spare]
    leave += [Signal(c.pid, Event.DRAIN, "superseded") for c in superseded]
    leave += [Signal(c.pid, Event.DRAIN, "recycle" if c.retiring else "reload") for c in spare_stale]

    wanted = pool.target - (len(fresh) - len(spare))
    if wanted <= 0 or now < pool.retry_at:
        return _Needs(leave, 0, [])
    if pool.failures:
        # One probe at a time: a broken generation must not boot on every core again and again.
        probing = any(c.state is State.BOOTING for c in fresh)
        return _Needs(leave, 0 if probing else 1, [])
    kept = len(standing) - len(spare) - len(spare_stale)
    if not stale:
        return _Needs(leave, max(0, min(wanted, pool.target - kept)), [])
    # Those who only ask to be recycled go one at a time; a reload may use the whole surge.
    reloading = any(c.generation != pool.generation for c in stale)
    surge = pool.policy.surge(pool.target) if reloading else 1
    spawn, short = _surge(pool, wanted, kept, len(spare) + len(spare_stale), surge)
    return _Needs(leave, spawn, _overtaken(pool, short) if reloading else [])


def _surge(pool: PoolState, wanted: int, kept: int, going: int, surge: int) -> tuple[int, int]:
    """(how many of the wanted may be forked now, how many places that still drain are in the way of more).

    Beside the `kept` there may be many that still drain, and `going` will in a moment. They never delay a
    replacement of lost capacity, but with them the surge does not grow beyond twice the target. Who is being
    ended by force does not count: nobody can say when the kernel lets go of it.
    """
    draining = going + sum(c.state is State.DRAINING for c in pool.children.values())
    room = max(2 * pool.target, pool.target + surge) - kept - draining
    missing = pool.target - kept
    desired = min(wanted, missing + surge)
    allowed = max(0, min(wanted, max(missing, min(missing + surge, room))))
    return allowed, desired - room if desired > allowed else 0


def _overtaken(pool: PoolState, places: int) -> list[Child]:
    """Who has to give up so many places to a reload: those told to leave first, less those that hurry already.

    Streams may stay open for ever, and new code must not wait for them.
    """
    draining = [c for c in pool.children.values() if c.state is State.DRAINING]
    busy = sorted((c for c in draining if not c.hurried), key=lambda c: (c.told_at, c.age))
    return busy[: max(0, places - (len(draining) - len(busy)))]


def _spared_until(pool: PoolState, child: Child) -> int:
    return child.told_at + pool.policy.overtaken_grace


def _least_useful(children: Iterable[Child], count: int) -> list[Child]:
    """`count` children to let go first: those not yet serving, of another time, longest in service."""
    if count <= 0:
        return []
    return sorted(children, key=lambda c: (c.state is not State.BOOTING, c.retiring or 0, c.age))[:count]


def _complete(pool: PoolState) -> bool:
    standing = [c for c in pool.children.values() if c.standing]
    ready = sum(c.state is State.READY and c.generation == pool.generation for c in standing)
    return ready >= pool.target and all(c.generation == pool.generation for c in standing)
