"""The sync worker: one thread, one request at a time, every connection polled."""

from __future__ import annotations

from gunicorn.drivers.blocking.service import ServiceOptions
from gunicorn.workers.blocking import BlockingWorker

KEEP_BELOW_NS = 5_000_000
"""Connections are kept alive while requests take less than this on average: a connection that is held waits
behind every slow request of this worker, one that is not may go to another."""


class SyncWorker(BlockingWorker):
    """`worker_class = "sync"`."""

    def options(self) -> ServiceOptions:
        """As all, with keep-alive only while handlers are fast."""
        return super().options()._replace(keep_alive_below_ns=KEEP_BELOW_NS)
