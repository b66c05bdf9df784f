"""A world without processes for the plan to rule: forks succeed at once, signals are obeyed as scripted."""

from __future__ import annotations

from collections.abc import Callable

from gunicorn.supervisor.child import Action, Child, Event, State
from gunicorn.supervisor.plan import (
    SECOND,
    Abandon,
    Finish,
    Goal,
    Halt,
    Order,
    Policy,
    PoolState,
    Settle,
    Signal,
    Spawn,
    plan,
    wake_at,
)


class World:
    """Executes orders as the pool does, with pids that count up and a clock that only tests move."""

    def __init__(self, target: int = 2, policy: Policy | None = None) -> None:
        self.pool = PoolState(target=target, policy=policy or Policy())
        self.now = 1000 * SECOND
        self.pids = 0
        self.orders: list[Order] = []
        self.sent: list[tuple[int, Action]] = []
        self.fallen: list[Abandon] = []
        self.settled: list[int] = []
        self.finished = False
        self.halted: int | None = None

    # -- what the pool does

    def run(self) -> list[Order]:
        """Plans and executes until nothing more is wanted at this moment; returns all orders of it."""
        done: list[Order] = []
        for _ in range(100):
            for child in self.pool.children.values():
                child.beat = child.beat or 0
            orders = plan(self.pool, self.now)
            if not orders:
                return done
            done += orders
            self.orders += orders
            for order in orders:
                self.execute(order)
            if self.finished:
                return done
        raise AssertionError(f"the plan never comes to rest: {orders}")

    def execute(self, order: Order) -> None:
        match order:
            case Spawn(generation):
                self.pids += 1
                child = Child(slot=self.pids, age=self.pids, generation=generation, started=self.now, pid=self.pids)
                if self.pool.policy.boot_timeout:
                    child.deadline = self.now + self.pool.policy.boot_timeout
                self.pool.children[child.pid] = child
            case Signal(pid, event, reason):
                self.push(pid, event, reason)
            case Settle(generation):
                self.pool.settled = self.pool.serving = generation
                self.settled.append(generation)
            case Abandon():
                self.fallen.append(order)
                self.pool.abandon()
            case Halt(code):
                self.halted = code
                self.pool.goal = Goal.QUIT
            case Finish():
                self.finished = True

    def push(self, pid: int, event: Event, reason: str = "") -> None:
        child = self.pool.children[pid]
        action = child.advance(event)
        policy = self.pool.policy
        if action is Action.WELCOME:
            child.ready_at, child.deadline = self.now, 0
            self.pool.ready(child)
        elif action is Action.MARK:
            child.retiring = child.retiring or self.now
        elif action not in (Action.NOTHING, Action.BURY):
            self.sent.append((pid, action))
            child.reason = reason
            patience = {Action.TERM: policy.graceful_timeout, Action.INT: policy.quick_timeout}
            deadline = self.now + patience.get(action, policy.abort_grace)
            leaving = child.told_at and action is Action.INT
            child.deadline = min(child.deadline, deadline) if leaving else deadline
            child.told_at = child.told_at or self.now
            child.hurried = action is not Action.TERM

    # -- what the world does

    def ready(self, *pids: int) -> None:
        for pid in pids:
            self.push(pid, Event.READY)

    def dies(self, pid: int, code: int = 0) -> None:
        child = self.pool.children.pop(pid)
        before = child.state
        child.advance(Event.EXIT)
        self.pool.gone(child, before, code, self.now)

    def passes(self, seconds: float, *, beating: bool = True) -> None:
        self.now += int(seconds * SECOND)
        if beating:
            for child in self.pool.children.values():
                child.beat = self.now

    def until_next(self) -> float:
        """Seconds until the plan wants to be asked again."""
        at = wake_at(self.pool, self.now)
        assert at is not None
        return (at - self.now) / SECOND

    def boot_all(self) -> None:
        """Lets everybody boot and everybody who was told to go, go, until the pool is at rest."""
        for _ in range(200):
            self.run()
            waiting = self.pids_in(State.BOOTING)
            leaving = self.pids_in(State.DRAINING) + self.pids_in(State.ABORTING)
            if not waiting and not leaving:
                return
            for pid in leaving:
                self.dies(pid)
            self.ready(*waiting)
        raise AssertionError("never at rest")

    def pids_in(self, state: State, where: Callable[[Child], bool] = lambda _: True) -> list[int]:
        return [c.pid for c in self.pool.children.values() if c.state is state and where(c)]

    def count(self, state: State) -> int:
        return len(self.pids_in(state))

    def actions(self, pid: int) -> list[Action]:
        return [action for sent_to, action in self.sent if sent_to == pid]
