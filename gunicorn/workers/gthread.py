"""The gthread worker: a crew of threads around one poller."""

from __future__ import annotations

from gunicorn.drivers.blocking.crew import Crew
from gunicorn.metrics import cells
from gunicorn.workers.blocking import BlockingWorker


class ThreadWorker(BlockingWorker):
    """`worker_class = "gthread"`: at most `threads` requests at a time."""

    multithread = True

    def serve(self) -> None:
        """Turns the poller on whichever thread leads."""
        threads = max(self.cfg.threads, 1)
        self.row.page[cells.THREADS] = threads
        Crew(self.poller, threads, self.pipe.wake, self.is_over).run()
