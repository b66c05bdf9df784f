"""The error tree of the server itself: what goes wrong before, between and after requests.

    GunicornError
    ├── ConfigError         a setting, file, variable or flag is wrong          exit 1
    ├── ListenError         an address cannot be bound, a certificate not read  exit 1
    ├── AppLoadError        the application cannot be imported or called        exit 4
    └── WorkerBootError     a worker died before it was ready                   exit 3

Errors of the wire live in `gunicorn.protocol.errors`. The text of each error is one line that a
tired operator can act on: what, where it was said, and what to write instead.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_CONFIG = 1
EXIT_WORKER_BOOT = 3
EXIT_APP_LOAD = 4


class GunicornError(Exception):
    """Root of the tree; `exit_code` is what the process ends with when nobody handles it."""

    exit_code = EXIT_CONFIG


class ConfigError(GunicornError):
    """A setting is unknown, of the wrong type or out of range.

    `setting` names it, `source` says where it was written ("command line", "env GUNICORN_BIND",
    "./gunicorn.conf.py"), `hint` is a suggestion; all three may be empty.
    """

    def __init__(self, message: str, *, setting: str = "", source: str = "", hint: str = "") -> None:
        self.setting = setting
        self.source = source
        self.hint = hint
        where = f" ({source})" if source else ""
        advice = f"; {hint}" if hint else ""
        super().__init__(f"{message}{where}{advice}")


class ListenError(GunicornError):
    """A listener cannot be made: the port is taken, the path unwritable, the certificate bad."""


class AppLoadError(GunicornError):
    """The application module or attribute is missing, fails to import, or is not callable.

    `own_fault` is True where the application's own code raised, so a traceback helps its author;
    it is False for a plain wrong name, where one line says it all.
    """

    exit_code = EXIT_APP_LOAD

    def __init__(self, message: str, *, own_fault: bool = False) -> None:
        self.own_fault = own_fault
        super().__init__(message)


class WorkerBootError(GunicornError):
    """A worker cannot become ready, although its application was loaded; `own_fault` as of AppLoadError."""

    exit_code = EXIT_WORKER_BOOT

    def __init__(self, message: str, *, own_fault: bool = False) -> None:
        self.own_fault = own_fault
        super().__init__(message)
