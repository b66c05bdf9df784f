"""Who may import whom, as data: the table the gate checks and docs/ARCHITECTURE.md prints.

A layer is a folder or file under gunicorn/. It may import itself, the layers its row names, the standard
library but what its row forbids, and the outside packages its row names.
"""

from __future__ import annotations

from dataclasses import dataclass

WAITS = frozenset(
    {"socket", "ssl", "select", "selectors", "asyncio", "threading", "multiprocessing"}
    | {"subprocess", "signal", "time", "os", "logging", "queue"}
)
"""What can wait, or knows the machine it runs on."""


@dataclass(frozen=True)
class Row:
    """One row of the table. `grants` are extra imports of single modules, by pattern."""

    floor: int
    ours: str = ""
    outside: str = ""
    forbidden: frozenset[str] = frozenset()
    grants: tuple[tuple[str, str], ...] = ()


TABLE = {
    "errors": Row(1),
    "protocol": Row(1, forbidden=WAITS, grants=(("protocol.http2.*", "h2"), ("protocol.websocket.*", "websockets"))),
    "net": Row(1, "errors"),
    "host": Row(1, "errors"),
    "metrics": Row(1, "errors", grants=(("metrics.prometheus", "prometheus_client"),)),
    "wire": Row(2, "errors", forbidden=WAITS),
    "bridge": Row(2, "protocol errors", forbidden=frozenset({"socket", "ssl", "select", "selectors"})),
    "supervisor": Row(2, "host metrics net errors"),
    "config": Row(
        2,
        "errors root",
        grants=(
            ("config.*", "gunicorn.net.address"),
            ("config.slices", "gunicorn.protocol.*"),
            ("config.slices", "gunicorn.net.*"),
        ),
    ),
    "log": Row(3, "config errors"),
    "drivers": Row(3, "bridge protocol metrics net errors"),
    "control": Row(
        3, "supervisor wire metrics config errors root", grants=(("control.endpoint", "gunicorn.protocol.http1.*"),)
    ),
    "instrument": Row(4, "log metrics"),
    "workers": Row(4, "drivers bridge protocol config net host log metrics errors root"),
    "dirty": Row(5, "supervisor wire config metrics host log errors", grants=(("dirty.*", "gunicorn.control.server"),)),
    "arbiter": Row(6, "dirty workers control log drivers supervisor config bridge wire net host metrics errors root"),
    "app": Row(7, "arbiter config host log net errors root"),
    "root": Row(0),
    "__main__": Row(8, "app"),
}
"""Layer -> row. "root" is gunicorn/__init__.py: the version and nothing else."""

RE_EXPORTS = ("gunicorn.glogging",)
"""Public names whose home moved (docs/compat.md): files of imports only, imported by no one of ours."""

LATE_IMPORTS = (
    ("*", "gevent*", "optional dependency"),
    ("*", "eventlet*", "optional dependency"),
    ("*", "greenlet*", "optional dependency"),
    ("*", "uvloop", "optional dependency"),
    ("*", "setproctitle", "optional dependency"),
    ("*", "paste*", "optional dependency"),
    ("gunicorn.workers.reloader", "*", "inotify through ctypes is needed only where --reload asks for it"),
    ("gunicorn.app.loader", "ast", "start-up time: only a factory that is called with arguments needs a parser"),
    ("gunicorn.app.loader", "difflib", "start-up time: only a misspelt name has a nearest one"),
    ("gunicorn.config.casts", "difflib", "start-up time: only a misspelt word has a nearest one"),
    ("gunicorn.config.casts", "json", "start-up time: only a mapping in a variable is JSON"),
    ("gunicorn.config.environment", "difflib", "start-up time: only a misspelt variable has a nearest setting"),
    ("gunicorn.config.environment", "json", "start-up time: only a list in a variable may be JSON"),
    ("gunicorn.config.hooks", "inspect", "start-up time: only a hook that is set is looked at"),
    ("gunicorn.config.commandline", "shlex", "start-up time: only GUNICORN_CMD_ARGS is one string"),
    ("gunicorn.config.files", "configparser", "start-up time: only Paste files are ini files"),
    ("gunicorn.config.sources", "gunicorn.config.render", "start-up time: pages are printed instead of a start"),
    ("gunicorn.config.slices", "gunicorn.net.tls", "start-up time: ssl only where a certificate is set"),
    ("gunicorn.arbiter.generation", "gunicorn.net.tls", "start-up time: ssl only where a certificate is set"),
    ("gunicorn.drivers.blocking.tlssocket", "ssl", "start-up time: ssl only where a certificate is set"),
    ("gunicorn.drivers.blocking.spool", "tempfile", "start-up time: only a body beyond the threshold needs a file"),
    ("gunicorn.log.logconfig", "logging.config", "start-up time: only the logconfig settings need it"),
    ("gunicorn.log.logconfig", "configparser", "start-up time: only `logconfig` is an ini file"),
    ("gunicorn.log.logconfig", "json", "start-up time: only `logconfig_json` is JSON"),
    ("gunicorn.log.*", "gunicorn.log.structured", "start-up time: json only where `log_format` says so"),
    ("gunicorn.log.*", "datetime", "start-up time: durations become timedelta only for those who override `access`"),
    ("gunicorn.log.atoms", "base64", "start-up time: only Basic credentials are encoded so"),
    ("gunicorn.log.syslog", "urllib.parse", "start-up time: only the address of a log daemon is a URL"),
    ("gunicorn.workers.base", "gunicorn.workers.reloader", "start-up time: only --reload watches files"),
    ("gunicorn.workers.base", "random", "start-up time: only max_requests_jitter is random"),
)
"""(importer, imported, why) that may be imported inside a function."""


def layer(name: str) -> str:
    """ "gunicorn.protocol.http1.head" -> "protocol"; the package itself is "root"."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "root"
