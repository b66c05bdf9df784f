"""A logger that sends figures to statsd: requests, workers, how often something was logged, and the user's own.

It is chosen by itself when `statsd_host` is set and `logger_class` is not. Code that logs with
`extra={"metric": name, "value": number, "mtype": "gauge"}` gets its figure sent; an empty message then
writes no line.
"""

from __future__ import annotations

from typing import Any, Final

from gunicorn.log.entry import Entry
from gunicorn.log.logger import Logger
from gunicorn.metrics import statsd

METRIC_VAR: Final = "metric"
VALUE_VAR: Final = "value"
MTYPE_VAR: Final = "mtype"
GAUGE_TYPE: Final = "gauge"
COUNTER_TYPE: Final = "counter"
HISTOGRAM_TYPE: Final = "histogram"
TIMER_TYPE: Final = "timer"


class Statsd(Logger):
    """`Logger` and statsd client in one. Without `statsd_host` it only logs."""

    client: statsd.Statsd | None = None

    def setup(self, cfg: Any) -> None:
        """Sets up the logs, then the client."""
        super().setup(cfg)
        if self.client is not None:
            self.client.close()
        self.client = self.observe = None
        if cfg.statsd_host:
            self.client = statsd.Statsd(cfg.statsd_host, cfg.statsd_prefix, cfg.dogstatsd_tags)
            self.observe = self._observe
            if self.client.problem:
                super().warning("No figures go to statsd: %s", self.client.problem)

    def critical(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at CRITICAL and counts it."""
        super().critical(msg, *args, **kwargs)
        self.increment("gunicorn.log.critical", 1)

    def error(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at ERROR and counts it."""
        super().error(msg, *args, **kwargs)
        self.increment("gunicorn.log.error", 1)

    def warning(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at WARNING and counts it."""
        super().warning(msg, *args, **kwargs)
        self.increment("gunicorn.log.warning", 1)

    def exception(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs the exception being handled and counts it."""
        super().exception(msg, *args, **kwargs)
        self.increment("gunicorn.log.exception", 1)

    def info(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at INFO; sends the figure that `extra` describes."""
        self._send(kwargs)
        if msg:
            super().info(msg, *args, **kwargs)

    def debug(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at DEBUG; sends the figure that `extra` describes, whatever the level in force."""
        self._send(kwargs)
        if msg:
            super().debug(msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at `lvl`; sends the figure that `extra` describes."""
        self._send(kwargs)
        if msg:
            super().log(lvl, msg, *args, **kwargs)

    def gauge(self, name: str, value: float) -> None:
        """Sets a gauge."""
        if self.client is not None:
            self.client.gauge(name, value)

    def increment(self, name: str, value: float, sampling_rate: float = 1.0) -> None:
        """Adds to a counter."""
        if self.client is not None:
            self.client.counter(name, value, sampling_rate)

    def decrement(self, name: str, value: float, sampling_rate: float = 1.0) -> None:
        """Takes from a counter."""
        self.increment(name, -value, sampling_rate)

    def histogram(self, name: str, value: float) -> None:
        """Reports one observation of a distribution."""
        if self.client is not None:
            self.client.histogram(name, value)

    def timer(self, name: str, value: float) -> None:
        """Reports a duration in milliseconds."""
        if self.client is not None:
            self.client.timer(name, value)

    def follow(self, bus: Any) -> None:
        """Keeps the gauge `gunicorn.workers` at the number of wanted workers."""
        bus.subscribe("server.started", lambda server: self.gauge("gunicorn.workers", server.num_workers))
        bus.subscribe("pool.scaled", lambda old, new: self.gauge("gunicorn.workers", new))  # noqa: ARG005

    def _observe(self, entry: Entry) -> None:
        """Reports one finished request."""
        if self.client is not None:
            self.client.request(entry.duration_ns / 1e6, entry.status[:3])

    def _send(self, kwargs: dict[str, Any]) -> None:
        """Sends the figure of a log call's `extra`, if it describes one."""
        extra = kwargs.get("extra") or {}
        name, value, kind = extra.get(METRIC_VAR), extra.get(VALUE_VAR), extra.get(MTYPE_VAR)
        if not name or value is None:
            return
        if kind == GAUGE_TYPE:
            self.gauge(name, value)
        elif kind == COUNTER_TYPE:
            self.increment(name, value)
        elif kind == HISTOGRAM_TYPE:
            self.histogram(name, value)
        elif kind == TIMER_TYPE:
            self.timer(name, value)
