"""Environment variables: `GUNICORN_<NAME>` for each setting, and the few that hosting platforms set.

Knows which variables are settings, which only look so, and how text becomes a list or a mapping.
Checks no value.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from gunicorn.config.casts import closest
from gunicorn.config.option import Level, Option, Source
from gunicorn.config.settings import TABLE
from gunicorn.errors import ConfigError

PREFIX = "GUNICORN_"
CMD_ARGS = "GUNICORN_CMD_ARGS"

RESERVED = frozenset(
    {
        CMD_ARGS,
        "GUNICORN_PID",
        "GUNICORN_FD",
        "GUNICORN_DIRTY_SOCKET",
        "GUNICORN_HOST",
        "GUNICORN_PORT",
        "GUNICORN_ARGS",
    }
)
"""Variables that the arbiter hands to its successor or that images use; they are no settings."""

_TYPO = 0.85
"""How alike (0 to 1) an unknown name and a setting must be to be taken for a slip of the keyboard."""

_FOREIGN = re.compile(
    # Kubernetes sets these in every pod beside a service that is called "gunicorn" …
    r"GUNICORN_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)\Z"
    # … and a widely used base image of others exports this one to its start script.
    r"|GUNICORN_CONF\Z"
)


def platform_defaults(environ: Mapping[str, str]) -> Iterator[tuple[Option, str, Source]]:
    """Defaults that PORT, WEB_CONCURRENCY, FORWARDED_ALLOW_IPS and SENDFILE replace, as raw text."""
    for row in TABLE.values():
        text = environ.get(row.env, "") if row.env else ""
        if text or (row.env in environ and row.kind.empty):
            value = f"0.0.0.0:{text}" if row.env == "PORT" else text
            yield row, value, Source(Level.VARIABLE, row.env)


def named_settings(environ: Mapping[str, str]) -> Iterator[tuple[Option, Any, Source]]:
    """The value of each `GUNICORN_<NAME>`, lists decoded. An empty variable counts as not set."""
    for variable in _ours(environ):
        row = TABLE.get(_name(variable))
        if row is not None and (environ[variable] or row.kind.empty):
            yield row, _decoded(row, environ[variable]), Source(Level.ENVIRONMENT, variable)


def strange_variables(environ: Mapping[str, str], own: Container[str] = ()) -> Iterator[str]:
    """A warning for each `GUNICORN_…` variable that is no setting. `own` are those the configuration file reads.

    Raises ConfigError for one that is a setting but for a letter or two. Others may belong to the script that
    starts the server (`exec gunicorn $GUNICORN_OPTS`), so they must not stop it.
    """
    squeezed = {name.replace("_", ""): name for name in TABLE}
    for variable in _ours(environ):
        name = _name(variable)
        if name in TABLE or variable in own or _FOREIGN.match(variable):
            continue
        close = squeezed.get(name.replace("_", "")) or closest(name, TABLE)
        hint = f"did you mean {PREFIX}{close.upper()}?" if close else ""
        import difflib

        if difflib.get_close_matches(name, TABLE, n=1, cutoff=_TYPO) and name.replace("_", "") not in squeezed:
            raise ConfigError(f"there is no setting {name!r}", setting=name, source=f"env {variable}", hint=hint)
        yield f"env {variable} is no setting{'; ' if hint else ''}{hint}"


def _ours(environ: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in RESERVED)


def _name(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _decoded(row: Option, text: str) -> Any:
    if row.kind.split:
        if text.lstrip().startswith("["):
            import json

            try:
                return json.loads(text)
            except ValueError:
                # "[::1]:8000" begins like a JSON array and is an address.
                pass
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
