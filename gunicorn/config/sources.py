"""The sources of settings and which wins: `load()` makes one `Settings` of all of them.

    weakest   default
              PORT, WEB_CONCURRENCY, FORWARDED_ALLOW_IPS, SENDFILE
              the framework: the embedding application, or a Paste file
              the configuration file
              GUNICORN_<NAME>
              GUNICORN_CMD_ARGS
    strongest the command line

Knows the order and keeps the provenance of each value. Can be called again: a reload reads everything
afresh, and a value that is no longer written anywhere returns to its default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gunicorn.config import environment, files
from gunicorn.config.commandline import CommandLine, parse_command_line, split_command_line
from gunicorn.config.option import DEFAULT, Level, Option, Source
from gunicorn.config.settings import TABLE, Settings, check_together, row_of, settle
from gunicorn.errors import ConfigError

Mode = Literal["run", "check", "print"]

FRAMEWORK = Source(Level.FRAMEWORK, "application")


class Loaded(NamedTuple):
    """What a start (or reload) found out. `app_uri` is "" where no application was named."""

    settings: Settings
    app_uri: str
    args: tuple[str, ...]
    mode: Mode
    warnings: tuple[str, ...] = ()
    """Lines for the error log: doubtful names that were not obeyed."""
    show_sources: bool = False

    def printout(self) -> str:
        """The page of `--print-config`, with `--source` the origin of each value."""
        from gunicorn.config import render

        return render.print_config(self.settings, sources=self.show_sources).rstrip()


class _Merge:
    """Values on their way into `Settings`: the strongest source of each name so far."""

    def __init__(self, cwd: str) -> None:
        self.cwd = cwd
        self.values: dict[str, Any] = {}
        self.provenance: dict[str, Source] = {}

    def put(self, row: Option, raw: Any, source: Source) -> None:
        """Checks even a value that is overruled later: a mistake is a mistake wherever it is written."""
        if row.name == "chdir" and isinstance(raw, str):
            # Relative to where the server was started, in a reload too.
            raw = os.path.join(self.cwd, raw)
        value = row.check(raw, source)
        if source.level >= self.provenance.get(row.name, DEFAULT).level:
            self.values[row.name] = value
            self.provenance[row.name] = source


def load(
    argv: Sequence[str],
    environ: Mapping[str, str],
    cwd: str,
    *,
    prog: str = "gunicorn",
    framework: Mapping[str, Any] | None = None,
) -> Loaded:
    """Merges all sources. `argv` is without the program; `framework` are the embedding application's values.

    Raises ConfigError for anything wrong in any source, in one line; SystemExit(0) after printing for
    `--help` and `--version`. Relative paths of configuration files are looked up in `cwd`.
    """
    # First, so that --help is answered whatever is wrong elsewhere.
    line = parse_command_line(argv, prog=prog, help_text=lambda: _help_text(prog))
    merge = _Merge(cwd)
    merge.put(TABLE["chdir"], cwd, DEFAULT)
    for row, raw, source in environment.platform_defaults(environ):
        merge.put(row, raw, source)
    for name, value in (framework or {}).items():
        merge.put(row_of(name, FRAMEWORK), value, FRAMEWORK)
    inherited = _inherited_line(environ, prog)
    warnings, own = _read_files(merge, line, inherited, environ, cwd)
    warnings = [*warnings, *environment.strange_variables(environ, own)]
    for row, raw, source in environment.named_settings(environ):
        merge.put(row, raw, source)
    _put_line(merge, inherited, Level.CMD_ARGS)
    _put_line(merge, line, Level.COMMAND_LINE)
    arguments = line.arguments or inherited.arguments
    return _loaded(merge, arguments, warnings, line.show_sources or inherited.show_sources)


def _help_text(prog: str) -> str:
    from gunicorn.config import render

    return render.help_text(prog)


def _loaded(merge: _Merge, arguments: tuple[str, ...], warnings: Sequence[str], show_sources: bool) -> Loaded:
    if len(arguments) > 1:
        raise ConfigError(f"unexpected argument {arguments[1]!r}: only one application can be served")
    app_uri = arguments[0] if arguments else (merge.values.get("wsgi_app") or "")
    if app_uri and "default_proc_name" not in merge.values:
        merge.values["default_proc_name"] = app_uri
    settings = Settings(settle(merge.values), merge.provenance)
    check_together(settings)
    mode: Mode = "print" if settings.print_config else "check" if settings.check_config else "run"
    return Loaded(settings, app_uri, arguments, mode, tuple(warnings), show_sources)


def _inherited_line(environ: Mapping[str, str], prog: str) -> CommandLine:
    source = Source(Level.CMD_ARGS, environment.CMD_ARGS)
    words = split_command_line(environ.get(environment.CMD_ARGS, ""), source)
    if not words:
        return CommandLine({}, {}, (), False)
    return parse_command_line(words, prog=prog, help_text=lambda: _help_text(prog), origin=source)


def _put_line(merge: _Merge, line: CommandLine, level: Level) -> None:
    for name, raw in line.values.items():
        where = line.flags[name] if level is Level.COMMAND_LINE else environment.CMD_ARGS
        merge.put(TABLE[name], raw, Source(level, where))


def _read_files(
    merge: _Merge, line: CommandLine, inherited: CommandLine, environ: Mapping[str, str], cwd: str
) -> tuple[Sequence[str], set[str]]:
    """Puts what files say; answers warnings, and the variables that the configuration file reads itself."""

    def strongest(name: str) -> Any:
        variable = environ.get(f"{environment.PREFIX}{name.upper()}") or None
        fallback = merge.values.get(name)
        return line.values.get(name, inherited.values.get(name, variable if variable is not None else fallback))

    reading = files.read_config(strongest("config"), cwd)
    paste = strongest("paste") or (reading.values.get("paste") if reading is not None else None)
    if paste:
        row = TABLE["raw_paste_global_conf"]
        pairs = (text.partition("=") for text in row.check(strongest(row.name)))
        found = files.read_paste(str(paste), {name: value for name, _, value in pairs}, cwd)
        for name, raw in found.values.items():
            merge.put(TABLE[name], raw, found.source)
    if reading is None:
        return [], set()
    for name, raw in reading.values.items():
        merge.put(TABLE[name], raw, reading.source)
    own = {name for name in environ if name.startswith(environment.PREFIX) and name in reading.text}
    return reading.warnings, own


def load_here(argv: Sequence[str], *, prog: str = "gunicorn") -> Loaded:
    """`load` with this process's environment and directory."""
    return load(argv, os.environ, os.getcwd(), prog=prog)
