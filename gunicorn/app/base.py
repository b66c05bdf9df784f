"""The application object: where a server's settings and its application come from, and how it is run.

`BaseApplication` is the door for programs that embed the server: write `load_config` and `load`, call
`run`. `Application` reads files, environment and command line. Knows nothing of signals or workers.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, NoReturn

from gunicorn.app import loader
from gunicorn.arbiter import Arbiter
from gunicorn.arbiter.generation import chosen_class, tls_context
from gunicorn.config import (
    Config,
    Level,
    Loaded,
    Settings,
    Source,
    load,
    own_traceback,
)
from gunicorn.errors import EXIT_OK, AppLoadError, ConfigError, GunicornError
from gunicorn.host.daemon import daemonize

EXIT_INTERRUPTED = 128 + signal.SIGINT
"""As shells show it."""

UPGRADE = "GUNICORN_PID"
"""Is set in the environment of a new server that a running one started on its sockets."""


class LoadedConfig(Config):
    """Settings merged from all sources, which an application object may still change by `set`."""

    def __init__(self, settings: Settings, usage: str | None = None, prog: str | None = None) -> None:
        super().__init__(usage, prog)
        self._settings = settings

    def set(self, name: str, value: Any) -> None:
        """Sets one value over all sources. Raises ConfigError for an unknown name or a wrong value."""
        self._settings = self._settings.replace(Source(Level.COMMAND_LINE, "application"), **{name: value})

    def freeze(self) -> Settings:
        """The settings as they are now."""
        return self._settings

    @property
    def given(self) -> Mapping[str, Any]:
        """Every value that is not the default."""
        origins = self._settings.provenance
        return {name: vars(self._settings)[name] for name in origins if origins[name].level > Level.DEFAULT}


class BaseApplication:
    """An application and its settings. Subclasses write `load_config` (with `self.cfg.set`) and `load`."""

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        """Loads the settings; ends the process with one line where they are wrong."""
        self.usage = usage
        self.prog = prog or os.path.basename(sys.argv[0] or "gunicorn")
        self.cfg: Any = None
        self.callable: Any = None
        self.logger: Any = None
        self.do_load_config()

    def do_load_config(self) -> None:
        """Loads the settings; ends the process with one line where they are wrong."""
        try:
            self.load_default_config()
            self.load_config()
        except GunicornError as problem:
            fail(problem)

    def load_default_config(self) -> None:
        """Starts from the defaults, those of the platform among them: PORT, WEB_CONCURRENCY and their like."""
        self.cfg = Config(self.usage, prog=self.prog, environ=os.environ)

    def load_config(self) -> None:
        """Sets what the application wants; written by subclasses."""
        raise NotImplementedError

    def load(self) -> Any:
        """The WSGI or ASGI callable; written by subclasses. Called in each worker, or once before the fork."""
        raise NotImplementedError

    def reload(self) -> None:
        """Loads the settings again. Raises what loading raises; the arbiter then restores this object."""
        self.load_default_config()
        self.load_config()

    def wsgi(self) -> Any:
        """The callable, loaded at the first call."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self) -> NoReturn:
        """Serves; ends the process."""
        try:
            Arbiter(self).run()
        except GunicornError as problem:
            fail(problem)
        except KeyboardInterrupt:
            # Ctrl-C before there is a server that could stop: while the application is preloaded, say.
            sys.exit(EXIT_INTERRUPTED)


class Application(BaseApplication):
    """An application whose settings come from the configuration file, the environment and the command line."""

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self._directory = os.getcwd()
        self.loaded: Loaded | None = None
        super().__init__(usage, prog)

    def init(self, parser: Any, opts: Any, args: list[str]) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Looks at the command line and may answer settings, which are weaker than the configuration file."""
        return None

    def load_config(self) -> None:
        """Merges all sources. A relative path means the directory the server was started in, also in a reload."""
        if self._directory not in sys.path:
            sys.path.insert(0, self._directory)
        loaded = self._load({})
        own = self.init(argparse.ArgumentParser(self.prog, self.usage), loaded.settings, list(loaded.args))
        if own:
            loaded = self._load(own)
        for line in loaded.warnings:
            print(f"Warning: {line}", file=sys.stderr)
        self.loaded = loaded
        self.cfg = LoadedConfig(loaded.settings, self.usage, self.prog)

    def _load(self, framework: Mapping[str, Any]) -> Loaded:
        return load(sys.argv[1:], os.environ, self._directory, prog=self.prog, framework=framework)

    def chdir(self) -> None:
        """Goes to the directory that `chdir` names and lets Python import from there. Raises ConfigError."""
        directory = self.cfg.chdir
        try:
            os.chdir(directory)
        except OSError as problem:
            raise ConfigError(f"cannot change to {directory!r}: {problem.strerror}", setting="chdir") from None
        if directory not in sys.path:
            sys.path.insert(0, directory)

    def prepare(self) -> None:
        """Makes the process what the application expects to be imported in. Raises ConfigError."""
        self.chdir()
        for entry in reversed((self.cfg.pythonpath or "").split(",")):
            path = os.path.abspath(entry)
            if entry and path not in sys.path:
                sys.path.insert(0, path)

    def reload(self) -> None:
        """Loads the settings again, and goes where they say. Raises what loading raises."""
        super().reload()
        self.prepare()

    def run(self) -> NoReturn:
        """Prints, checks or serves, as the command line asks; ends the process."""
        mode = self.loaded.mode if self.loaded is not None else "run"
        try:
            if self.loaded is not None and mode == "print":
                self._print(self.loaded.printout())
                sys.exit(EXIT_OK)
            self.prepare()
            if mode == "check":
                self.check()
                sys.exit(EXIT_OK)
        except GunicornError as problem:
            fail(problem)
        if self.cfg.spew:
            sys.settrace(spew())
        if self.cfg.daemon and UPGRADE not in os.environ:
            daemonize(inherit_stdio=self.cfg.enable_stdio_inheritance)
        super().run()

    @staticmethod
    def _print(text: str) -> None:
        try:
            print(text, flush=True)
        except BrokenPipeError:
            # The reader has seen enough; the interpreter's own last flush must not complain about it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def check(self) -> None:
        """Loads what a start would load: worker class, certificate, application. Raises GunicornError."""
        os.environ.update(self.cfg.env)
        cfg = self.cfg.freeze()
        chosen_class(cfg)
        tls_context(cfg)
        chosen_class(cfg, self.wsgi())


def fail(problem: GunicornError) -> NoReturn:
    """Ends the process with one line; before it the traceback where the operator's own code raised."""
    if isinstance(problem, AppLoadError):
        sys.stderr.write(loader.own_traceback(problem))
    elif isinstance(problem, ConfigError):
        sys.stderr.write(own_traceback(problem))
    print(f"Error: {problem}", file=sys.stderr)
    sys.exit(problem.exit_code)


def spew() -> Callable[[FrameType, str, Any], Any]:
    """A trace function that prints every line of Python the server executes (`spew`, for debugging)."""

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            print(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}", file=sys.stderr)
        return trace

    return trace
