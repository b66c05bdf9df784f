"""What the worker classes that speak HTTP share: the machine of a connection, observers, counting, the second hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, cast

from gunicorn import SERVER_SOFTWARE
from gunicorn.bridge.environ import EnvironOptions
from gunicorn.bridge.exchange import Exchange
from gunicorn.bridge.views import RequestView, ResponseView
from gunicorn.config import slices
from gunicorn.drivers.ending import QuickStop
from gunicorn.host.clock import http_date
from gunicorn.log.access import AccessLog
from gunicorn.log.errors import ErrorsStream
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import Stamp
from gunicorn.protocol.machine import Machine
from gunicorn.protocol.trust import Peer
from gunicorn.workers.base import RETIRE, Worker

Observer = Callable[[Exchange], None]


class HttpService(Protocol):
    """What a worker sets on the service of its driver, whichever driver that is."""

    stamp: Stamp
    access: Observer | None
    before: Observer | None
    after: Observer | None
    requests: int
    retire_at: int
    retire: Callable[[], None]


class HttpWorker(Worker):
    """A worker over one of our drivers."""

    service: Any

    def machine_factory(self, stamp: Stamp) -> Callable[[Peer], Machine]:
        """Makes the machine of each connection; from here on nobody asks the configuration."""
        policy = slices.http_policy(self.cfg)
        trust = slices.trust_policy(self.cfg)
        scheme = "https" if self.tls is not None else "http"

        def machine(peer: Peer) -> Machine:
            return Http1(policy, trust, stamp, peer, scheme)

        return machine

    def environ_options(self, *, multithread: bool) -> EnvironOptions:
        """What the environ of every request to a WSGI application says of the server around it."""
        return EnvironOptions(
            software=SERVER_SOFTWARE,
            multithread=multithread,
            multiprocess=self.cfg.workers > 1,
            errors=cast(Any, ErrorsStream(self.log.error_log, plain=self.cfg.log_format == "text")),
            script_name=os.environ.get("SCRIPT_NAME", ""),
        )

    def attach_observers(self, service: HttpService) -> None:
        """Hooks, access log and counting: what nobody asked for stays None and costs nothing."""
        service.access = cast("Callable[[Exchange], None] | None", AccessLog.from_logger(self.log, self.cfg, _views))
        before, after = self.cfg.hook("pre_request"), self.cfg.hook("post_request")
        if before is not None:
            service.before = lambda exchange: before(self, RequestView(exchange.request))
        if after is not None:
            service.after = lambda exchange: self._after(after, exchange)
        service.retire_at = self.max_requests
        service.retire = self.retire

    def _after(self, hook: Callable[..., Any], exchange: Exchange) -> None:
        try:
            hook(self, RequestView(exchange.request), exchange.described, ResponseView(exchange))
        except QuickStop:
            raise
        except BaseException:  # the answer is out: whatever it is, it must not end the worker
            self.log.exception("Exception in post_request hook")

    @property
    def nr(self) -> int:
        """How many requests this worker has served."""
        return self.service.requests if self.booted else 0

    @nr.setter
    def nr(self, number: int) -> None:
        """Counted by the driver; existing constructors set 0."""

    def retire(self) -> None:
        """Asks to be replaced at max_requests; serves on until the replacement is ready."""
        self.log.info("Worker served %d requests and will be replaced (max_requests)", self.nr)
        self.notice(RETIRE)

    def begin_stop(self) -> None:
        """TERM: finishes what was begun."""
        raise NotImplementedError

    def every_second(self) -> None:
        """The date of responses, and whether the arbiter is still there."""
        self.service.stamp.date = http_date()
        if os.getppid() != self.ppid and self.alive:
            self.log.info("Parent changed, shutting down: %s", self)
            self.begin_stop()


def _views(exchange: Exchange) -> tuple[ResponseView, RequestView]:
    """`resp` and `req` for loggers that have an access method of their own."""
    return ResponseView(exchange), RequestView(exchange.request)
