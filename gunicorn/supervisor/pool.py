"""A pool of children: the registry, and the hands that carry out the plan.

Knows processes, pipes and cells; nothing of what a child runs or of who gives the commands. Every
method returns at once: waiting is the loop's business, deciding is the plan's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from gunicorn.metrics import cells as columns
from gunicorn.metrics.cells import Cells
from gunicorn.supervisor import birth
from gunicorn.supervisor.child import Action, Child, Event, State
from gunicorn.supervisor.loop import Loop
from gunicorn.supervisor.plan import (
    EXIT_BOOT,
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

_SIGNALS = {
    Action.TERM: signal.SIGTERM,
    Action.INT: signal.SIGINT,
    Action.QUIT: signal.SIGQUIT,
    Action.ABRT: signal.SIGABRT,
    Action.KILL: signal.SIGKILL,
}


class Log(Protocol):
    """What the pool needs of a logger."""

    def debug(self, msg: str, *args: Any) -> None: ...
    def info(self, msg: str, *args: Any) -> None: ...
    def warning(self, msg: str, *args: Any) -> None: ...
    def error(self, msg: str, *args: Any) -> None: ...
    def critical(self, msg: str, *args: Any) -> None: ...
    def exception(self, msg: str, *args: Any) -> None: ...


class Owner(Protocol):
    """Who runs the pool: makes what children run, hears what became of them."""

    def program(self, child: Child) -> birth.Program:
        """What `child` shall run; called in the parent just before the fork."""
        ...

    def born(self, child: Child) -> None:
        """`child` was forked and has its pid."""
        ...

    def buried(self, child: Child, status: int) -> None:
        """`child` was reaped; `status` is its exit status, negative for a signal."""
        ...

    def stranger(self, pid: int, status: int) -> None:
        """A process was reaped that no pool forked."""
        ...

    def changed(self, child: Child) -> None:
        """`child` says that the code on disk is not the code it runs."""
        ...

    def settled(self, generation: int) -> None:
        """`generation` stands complete and alone."""
        ...

    def abandoned(self, generation: int, fallback: int) -> None:
        """`generation` cannot boot; `fallback` is wanted again."""
        ...


class Pool:
    """Children of one kind. `exit_code` is None until the pool was told to stop and is empty."""

    def __init__(
        self,
        target: int,
        policy: Policy,
        *,
        owner: Owner,
        cells: Cells,
        loop: Loop,
        log: Log,
        emit: Callable[..., None],
        separate: Callable[[], None],
    ) -> None:
        """`emit` tells the bus; `separate` is called in each child while all signals are blocked."""
        self.state = PoolState(target=target, policy=policy)
        self.exit_code: int | None = None
        self.log = log
        self._owner = owner
        self._cells = cells
        self._loop = loop
        self._emit = emit
        self._separate = separate
        self._births = 0
        self._stop_code = 0

    # -- commands: what a signal, a control verb or the arbiter asks for

    def scale(self, target: int) -> int:
        """Wants `target` children, at most half of the slots (a reload needs the rest); returns what was taken."""
        self.state.target = min(max(0, target), (len(self._cells.rows) - 1) // 2)
        return self.state.target

    def renew(self, policy: Policy) -> int:
        """Begins a new generation under `policy`; returns its number."""
        self.state.policy = policy
        return self.state.next_generation()

    def drain(self) -> None:
        """Tells all to finish and leave."""
        if self.state.goal is Goal.SERVE:
            self.state.goal = Goal.DRAIN

    def quit(self, code: int = 0) -> None:
        """Tells all to leave at once; the pool will end with `code`."""
        self.state.goal = Goal.QUIT
        self._stop_code = self._stop_code or code

    def forward(self, number: signal.Signals) -> None:
        """Sends a signal that changes nothing in a child's life to all of them."""
        for child in self.state.children.values():
            self._kill(child, number)

    # -- the turn

    def step(self) -> int | None:
        """Does what is due; returns the monotonic ns at which to come again, None = when something happens."""
        now = time.monotonic_ns()
        for child in self.state.children.values():
            child.beat = self._cells.rows[child.slot].page[columns.HEARTBEAT]
        orders = plan(self.state, now)
        for order in orders:
            self._execute(order)
        # Orders change the state and the state may ask for more; signals are heard in between.
        return now if orders else wake_at(self.state, now)

    def excuse(self, gap: int) -> None:
        """The process did not run for `gap` ns: nobody is judged for that time."""
        self.state.excuse(time.monotonic_ns(), gap)

    def reap(self) -> None:
        """Buries whoever ended. Several deaths may share one SIGCHLD, so it asks until nobody is left."""
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            status = os.waitstatus_to_exitcode(raw)
            child = self.state.children.get(pid)
            if child is None:
                self._owner.stranger(pid, status)
            else:
                self._bury(child, status)

    # -- orders

    def _execute(self, order: Order) -> None:
        match order:
            case Spawn(generation):
                self._spawn(generation)
            case Signal(pid, event, reason):
                self._push(pid, event, reason)
            case Settle(generation):
                self.state.settled = self.state.serving = generation
                self._emit("pool.settled", generation=generation)
                self._owner.settled(generation)
            case Abandon(generation, fallback):
                self._abandon(generation, fallback)
            case Halt(code):
                self.quit(code)
            case Finish():
                self.exit_code = self._stop_code

    def _spawn(self, generation: int) -> None:
        """Forks one child; where that is impossible the attempt counts as a failed boot."""
        now = time.monotonic_ns()
        try:
            slot = self._cells.take()
        except IndexError:
            self.log.error("No worker can be forked: all %d slots are taken", len(self._cells.rows) - 1)
            self.state.failed(generation, -1, now)
            return
        self._births += 1
        child = Child(slot=slot, age=self._births, generation=generation, started=now)
        if self.state.policy.boot_timeout:
            child.deadline = now + self.state.policy.boot_timeout
        page = self._cells.rows[slot].page
        page[columns.GENERATION], page[columns.STARTED], page[columns.STATE] = generation, now, child.state
        try:
            child.program = self._owner.program(child)
            child.pid, child.notice = birth.give_birth(child.program, self._separate, self._loop.descriptors())
        except Exception as problem:
            # The server hook pre_fork, or the kernel out of processes, memory or descriptors.
            self.log.exception("No worker can be forked: %s", problem)
            self._cells.free(slot)
            self.state.failed(generation, EXIT_BOOT if not isinstance(problem, OSError) else -1, now)
            return
        page[columns.PID] = child.pid
        self.state.children[child.pid] = child
        self._loop.watch(child.notice, partial(self._listen, child))
        self._owner.born(child)
        self._emit("worker.spawned", child=child)

    def _abandon(self, generation: int, fallback: int) -> None:
        self.state.abandon()
        for child in list(self.state.children.values()):
            if child.generation == generation and child.state is State.BOOTING:
                self._push(child.pid, Event.DRAIN, "abandoned")
        self._emit("pool.abandoned", generation=generation, fallback=fallback)
        self._owner.abandoned(generation, fallback)

    # -- one child

    def _listen(self, child: Child) -> bool:
        """Reads what the child has to say; False when there was nothing."""
        try:
            said = os.read(child.notice, 64)
        except BlockingIOError:
            return False
        if not said:
            # It closed its end: dead, or about to be. The status comes by SIGCHLD.
            self._hang_up(child)
            return False
        for byte in said:
            match bytes((byte,)):
                case birth.NOTICE_READY:
                    self._push(child.pid, Event.READY, "")
                case birth.NOTICE_RETIRE:
                    self._push(child.pid, Event.RETIRE, "")
                case birth.NOTICE_CHANGED:
                    self._owner.changed(child)
                case other:
                    self.log.debug("Worker (pid:%s) said %r, which means nothing", child.pid, other)
        return True

    def _hang_up(self, child: Child) -> None:
        if child.notice >= 0:
            self._loop.forget(child.notice)
            os.close(child.notice)
            child.notice = -1

    def _push(self, pid: int, event: Event, reason: str) -> None:
        """Puts an event to the child's matrix and does what it answers."""
        child = self.state.children[pid]
        before = child.state
        action = child.advance(event)
        now = time.monotonic_ns()
        match action:
            case Action.NOTHING | Action.BURY:
                return
            case Action.WELCOME:
                child.ready_at, child.deadline = now, 0
                self.state.ready(child)
                self._emit("worker.ready", child=child)
            case Action.MARK:
                child.retiring = child.retiring or now
                self.log.debug("Worker (pid:%s) asks to be replaced", pid)
            case _:
                child.reason = reason
                self._remark(child, before, action, reason)
                deadline = now + self._patience(before, action)
                # Who is told to leave at once, and was leaving, must not win time by it.
                hurry = before is State.DRAINING and action is Action.INT
                child.deadline = min(child.deadline, deadline) if hurry else deadline
                child.told_at = child.told_at or now
                child.hurried = action is not Action.TERM
                self._kill(child, _SIGNALS[action])
        self._cells.rows[child.slot].page[columns.STATE] = child.state

    def _patience(self, before: State, action: Action) -> int:
        """Until when the child may obey. Who has not served yet has nothing to finish, however gently it is told."""
        policy = self.state.policy
        if action in (Action.ABRT, Action.KILL):
            return policy.abort_grace
        return policy.graceful_timeout if action is Action.TERM and before is State.READY else policy.quick_timeout

    def _remark(self, child: Child, before: State, action: Action, reason: str) -> None:
        """Says in the log why a child is told to go, in proportion to how unusual that is."""
        if action is Action.ABRT:
            self.log.critical("WORKER TIMEOUT (pid:%s) %s", child.pid, self._circumstances(child, reason))
            self._emit("worker.stalled", child=child, reason=reason)
        elif action is Action.KILL and before is State.DRAINING and child.ready_at:
            self.log.warning(
                "Worker (pid:%s) is killed: still busy when its time was over %s",
                child.pid,
                self._circumstances(child, reason),
            )
        elif action is Action.INT and before is State.DRAINING and self.state.goal is Goal.SERVE:
            self.log.warning(
                "Worker (pid:%s) shall leave at once: a newer generation needs its place %s",
                child.pid,
                self._circumstances(child, reason),
            )
        elif action is Action.TERM:
            self.log.debug("Worker (pid:%s) shall leave: %s", child.pid, reason)
            self._emit("worker.draining", child=child, reason=reason)

    def _circumstances(self, child: Child, reason: str) -> str:
        """Age of the child, and the requests it was in, from the cells."""
        now = time.monotonic_ns()
        text = f"({reason}; up {(now - child.started) / SECOND:.1f} s"
        for request in self._cells.rows[child.slot].in_flight():
            busy = max(0, now - request.started) / SECOND
            text += f"; in flight {request.line!r} for {busy:.1f} s"
        return text + ")"

    def _kill(self, child: Child, number: signal.Signals) -> None:
        try:
            os.kill(child.pid, number)
        except OSError as problem:
            # It cannot be gone, for we have not reaped it, but it may have become another user's.
            self.log.error("Worker (pid:%s) cannot be sent %s: %s", child.pid, number.name, problem)

    def _bury(self, child: Child, status: int) -> None:
        # A child may say that it is ready and die before we have read it; what it said still counts.
        while child.notice >= 0 and self._listen(child):
            pass
        before = child.state
        child.advance(Event.EXIT)
        del self.state.children[child.pid]
        self._hang_up(child)
        self.state.gone(child, before, status, time.monotonic_ns())
        self._obituary(child, before, status)
        self._cells.free(child.slot)
        self._emit("worker.exited", child=child, status=status, reason=_cause(child, before, status))
        self._owner.buried(child, status)

    def _obituary(self, child: Child, before: State, status: int) -> None:
        if before is State.DRAINING or (before is State.ABORTING and child.hurried and not child.ready_at):
            self.log.debug("Worker (pid:%s) left (%s)", child.pid, child.reason)
        elif before is State.ABORTING:
            self.log.error("Worker (pid:%s) was ended (%s)", child.pid, child.reason)
        elif status == -signal.SIGKILL:
            self.log.error("Worker (pid:%s) was sent SIGKILL! Perhaps out of memory?", child.pid)
        elif status < 0:
            self.log.error("Worker (pid:%s) was sent %s!", child.pid, _signal_name(-status))
        elif status or not child.ready_at:
            when = "" if child.ready_at else " before it was ready"
            self.log.error("Worker (pid:%s) exited with code %s%s", child.pid, status, when)
        else:
            self.log.info("Worker (pid:%s) exited", child.pid)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _cause(child: Child, before: State, status: int) -> str:
    """One word for the metrics: why the child ended."""
    if before in (State.DRAINING, State.ABORTING):
        return child.reason
    if not child.ready_at:
        return "boot"
    if status < 0:
        return "signal"
    return "error" if status else "exit"
