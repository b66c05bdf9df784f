"""What the worker classes over the blocking driver share: composition, signals, hooks and counting."""

from __future__ import annotations

import signal
from time import monotonic_ns

from gunicorn import SERVER
from gunicorn.config import slices
from gunicorn.drivers.blocking.connection import FOREVER
from gunicorn.drivers.blocking.door import Door, DoorOptions
from gunicorn.drivers.blocking.poller import Poller
from gunicorn.drivers.blocking.service import Service, ServiceOptions
from gunicorn.drivers.ending import QuickStop
from gunicorn.host.clock import http_date
from gunicorn.host.signals import SignalPipe
from gunicorn.metrics import cells
from gunicorn.protocol.limits import Stamp
from gunicorn.workers.http import HttpWorker
from gunicorn.workers.report import LogReporter


class BlockingWorker(HttpWorker):
    """sync and gthread: a poller, its doors, and what happens at each signal and tick."""

    interface = "wsgi"
    multithread = False
    service: Service
    poller: Poller

    def init_signals(self) -> None:
        """Signals fall into a pipe that the poller reads, whichever thread that is."""
        self.pipe = SignalPipe(self._announce)
        self.pipe.install(sig for sig in self.SIGNALS if sig.name != "SIGABRT")

    def fileno(self) -> int:
        """The signal pipe, as the poller's source."""
        return self.pipe.fileno()

    def ready(self, mask: int, now: int) -> None:  # noqa: ARG002
        """Signals arrived."""
        for sig in self.pipe.read():
            if sig.name == "SIGTERM":
                self.begin_stop()
            elif sig.name == "SIGUSR1":
                self.log.reopen_files()
            else:
                self.alive = False
                self.quick = True
                self.poller.next_tick = 0

    quick = False
    interrupted = False
    """INT or QUIT was announced. Not `quick`: a thread of the crew may read the pipe before this one is told."""
    served = False
    """The end has come: what is still announced changes nothing, and must not be raised into it."""

    def _announce(self, sig: signal.Signals) -> None:
        """Signals that cannot wait for an application that runs on this thread.

        After TERM the answer it is making already says that the connection ends; INT and QUIT end it.
        """
        if not self.booted or self.interrupted or self.served:
            return
        if sig in (signal.SIGINT, signal.SIGQUIT):
            self.interrupted = True
            self.alive = False
            self.quick = True
            self.cfg.worker_int(self)
            raise QuickStop(0)
        if sig is signal.SIGTERM:
            self.service.stopping = True
            for connection in list(self.service.connections.values()):
                connection.machine.keep_alive = False

    def begin_stop(self) -> None:
        """TERM: answers what was received; empties the accept queue too if the whole server stops."""
        if self.alive:
            self.alive = False
            stage = self.cells.rows[0].page[cells.PHASE]
            dropped = self.row.page[cells.DROPPED]
            self.poller.stop(drain_queue=stage == cells.Stage.DRAINING, dropped=dropped)

    def is_over(self) -> bool:
        """Whether the worker may end."""
        return self.quick or (not self.alive and self.poller.is_finished())

    # -- composition -------------------------------------------------------------------------------------

    def options(self) -> ServiceOptions:
        """What the driver is told."""
        cfg = self.cfg
        return ServiceOptions(
            environ=self.environ_options(multithread=self.multithread),
            timeouts=slices.timeouts(cfg),
            buffering=cfg.request_buffering,
            spool_threshold=cfg.spool_threshold,
            spool_directory=cfg.tmp_upload_dir,
            response_buffer=cfg.response_buffer,
            sendfile=cfg.sendfile is not False,
        )

    def compose(self) -> None:
        """Makes service, doors and poller from the settings; from here on nobody asks the configuration."""
        assert self.wsgi is not None
        cfg = self.cfg
        stamp = Stamp(SERVER, http_date())
        service = Service(self.wsgi, self.options(), self.row, stamp, LogReporter(self.log))
        self.service = service
        options = DoorOptions(self.machine_factory(stamp), self.tls)
        doors = [Door(service, listener, options) for listener in self.sockets]
        silence = int(self.timeout * 1e9) or FOREVER
        self.poller = Poller(service, doors, self, max_connections=cfg.worker_connections, silence_ns=silence)
        self.poller.on_tick = self.on_tick
        self.attach_observers(service)

    def on_tick(self, now: int) -> None:
        """Once a second."""
        self.every_second()
        self.service.beat(now)

    def prepare(self) -> None:
        """Composes before READY: what is wrong with the settings is a failure to boot, the old workers serve on."""
        self.compose()

    def run(self) -> None:
        """Serves until the end."""
        try:
            self.serve()
        finally:
            self.served = True
            self.service.beat(monotonic_ns())
            self.poller.close()

    def serve(self) -> None:
        """Turns the poller on this thread."""
        poller = self.poller
        while not self.is_over():
            poller.turn()
