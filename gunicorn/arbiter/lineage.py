"""What is in force (settings, environment, sockets) and in what the generations before were born.

Knows how to move on to the settings of today as a whole, and how to go back as a whole. When that
happens, and what becomes of the workers, is `arbiter.server`'s business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gunicorn.arbiter.generation import (
    Environment,
    Generation,
    binds,
    check_protocol,
    chosen_class,
    listen_options,
    preload,
    tls_context,
)
from gunicorn.config import Config, Settings
from gunicorn.host.privileges import check_switch
from gunicorn.net.listeners import Listener, open_listeners
from gunicorn.supervisor import upgrade

if TYPE_CHECKING:
    import ssl


class Lineage:
    """`cfg`, `worker_class` and `listeners` are in force; `generations` remembers others by number."""

    def __init__(self, app: Any) -> None:
        """Reads the settings of an application object. Call `adopt` to put them in force."""
        self.app = app
        self.cfg = settings_of(app)
        self.worker_class: type[Any] = object
        self.worker_name = ""
        self.listeners: list[Listener] = []
        self.generations: dict[int, Generation] = {}
        self.tls: ssl.SSLContext | None = None
        self._environment = Environment()
        self._lent = False

    def adopt(self) -> None:
        """Puts in force what the settings say about the process itself. Raises GunicornError."""
        check_switch(self.cfg.uid, self.cfg.gid)
        self._environment.apply(self.cfg.env)
        self.worker_class, self.worker_name = chosen_class(self.cfg)
        check_protocol(self.cfg)
        self.tls = tls_context(self.cfg)
        if self.cfg.preload_app:
            preload(self.app)
            self.worker_class, self.worker_name = chosen_class(self.cfg, self.app.callable)

    def open(self, on_retry: Callable[[str], object], wait: Callable[[float], object]) -> None:
        """Opens the first listeners, or takes over those of a service manager or an old server.

        Raises ListenError.
        """
        options = listen_options(self.cfg)
        lent = upgrade.lent(os.environ, options)
        inherited = upgrade.inherited(os.environ, options)
        if lent:
            # What the service manager's socket unit says goes before `bind`, as its users expect.
            self._lent = True
            self.listeners = lent
            return
        self.listeners = open_listeners(binds(self.cfg), options, inherited, on_retry=on_retry, wait=wait)
        self.close_unused(inherited, unlink=False)

    def renew(self, configure_log: Callable[[Settings], None]) -> Generation:
        """From the files of today to open sockets. Whatever it raises, `become` undoes what was done."""
        self.app.reload()
        self.cfg = settings_of(self.app)
        if not self.cfg.preload_app:
            # Whatever an earlier configuration preloaded is old code by now.
            self.app.callable = None
        self.adopt()
        if not self._lent:
            # One attempt: a server that serves does not stand still for a port that is taken.
            options = listen_options(self.cfg)._replace(attempts=1)
            self.listeners = open_listeners(binds(self.cfg), options, self.listeners)
        configure_log(self.cfg)
        return self.describe()

    def describe(self) -> Generation:
        """What is in force now, to be remembered."""
        state = dict(vars(self.app))
        return Generation(self.cfg, tuple(self.listeners), self.worker_class, state, os.getcwd(), self.tls)

    def become(self, generation: Generation, configure_log: Callable[[Settings], None]) -> None:
        """Puts in force again what `generation` was described with; closes what was opened since."""
        vars(self.app).update(generation.app_state)
        os.chdir(generation.directory)
        opened, self.listeners = self.listeners, list(generation.listeners)
        self.close_unused(opened, unlink=True)
        if self.cfg is not generation.cfg:
            self.cfg = generation.cfg
            self.adopt()
            configure_log(self.cfg)

    def keep_only(self, number: int, *, unlink: bool) -> None:
        """Forgets all generations but one, and closes the listeners that were only theirs."""
        opened = self.all_listeners()
        self.generations = {number: self.generations[number]}
        self.close_unused(opened, unlink=unlink)

    def all_listeners(self) -> list[Listener]:
        """Every listener that is open here: until a reload has settled, those of several generations."""
        known = [listener for generation in self.generations.values() for listener in generation.listeners]
        return list(dict.fromkeys([*known, *self.listeners]))

    def dropped(self) -> list[Listener]:
        """Those of earlier generations that are not in force any more."""
        return [listener for listener in self.all_listeners() if listener not in self.listeners]

    def dropped_bits(self, number: int) -> int:
        """A bit for each listener of that generation, by position, that nobody serves after it."""
        if number not in self.generations:
            return 0  # forgotten since: what is left of it has nothing to empty
        dropped = self.dropped()
        own = self.generations[number].listeners[:64]
        return sum(1 << index for index, listener in enumerate(own) if listener in dropped)

    def close_unused(self, listeners: Iterable[Listener], *, unlink: bool) -> None:
        """Closes those that are not in force; with `unlink` their files go too."""
        for listener in listeners:
            if listener not in self.listeners:
                listener.close(unlink=unlink)


def settings_of(app: Any) -> Settings:
    """The settings of an application object, from now on unchangeable."""
    cfg: Settings = app.cfg.freeze() if isinstance(app.cfg, Config) else app.cfg
    return cfg
