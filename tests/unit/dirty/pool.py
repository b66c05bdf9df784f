"""A router with a clock and orders that compare by their kind: what the tests of the router say events with."""

from __future__ import annotations

from gunicorn.dirty.orders import Order, Reply
from gunicorn.dirty.records import SECOND, Policy
from gunicorn.dirty.router import Router
from gunicorn.dirty.spec import AppSpec

A, B = "m:A", "m:B"


def spelled(orders: list[Order]) -> list[tuple]:
    """Orders as (kind, who, …): an answer by the type of its error, a start by what identifies it."""
    said = []
    for order in orders:
        fields = list(order)
        kind = type(order).__name__
        if kind == "Answer":
            fields[2] = type(order.error).__name__
        elif kind == "Start":
            fields = [order.worker, order.call, order.payload]
        elif kind in ("Retire", "End"):
            fields = fields[:1]
        said.append((kind.lower(), *fields))
    return said


class Pool:
    """Seconds in, spelled orders out."""

    def __init__(self, *specs: AppSpec, threads: int = 1, max_queue: int | None = None, grace: float = 5) -> None:
        policy = Policy(threads, max_queue, int(grace * SECOND), window=100)
        self.router = Router(specs or (AppSpec(A), AppSpec(B)), policy)
        self.now = 0

    def submit(self, client, request, path=A, payload=None, timeout=None):
        limit = None if timeout is None else int(timeout * SECOND)
        return spelled(self.router.submit(client, request, path, payload, self.now, limit))

    def ready(self, worker, *paths):
        return spelled(self.router.worker_ready(worker, paths or (A, B), self.now))

    def reply(self, worker, call, payload=None, reply=Reply.RESPONSE):
        return spelled(self.router.reply(worker, call, reply, payload, self.now))

    def cancel(self, client, request):
        return spelled(self.router.cancel(client, request, self.now))

    def leave(self, client):
        return spelled(self.router.client_gone(client, self.now))

    def die(self, worker, reason="signal SIGKILL"):
        return spelled(self.router.worker_gone(worker, reason))

    def consume(self, client, request, size):
        return spelled(self.router.consumed(client, request, size))

    def passes(self, seconds):
        self.now += int(seconds * SECOND)
        return spelled(self.router.expire(self.now))

    @property
    def due(self):
        """Seconds until the router wants to be asked again; None = never."""
        nearest = self.router.next_deadline()
        return None if nearest is None else (nearest - self.now) / SECOND
