"""The server's logger: "gunicorn.error" and "gunicorn.access", set up from the settings and re-set on demand.

`logger_class` may name a subclass: every public method and the format attributes may be overridden. The
hot path (`gunicorn.log.access`) calls `access` only where somebody did, or where handlers or filters were
added; otherwise it writes the same line itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from gunicorn.errors import ConfigError
from gunicorn.log import logconfig
from gunicorn.log.atoms import ATOMS, evaluate
from gunicorn.log.capture import OutputCapture
from gunicorn.log.clock import common_log_time
from gunicorn.log.entry import Entry, Recorded
from gunicorn.log.escape import escape
from gunicorn.log.sink import Sink
from gunicorn.log.syslog import Syslog, facility_number, parse_syslog_address

if TYPE_CHECKING:
    from datetime import timedelta

LEVELS: Final = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}


class SafeAtoms(dict[str, Any]):
    """Atoms for a %-format: strings are escaped, unknown names are "-", "{X}i" ignores the case of X."""

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        super().__init__({key: escape(value) if isinstance(value, str) else value for key, value in atoms.items()})

    def __getitem__(self, key: str) -> Any:
        return super().get(key.lower() if key.startswith("{") and key not in self else key, "-")


class Logger:
    """Error and access log of one process. `cfg` is read by `setup` and `reconfigure` only, and by `access`."""

    error_fmt = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
    access_fmt = "%(message)s"
    syslog_fmt = "[%(process)d] %(message)s"
    datefmt = "[%Y-%m-%d %H:%M:%S %z]"
    atoms_wrapper_class: ClassVar[type[SafeAtoms]] = SafeAtoms
    LOG_LEVELS: ClassVar[Mapping[str, int]] = LEVELS

    observe: Callable[[Entry], None] | None = None
    """Told of every finished request, whether or not a line is written (statsd)."""

    def __init__(self, cfg: Any) -> None:
        """Raises ConfigError for a file that cannot be opened or a configuration that cannot be used."""
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = False
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.propagate = False
        self.loglevel = logging.INFO
        self._capture = OutputCapture()
        self.cfg = cfg
        self.setup(cfg)

    def setup(self, cfg: Any) -> None:
        """Puts the handlers that `cfg` asks for in the place of those of an earlier `setup`."""
        self.cfg = cfg
        self.loglevel = LEVELS.get(str(cfg.loglevel).lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)
        new: list[tuple[logging.Logger, logging.Handler]] = []
        old: list[logging.Handler] = []
        try:
            self._open_handlers(cfg, new)
            # In place, and all of ours go, also another Logger's: loggers are the process's, not an object's.
            for logger in (self.error_log, self.access_log):
                ours = [handler for handler in logger.handlers if isinstance(handler, (Sink, Syslog))]
                old += ours
                kept = [handler for handler in logger.handlers if handler not in ours]
                logger.handlers[:] = kept + [handler for owner, handler in new if owner is logger]
            logconfig.apply(cfg)
            if cfg.capture_output and cfg.errorlog not in (None, "-"):
                self._capture.begin(cfg.errorlog)
        except BaseException:
            for _, handler in new:
                handler.close()
            raise
        for handler in old:
            handler.close()

    def _open_handlers(self, cfg: Any, new: list[tuple[logging.Logger, logging.Handler]]) -> None:
        """Appends what the settings ask for to `new`; what was opened before an error is the caller's to close."""
        if cfg.errorlog is not None:
            new.append((self.error_log, self._sink(cfg, "errorlog", self.error_fmt)))
        if cfg.accesslog is not None:
            new.append((self.access_log, self._sink(cfg, "accesslog", self.access_fmt)))
        if cfg.syslog:
            new.append((self.error_log, self._syslog(cfg, "error")))
            if not cfg.disable_redirect_access_to_syslog:
                new.append((self.access_log, self._syslog(cfg, "access")))

    def reconfigure(self, cfg: Any) -> None:
        """`setup` with new settings, or nothing at all: raises ConfigError and logs on as before."""
        before = self.cfg, self.loglevel
        try:
            with logconfig.undone_on_error():
                self.setup(cfg)
        except ConfigError:
            self.cfg, self.loglevel = before
            raise

    def critical(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at CRITICAL."""
        self.error_log.critical(msg, *args, **kwargs)

    def error(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at ERROR."""
        self.error_log.error(msg, *args, **kwargs)

    def warning(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at WARNING."""
        self.error_log.warning(msg, *args, **kwargs)

    def info(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at INFO."""
        self.error_log.info(msg, *args, **kwargs)

    def debug(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at DEBUG."""
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at ERROR with the traceback of the exception being handled."""
        self.error_log.exception(msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: object, *args: Any, **kwargs: Any) -> None:
        """Logs at a level given as a number or a name ("info")."""
        level = LEVELS.get(lvl.lower(), logging.INFO) if isinstance(lvl, str) else lvl
        self.error_log.log(level, msg, *args, **kwargs)

    def now(self) -> str:
        """The time as the atom `t` says it."""
        return common_log_time(time.time())

    def atoms(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> dict[str, Any]:
        """Every atom of one request by name, "{host}i" and the like included."""
        return self._atoms(Recorded(resp, environ, request_time), req)

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Writes the access line of one request through logging. Never raises."""
        try:
            entry = Recorded(resp, environ, request_time)
            if self.observe is not None:
                self.observe(entry)
            if self.access_enabled and self.access_log.isEnabledFor(logging.INFO):
                self._log_access(entry, self.atoms(resp, req, environ, request_time))
        except Exception:  # a broken format or override must not cost the answer; the error log tells
            self.exception("Cannot write the access log")

    def access_entry(self, entry: Entry, req: Any) -> None:
        """The same for an exchange, which knows more than an environ; for loggers without `atoms` of their own."""
        if self.observe is not None:
            self.observe(entry)
        if self.access_log.isEnabledFor(logging.INFO):
            self._log_access(entry, self._atoms(entry, req))

    def _atoms(self, entry: Entry, req: Any) -> dict[str, Any]:
        atoms: dict[str, Any] = {name: evaluate(name, entry) for name in ATOMS}
        atoms["t"] = self.now()
        fields = req.headers.items() if isinstance(req.headers, Mapping) else req.headers
        atoms.update({f"{{{name.lower()}}}i": value for name, value in fields})
        atoms.update({f"{{{name.lower()}}}o": value for name, value in entry.fields})
        atoms.update({f"{{{name.lower()}}}e": value for name, value in entry.described.items()})
        return atoms

    def _log_access(self, entry: Entry, values: Mapping[str, Any]) -> None:
        atoms = self.atoms_wrapper_class(values)
        extra = None
        if self.cfg.log_format == "json":
            from gunicorn.log.structured import access_record

            attributes = access_record(entry)
            if type(self).atoms is not Logger.atoms:
                attributes["body"] = self.cfg.access_log_format % atoms
            extra = {"attributes": attributes}
        self.access_log.info(self.cfg.access_log_format, atoms, extra=extra)

    @property
    def access_enabled(self) -> bool:
        """Some setting asks for access lines."""
        cfg = self.cfg
        configured = cfg.accesslog or cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        return bool(configured or (cfg.syslog and not cfg.disable_redirect_access_to_syslog))

    def reopen_files(self) -> None:
        """Moves on to new files where the old ones were renamed (SIGUSR1). Never raises."""
        for handler in self._handlers():
            try:
                if isinstance(handler, Sink):
                    handler.reopen()
                elif isinstance(handler, logging.FileHandler):
                    _reopen(handler)
            except OSError as error:
                self.error("Cannot reopen log file: %s; the old one stays in use", error)
        try:
            self._capture.renew()
        except OSError as error:
            self.error("Cannot reopen the file of captured output: %s; the old one stays in use", error)

    def follow(self, bus: Any) -> None:
        """Subscribes to lifecycle events (`gunicorn.metrics.bus`) that this logger has something to say about."""

    def close_on_exec(self) -> None:
        """Keeps log files out of programs that are executed later."""
        for handler in self._handlers():
            stream = handler.stream if isinstance(handler, logging.FileHandler) else None
            if stream is not None:
                fd = stream.fileno()
                fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)

    def _handlers(self) -> list[logging.Handler]:
        """Every handler of every logger, once."""
        found = {id(handler): handler for logger in logconfig.known_loggers() for handler in logger.handlers}
        return list(found.values())

    def _sink(self, cfg: Any, setting: str, fmt: str) -> Sink:
        path = cfg.errorlog if setting == "errorlog" else cfg.accesslog
        owner = (cfg.uid, cfg.gid) if os.geteuid() == 0 and (cfg.uid or cfg.gid) else None
        try:
            sink = Sink(path, owner=owner, standard=2 if setting == "errorlog" else 1)
        except OSError as error:
            raise ConfigError(f"cannot open log file {path!r}: {error.strerror}", setting=setting) from None
        sink.setFormatter(_json() if cfg.log_format == "json" else logging.Formatter(fmt, self.datefmt))
        return sink

    def _syslog(self, cfg: Any, name: str) -> Syslog:
        # A colon ends the program name of a message (RFC 3164 4.1.3); "module:attr" is the usual default.
        prefix = (cfg.syslog_prefix or cfg.proc_name or cfg.default_proc_name).replace(":", ".")
        try:
            handler = Syslog(parse_syslog_address(cfg.syslog_addr), facility_number(cfg.syslog_facility))
        except OSError as error:
            raise ConfigError(f"cannot reach syslog at {cfg.syslog_addr}: {error}", setting="syslog_addr") from None
        escaped = f"gunicorn.{prefix}.{name}: ".replace("%", "%%")
        json = cfg.log_format == "json"
        handler.setFormatter(
            _json(f"gunicorn.{prefix}.{name}: ") if json else logging.Formatter(escaped + self.syslog_fmt)
        )
        return handler


def _json(prefix: str = "") -> logging.Formatter:
    from gunicorn.log.structured import JsonFormatter

    return JsonFormatter(prefix)


def _reopen(handler: logging.FileHandler) -> None:
    """Opens a handler's file again, always to append: what was rotated must not be cut. Raises OSError."""
    if handler.stream is None:
        return
    stream = open(handler.baseFilename, "a", encoding=handler.encoding, errors=handler.errors)  # noqa: SIM115
    old = handler.setStream(stream)
    if old is not None:
        old.close()
