"""The command line: flags printed from the table, read into raw values.

Knows argparse and the spelling of mistakes. Checks no value; `sources` does, with every other source.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from gunicorn import __version__
from gunicorn.config.casts import Refusal, closest
from gunicorn.config.option import Action, Level, Option, Source
from gunicorn.config.settings import TABLE
from gunicorn.errors import ConfigError


class CommandLine(NamedTuple):
    """What a command line said: raw values by setting, the flag each was given with, and the arguments."""

    values: Mapping[str, Any]
    flags: Mapping[str, str]
    arguments: tuple[str, ...]
    show_sources: bool


def parse_command_line(
    argv: Sequence[str], *, prog: str, help_text: Callable[[], str], origin: Source | None = None
) -> CommandLine:
    """Reads `argv` (without the program). `origin` names it in errors where it is not the command line itself.

    Raises ConfigError for an unknown flag or a missing value, and SystemExit after printing for
    `--help` and `--version`.
    """
    source = origin or Source(Level.COMMAND_LINE)
    parser = _parser(prog, help_text, source)
    words, rest = parser.parse_known_args(_expanded(argv))
    if rest:
        raise ConfigError(*_complaint(rest), source=str(source), hint=_advice(rest))
    given = vars(words)
    arguments = tuple(given.pop("args"))
    show_sources = given.pop("show_sources")
    return CommandLine(given, {name: _flag_used(name, argv) for name in given}, arguments, show_sources)


def split_command_line(text: str, source: Source) -> list[str]:
    """The words of a command line in a variable, by the rules of a shell. Raises ConfigError for an open quote."""
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"cannot be split into words: {error}", source=str(source)) from None


class _Parser(argparse.ArgumentParser):
    """argparse with our own help page and errors."""

    def __init__(self, prog: str, help_text: Callable[[], str], source: Source) -> None:
        super().__init__(prog=prog, argument_default=argparse.SUPPRESS)
        self._help_text = help_text
        self._source = source

    def format_help(self) -> str:
        return self._help_text()

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, source=str(self._source))


def _parser(prog: str, help_text: Callable[[], str], source: Source) -> _Parser:
    parser = _Parser(prog, help_text, source)
    parser.add_argument("-v", "--version", action="version", version=f"{prog} (version {__version__})")
    parser.add_argument("--source", dest="show_sources", action="store_true", default=False)
    parser.add_argument("args", nargs="*", default=[])
    for row in TABLE.values():
        if row.flags:
            parser.add_argument(*row.flags, dest=row.name, **_behaviour(row))
    return parser


def _behaviour(row: Option) -> dict[str, Any]:
    if row.action is Action.TRUE:
        return {"action": "store_true", "default": argparse.SUPPRESS}
    if row.action is Action.FALSE:
        return {"action": "store_const", "const": False}
    if row.action is Action.APPEND:
        return {"action": "append"}
    if row.bare is not None:
        return {"nargs": "?", "const": row.bare}
    return {}


def _expanded(argv: Sequence[str]) -> list[str]:
    """Flags whose value may be left out take the next word only if it is such a value, not the application."""
    bare = {flag: row for row in TABLE.values() if row.bare is not None for flag in row.flags}
    words: list[str] = []
    pending = list(argv)
    while pending:
        word = pending.pop(0)
        if word == "--":
            return [*words, word, *pending]
        row = bare.get(word)
        words.append(word)
        if row is not None and not (pending and _is_value(row, pending[0])):
            words[-1] = f"{word}={row.bare}"
    return words


def _is_value(row: Option, word: str) -> bool:
    try:
        row.kind.parse(word)
    except Refusal:
        return False
    return True


def _complaint(rest: Sequence[str]) -> tuple[str]:
    unknown = next((word for word in rest if word.startswith("-")), None)
    if unknown is not None:
        return (f"unknown option {unknown.partition('=')[0]}",)
    return (f"unexpected argument {rest[0]!r}: only one application can be served",)


def _advice(rest: Sequence[str]) -> str:
    unknown = next((word.partition("=")[0] for word in rest if word.startswith("--")), "")
    spellings = {flag.removeprefix("--"): flag for row in TABLE.values() for flag in row.flags if flag.startswith("--")}
    # A setting's own name is a likely guess where its flag is spelled differently.
    spellings |= {name: row.flags[-1] for name, row in TABLE.items() if row.flags and name not in spellings}
    close = closest(unknown.removeprefix("--"), spellings) if unknown else ""
    return f"did you mean {spellings[close]}?" if close else "try --help"


def _flag_used(name: str, argv: Sequence[str]) -> str:
    row = TABLE[name]
    for word in argv:
        if word.partition("=")[0] in row.flags:
            return word.partition("=")[0]
    return row.flags[-1]
