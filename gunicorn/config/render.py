"""The faces of the settings table: help, the printed configuration, the reference, the JSON Schema.

Knows how a row looks on each page, and nothing that the table does not say.
"""

from __future__ import annotations

import inspect
import json
import textwrap
import types
from collections.abc import Callable
from typing import Any

from gunicorn.config.option import Action, Option
from gunicorn.config.sections import SECTIONS
from gunicorn.config.settings import TABLE, Settings

WIDTH = 100
_COLUMN = 34

_INTRODUCTION = """\
# Settings

*This page is printed from the settings table (`gunicorn/config/sections`); `make docs` writes it again.*

A setting can be written in several places. The stronger wins, from weakest to strongest:

1. the default; the variables `PORT`, `WEB_CONCURRENCY`, `FORWARDED_ALLOW_IPS` and `SENDFILE` replace some defaults;
2. the application that embeds the server, or a Paste file;
3. the configuration file: `./gunicorn.conf.py`, or the file that `-c` names; where neither is there, the table
   `[tool.gunicorn]` of `./pyproject.toml`;
4. the variable `GUNICORN_<NAME>`, for instance `GUNICORN_WORKERS=4`;
5. the variable `GUNICORN_CMD_ARGS`, for instance `GUNICORN_CMD_ARGS="--workers 4 --bind :8080"`;
6. the command line.

`gunicorn --print-config --source` shows every value and where it was written. `gunicorn --check-config` says whether
everything is right, the application included.

**In a Python file** each module-level name that is a setting is taken, and the hooks are functions. Other names are
your own; one that looks like a misspelt setting is reported in the log. **In TOML** the keys are the names, and an
unknown key is an error.

**In variables** true and false are also written 1, 0, yes, no, on, off; the items of a list are separated by commas,
or the text is a JSON array; dicts are JSON objects. An empty variable counts as not set. A `GUNICORN_…` variable that
is no setting is reported; if it is a setting misspelt, that is an error. Variables that the configuration file reads
are its own.

Each setting says whether a reload (HUP) applies a changed value, or only a restart does.
"""


def help_text(prog: str = "gunicorn") -> str:
    """The page of `--help`: every flag, grouped by section."""
    lines = [
        f"usage: {prog} [OPTIONS] [APP_MODULE]",
        "",
        "Serves a Python web application. APP_MODULE is MODULE:ATTRIBUTE or MODULE:FACTORY(ARGUMENTS).",
        "",
        *_help_entry("-h, --help", "Show this page and exit."),
        *_help_entry("-v, --version", "Show the version and exit."),
        *_help_entry("--source", "With --print-config: show where each value comes from."),
    ]
    for title, rows in _groups():
        flagged = [row for row in rows if row.flags]
        if flagged:
            lines += ["", f"{title}:"]
        for row in flagged:
            lines += _help_entry(_usage(row), _summary(row) + _help_default(row))
    lines += ["", "Hooks and settings without a flag go into the configuration file, ./gunicorn.conf.py."]
    return "\n".join(lines) + "\n"


def print_config(settings: Settings, *, sources: bool = False) -> str:
    """The page of `--print-config`: a line for each setting in alphabetical order, with its source if asked."""
    width = max(map(len, TABLE))
    lines = [f"{name:<{width}} = {_value(getattr(settings, name))}" for name in sorted(TABLE)]
    if sources:
        column = min(max(map(len, lines)), WIDTH - 20)
        origins = (settings.provenance[name] for name in sorted(TABLE))
        lines = [f"{line:<{column}}  # {origin}" for line, origin in zip(lines, origins, strict=True)]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """The settings reference, as Markdown."""
    parts = [_INTRODUCTION]
    for title, rows in _groups():
        parts.append(f"## {title}\n")
        parts += [_reference_entry(row) for row in rows]
    return "\n".join(parts)


def schema() -> str:
    """The JSON Schema (2020-12) of the settings in TOML or JSON form."""
    properties = {row.name: _schema_entry(row) for row in TABLE.values() if row.name != "config"}
    page = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gunicorn settings",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {"reference": reference, "schema": schema, "help": help_text}
"""The pages by the word that prints them."""


def _groups() -> list[tuple[str, list[Option]]]:
    """Rows by section title; classes that share a title are one group, where the first of them stands."""
    groups: dict[str, list[Option]] = {}
    for section in SECTIONS:
        groups.setdefault(section.title, []).extend(section.rows.values())
    return list(groups.items())


def _help_entry(usage: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, WIDTH - _COLUMN, break_on_hyphens=False)
    left = f"  {usage}"
    if len(left) >= _COLUMN:
        return [left, *(f"{'':<{_COLUMN}}{line}" for line in wrapped)]
    return [f"{left if index == 0 else '':<{_COLUMN}}{line}" for index, line in enumerate(wrapped)]


def _help_default(row: Option) -> str:
    """The default as a short remark; flags that switch something, and empty defaults, speak for themselves."""
    default = row.default_text or row.default
    if row.action in (Action.TRUE, Action.FALSE) or default in (None, "", []):
        return ""
    return f" [{', '.join(default) if isinstance(default, list) else default}]"


def _usage(row: Option) -> str:
    text = ", ".join(row.flags)
    if row.action in (Action.TRUE, Action.FALSE):
        return text
    word = row.metavar or "VALUE"
    return f"{text} [{word}]" if row.bare is not None else f"{text} {word}"


def _paragraphs(row: Option) -> str:
    return inspect.cleandoc(row.doc)


def _summary(row: Option) -> str:
    """The first paragraph without the marks of Markdown."""
    text = " ".join(_paragraphs(row).partition("\n\n")[0].split()).replace("`", "")
    return f"{text} (not effective yet)" if row.later else text


def _default(row: Option) -> str:
    if row.default_text:
        return row.default_text
    if row.kind.label == "hook":
        return "does nothing" if row.name != "ssl_context" else "the server's own context"
    return _value(row.default)


def _value(value: Any) -> str:
    """A value as a Python file would spell it; functions and classes by their dotted path."""
    named = inspect.unwrap(value) if callable(value) else value
    if isinstance(named, type | types.FunctionType | types.MethodType):
        return f"{named.__module__}.{named.__qualname__}"
    return repr(value)


def _reference_entry(row: Option) -> str:
    facts = []
    if row.flags:
        facts.append(f"- Command line: {', '.join(f'`{flag}`' for flag in _usage(row).split(', '))}")
    if row.kind.label != "hook" and row.name != "config":
        facts.append(f"- Environment: `GUNICORN_{row.name.upper()}`")
    default = _default(row)
    plain = bool(row.default_text) or row.kind.label == "hook"
    facts.append(f"- Default: {default if plain else f'`{default}`'}")
    facts.append(f"- Value: {_kind(row)}")
    facts.append(f"- A changed value applies: {'on reload' if row.live else 'on restart'}")
    if row.ours:
        facts.append("- An addition of this version")
    note = f"\n> **Not effective yet.** It is accepted and checked, and waits for {row.later}.\n" if row.later else ""
    return f"### {row.name}\n\n" + "\n".join(facts) + f"\n{note}\n{_paragraphs(row)}\n"


def _kind(row: Option) -> str:
    words = row.kind.schema.get("enum")
    if words:
        return ", ".join(f"`{word}`" for word in words)
    return row.kind.label.replace("int >= 0", "whole number").replace("list[str]", "list of strings")


def _schema_entry(row: Option) -> dict[str, Any]:
    entry: dict[str, Any] = {"description": _summary(row), **row.kind.schema}
    if row.factory is None and row.kind.label != "hook":
        entry["default"] = row.make_default()
    return entry
