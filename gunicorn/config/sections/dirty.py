"""The pool for heavy work, and its hooks."""

from __future__ import annotations

from gunicorn.config.casts import COUNT, STRINGS
from gunicorn.config.hooks import Hook, hook, nothing
from gunicorn.config.option import Action, Section, option

LATER = "the dirty pool"


class DirtyArbiters(Section, title="Dirty Arbiters"):
    """Processes beside the HTTP workers, for work that is long or holds much in memory."""

    dirty_apps: list[str] = option(
        [],
        "--dirty-app",
        kind=STRINGS,
        action=Action.APPEND,
        metavar="STRING",
        later=LATER,
        doc="""Applications of the pool, as `MODULE:CLASS` or `MODULE:CLASS:WORKERS` to bound how many load it.""",
    )
    dirty_workers: int = option(
        0,
        "--dirty-workers",
        kind=COUNT,
        metavar="INT",
        later=LATER,
        doc="""How many processes the pool has; 0 switches it off.""",
    )
    dirty_timeout: int = option(
        300,
        "--dirty-timeout",
        kind=COUNT,
        metavar="INT",
        later=LATER,
        doc="""How many seconds a task may take before its worker is killed and replaced; 0 sets no bound.""",
    )
    dirty_threads: int = option(
        1,
        "--dirty-threads",
        kind=COUNT,
        metavar="INT",
        later=LATER,
        doc="""How many tasks one worker of the pool runs at the same time.""",
    )
    dirty_graceful_timeout: int = option(
        30,
        "--dirty-graceful-timeout",
        kind=COUNT,
        metavar="INT",
        later=LATER,
        doc="""How many seconds the pool may take to finish its tasks when it is told to stop.""",
    )


class DirtyArbiterHooks(Section, title="Dirty Arbiter Hooks"):
    """Functions called in the life of the pool."""

    on_dirty_starting: Hook = option(
        nothing, kind=hook("arbiter"), later=LATER, doc="""`on_dirty_starting(arbiter)`: before the pool starts."""
    )
    dirty_post_fork: Hook = option(
        nothing,
        kind=hook("arbiter", "worker"),
        later=LATER,
        doc="""`dirty_post_fork(arbiter, worker)`: in a new worker of the pool, right after the fork.""",
    )
    dirty_worker_init: Hook = option(
        nothing,
        kind=hook("worker"),
        later=LATER,
        doc="""`dirty_worker_init(worker)`: in a worker of the pool, once its applications are loaded.""",
    )
    dirty_worker_exit: Hook = option(
        nothing,
        kind=hook("arbiter", "worker"),
        later=LATER,
        doc="""`dirty_worker_exit(arbiter, worker)`: when a worker of the pool has ended.""",
    )
