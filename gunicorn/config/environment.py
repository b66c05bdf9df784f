"""Environment variables: `GUNICORN_<NAME>` for each setting, and the few that hosting platforms set.

Knows which variables are settings, which only look so, and how text becomes a list or a mapping.
Checks no value.
"""

from __future__ import annotations

import json
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


def named_settings(environ: Mapping[str, str], own: Container[str] = ()) -> Iterator[tuple[Option, Any, Source]]:
    """The value of each `GUNICORN_<NAME>`, lists and mappings decoded. An empty variable counts as not set.

    `own` are names the configuration file reads for itself. Raises ConfigError for other unknown names.
    """
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        name = variable.removeprefix(PREFIX).lower()
        row = TABLE.get(name)
        if row is None:
            if _FOREIGN.match(variable) or variable in own:
                continue
            close = closest(name, TABLE)
            raise ConfigError(
                f"there is no setting {name!r}",
                setting=name,
                source=f"env {variable}",
                hint=f"did you mean {PREFIX}{close.upper()}?" if close else "unset the variable",
            )
        if environ[variable] or row.kind.empty:
            yield row, _decoded(row, environ[variable]), Source(Level.ENVIRONMENT, variable)


def _decoded(row: Option, text: str) -> Any:
    if row.kind.split:
        if text.lstrip().startswith("["):
            try:
                return json.loads(text)
            except ValueError:
                # "[::1]:8000" begins like a JSON array and is an address.
                pass
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
