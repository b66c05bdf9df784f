"""When an access line is due and the shortest way to write it, decided once at worker boot.

Knows exchanges by `Entry` only. Off is `None`. The plain way (our own sink and format, nobody's filter)
makes the line and writes it; anything else goes through `Logger.access` and logging.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from gunicorn.errors import ConfigError
from gunicorn.log.atoms import Line, compile_format
from gunicorn.log.entry import Entry, Recorded
from gunicorn.log.logger import Logger
from gunicorn.log.sink import Sink

__all__ = ["AccessLog", "Entry", "Recorded", "compile_format"]

Views = Callable[[Any], tuple[Any, Any]]
"""(resp, req) of an entry, as `Logger.access` takes them."""


def _line(cfg: Any) -> Line:
    if cfg.log_format == "json":
        from gunicorn.log.structured import access_record, encode

        return lambda entry: encode(access_record(entry))
    try:
        return compile_format(cfg.access_log_format)
    except ValueError as error:
        raise ConfigError(f"access_log_format: {error}", setting="access_log_format") from None


class AccessLog:
    """Writes the line of one finished exchange. Shared by the threads of a worker; never raises."""

    __slots__ = ("direct", "formatter", "line", "log", "logger", "plain", "sink", "skip", "views")

    @staticmethod
    def from_logger(logger: Any, cfg: Any, views: Views) -> Callable[[Entry], None] | None:
        """What the driver calls with each finished exchange, or None when nobody wants to know.

        `logger` is a `Logger` or whatever `logger_class` made; `views` makes (resp, req) for loggers that
        have an `access` or `atoms` of their own. Raises ConfigError for a format that cannot be printed.
        """
        if not isinstance(logger, Logger) or type(logger).access is not Logger.access:
            return AccessLog(logger, None, views, frozenset())
        if not logger.access_enabled:
            return logger.observe
        kind = type(logger)
        own = (kind.atoms, kind.now, kind.atoms_wrapper_class)
        line: Line | None = None
        if own == (Logger.atoms, Logger.now, Logger.atoms_wrapper_class):
            line = _line(cfg)
        return AccessLog(logger, line, views, frozenset(cfg.access_log_skip or ()))

    def __init__(self, logger: Any, line: Line | None, views: Views, skip: frozenset[str]) -> None:
        self.logger = logger
        self.line = line
        self.views = views
        self.skip = skip
        self.direct = line is not None
        """Nobody has an `access` or `atoms` of their own: lines through logging are made of the entry, too."""
        self.log = log = logger.access_log if isinstance(logger, Logger) else logging.getLogger("gunicorn.access")
        self.sink: Sink | None = None
        self.formatter: logging.Formatter | None = None
        self.plain = list(log.handlers)
        if line is not None and len(self.plain) == 1 and type(self.plain[0]) is Sink and not log.propagate:
            self.sink = self.plain[0]
            self.formatter = self.sink.formatter

    def __call__(self, entry: Entry) -> None:
        """Writes the line of `entry`, unless its path is to be skipped and it succeeded."""
        try:
            if self.skip and entry.request.path in self.skip and entry.status[:1] in ("2", "3"):
                return
            sink, log = self.sink, self.log
            # Applications do change loggers while they run: whoever did gets records, at their price.
            if (
                sink is None
                or self.line is None
                or log.filters
                or log.disabled
                or log.level > logging.INFO
                or log.manager.disable >= logging.INFO
                or log.propagate
                or log.handlers != self.plain
                or sink.filters
                or sink.level > logging.INFO
                or sink.formatter is not self.formatter
            ):
                self._through_logging(entry)
                return
            if self.logger.observe is not None:
                self.logger.observe(entry)
            sink.write((self.line(entry) + "\n").encode("utf-8", "backslashreplace"))
        except Exception:  # the answer is out; what is wrong with the line is told in the error log
            self.logger.exception("Cannot write the access log")

    def _through_logging(self, entry: Entry) -> None:
        resp, req = self.views(entry)
        if self.direct:
            self.logger.access_entry(entry, req)
            return
        from datetime import timedelta

        duration = timedelta(microseconds=entry.duration_ns / 1000)
        self.logger.access(resp, req, entry.described, duration)
