"""Configuration files: Python files and modules, TOML, the server section of a Paste file.

Reads a file into raw values by setting name. Knows which names in a Python file are the operator's own.
Checks no value. Running a Python file runs the operator's code: what it raises is shown with its line.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from gunicorn.config.casts import nearest, shown
from gunicorn.config.option import Level, Source
from gunicorn.config.settings import TABLE
from gunicorn.errors import ConfigError

T = TypeVar("T")

DEFAULT_FILE = "./gunicorn.conf.py"
PROJECT_FILE = "pyproject.toml"


class Reading(NamedTuple):
    """What a file said: raw values, where, warnings about near misses, and its text where it has one."""

    values: Mapping[str, Any]
    source: Source
    warnings: Sequence[str] = ()
    text: str = ""


def read_config(location: str | None, cwd: str) -> Reading | None:
    """The file that `location` names, or where it is None the default file or project table, if any.

    `location` is PATH, `file:PATH` or `python:MODULE`; "" means none. Raises ConfigError where a named
    file is missing or any file is broken.
    """
    if location is None:
        if os.path.isfile(os.path.join(cwd, DEFAULT_FILE)):
            return _python_file(DEFAULT_FILE, cwd)
        return _project_table(cwd)
    if not location:
        return None
    if location.startswith("python:"):
        return _python_module(location, cwd)
    path = location.removeprefix("file:")
    if not os.path.exists(os.path.join(cwd, path)):
        raise ConfigError(f"configuration file {path!r} does not exist", setting="config")
    if path.endswith(".toml"):
        return _toml_file(path, cwd)
    return _python_file(path, cwd)


def read_paste(location: str, variables: Mapping[str, str], cwd: str) -> Reading:
    """Settings in `[server:main]` (or `[server:NAME]` of FILE#NAME) of a Paste file; its other keys are not ours."""
    import configparser

    path, _, name = location.removeprefix("config:").partition("#")
    source = Source(Level.FRAMEWORK, path)
    absolute = os.path.join(cwd, path)
    parser = configparser.ConfigParser(
        {"here": os.path.dirname(absolute), "__file__": absolute, **variables},
        interpolation=configparser.BasicInterpolation(),
    )
    section = f"server:{name or 'main'}"
    try:
        if not parser.read(absolute, encoding="utf-8"):
            raise ConfigError(f"Paste file {path!r} cannot be read", setting="paste")
        found = dict(parser.items(section)) if parser.has_section(section) else {}
    except configparser.Error as error:
        raise ConfigError(f"Paste file: {error.message}".replace("\n", " "), setting="paste", source=path) from None
    values: dict[str, Any] = {key: text for key, text in found.items() if key in TABLE and key not in parser.defaults()}
    if "bind" not in values and "host" in found:
        host = f"[{found['host']}]" if ":" in found["host"] else found["host"]
        values["bind"] = f"{host}:{found['port']}" if found.get("port") else host
    return Reading(values, source)


def own_traceback(error: ConfigError) -> str:
    """The traceback of the operator's own code behind `error`, without our frames; "" where there is none."""
    cause = error.__cause__
    if cause is None or isinstance(cause, SyntaxError):
        return ""
    trace = cause.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(cause), cause, trace))


def _python_file(path: str, cwd: str) -> Reading:
    absolute = os.path.normpath(os.path.join(cwd, path))
    source = Source(Level.FILE, path)
    try:
        with open(absolute, "rb") as file:
            code = file.read()
    except OSError as error:
        raise ConfigError(f"configuration file {path!r} cannot be read: {error.strerror}", setting="config") from None
    names: dict[str, Any] = {"__name__": "__config__", "__file__": absolute, "__doc__": None, "__package__": None}
    _make_importable(cwd)
    _guarded(lambda: exec(compile(code, absolute, "exec"), names), source, absolute)
    return _from_namespace(names, source, code.decode("utf-8", "replace"))


def _python_module(location: str, cwd: str) -> Reading:
    name = location.removeprefix("python:")
    source = Source(Level.FILE, location)
    _make_importable(cwd)
    present = sys.modules.get(name)

    def bring() -> types.ModuleType:
        # Read again on every reload: an operator who edited the module expects the new values.
        return importlib.reload(present) if present is not None else importlib.import_module(name)

    try:
        module = _guarded(bring, source, "")
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and f"{name}.".startswith(f"{cause.name}."):
            raise ConfigError(f"there is no module {cause.name!r}", setting="config", source=location) from None
        raise
    return _from_namespace(vars(module), source, _text_of(module))


def _guarded(action: Callable[[], T], source: Source, path: str) -> T:
    """Runs the operator's code; whatever it raises becomes a ConfigError with line and traceback."""
    try:
        return action()
    except SyntaxError as error:
        # A module that the file imports may be the broken one.
        place = source.where if error.filename in (path, None) else error.filename
        where = f"{place}:{error.lineno}" if error.lineno else place
        raise ConfigError(f"configuration file: {error.msg}: {(error.text or '').strip()}", source=where) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == path] or frames[-1:]
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ConfigError(f"configuration file raised {text}", source=f"{source.where}:{own[-1].lineno}") from error


def _from_namespace(names: Mapping[str, Any], source: Source, text: str) -> Reading:
    values = {name: value for name, value in names.items() if name in TABLE and name != "config"}
    warnings: list[str] = []
    for name, value in names.items():
        hint = "" if name in TABLE or _is_own(name, value) else nearest(name, TABLE)
        if hint:
            warnings.append(f"{source.where}: {name} = {shown(value)} is no setting; {hint}")
    return Reading(values, source, warnings, text)


def _is_own(name: str, value: Any) -> bool:
    """Whether a module-level name is plainly the operator's helper rather than a misspelt setting."""
    return name.startswith("_") or callable(value) or isinstance(value, types.ModuleType)


def _toml_file(path: str, cwd: str) -> Reading:
    table = _toml(path, cwd)
    if os.path.basename(path) == PROJECT_FILE:
        return _from_table(_own_table(table), path)
    return _from_table(table, path)


def _project_table(cwd: str) -> Reading | None:
    path = os.path.join(cwd, PROJECT_FILE)
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            if b"gunicorn" not in file.read():
                return None
    except OSError:
        # Nobody asked for this file to be read, so nobody misses it.
        return None
    table = _own_table(_toml(PROJECT_FILE, cwd))
    return _from_table(table, f"{PROJECT_FILE} [tool.gunicorn]") if table else None


def _own_table(project: Mapping[str, Any]) -> Mapping[str, Any]:
    """`[tool.gunicorn]`, empty where the project has none. Raises ConfigError where it is no table."""
    found: Mapping[str, Any] = project
    for name in ("tool", "gunicorn"):
        inner = found.get(name, {})
        if not isinstance(inner, Mapping):
            raise ConfigError("[tool.gunicorn] is not a table", source=PROJECT_FILE)
        found = inner
    return found


def _toml(path: str, cwd: str) -> dict[str, Any]:
    # A third of the time that importing this package would take, and most starts read no TOML.
    tomllib = importlib.import_module("tomllib")
    try:
        with open(os.path.join(cwd, path), "rb") as file:
            return dict(tomllib.load(file))
    except OSError as error:
        raise ConfigError(f"configuration file {path!r} cannot be read: {error.strerror}", setting="config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file is not TOML: {error}", source=path) from None


def _from_table(table: Mapping[str, Any], where: str) -> Reading:
    for name in table:
        if name not in TABLE or name == "config":
            hint = "the file cannot name another one" if name == "config" else nearest(name, TABLE)
            raise ConfigError(f"there is no setting {name!r}", setting=name, source=where, hint=hint)
    return Reading(dict(table), Source(Level.FILE, where))


def _text_of(module: types.ModuleType) -> str:
    path = vars(module).get("__file__")
    if not path or not os.path.isfile(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _make_importable(cwd: str) -> None:
    # A configuration file imports from the project it lies in, as the application will.
    if cwd not in sys.path:
        sys.path.insert(0, cwd)
