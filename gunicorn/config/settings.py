"""The settings as everybody reads them: plain attributes of one frozen object.

Knows the whole table (`TABLE`) and what follows from more than one setting. Knows no source of
values: `sources` merges, this holds. Reading has no side effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gunicorn.config.casts import nearest
from gunicorn.config.classes import worker_class_name
from gunicorn.config.hooks import Hook
from gunicorn.config.option import DEFAULT, Level, Option, Source
from gunicorn.config.sections import (
    SECTIONS,
    Asgi,
    ConfigFile,
    Connections,
    Control,
    Debugging,
    DirtyArbiterHooks,
    DirtyArbiters,
    Http2,
    Logging,
    ProcessNaming,
    Requests,
    Security,
    ServerHooks,
    ServerMechanics,
    ServerSocket,
    Tls,
    WorkerProcesses,
)
from gunicorn.errors import ConfigError
from gunicorn.net.address import BindKind, parse_bind

TABLE: Mapping[str, Option] = MappingProxyType(
    {name: row for section in SECTIONS for name, row in section.rows.items()}
)
"""Every row by name, in the order of documents."""

Address = tuple[str, int] | str | int
"""One `bind` as older readers know it: (host, port), the path of a unix socket, or a descriptor."""


class Settings(
    ConfigFile,
    ServerSocket,
    WorkerProcesses,
    Asgi,
    Security,
    Connections,
    Debugging,
    ServerMechanics,
    Requests,
    Logging,
    ProcessNaming,
    Tls,
    ServerHooks,
    Http2,
    DirtyArbiters,
    DirtyArbiterHooks,
    Control,
):
    """One value for every row, and where each came from. Frozen: `replace` makes another.

    `values` must already be checked (`Option.check`); rows it does not name get their defaults.
    """

    provenance: Mapping[str, Source]
    """The source of each setting, by name; every name of the table is there."""

    def __init__(self, values: Mapping[str, Any] | None = None, provenance: Mapping[str, Source] | None = None) -> None:
        given = values or {}
        sources = provenance or {}
        state = vars(self)
        for name, row in TABLE.items():
            state[name] = given[name] if name in given else row.make_default()
        state["provenance"] = MappingProxyType({name: sources.get(name, DEFAULT) for name in TABLE})

    def __setattr__(self, name: str, _value: Any) -> None:
        raise AttributeError(f"settings are frozen; {name!r} is set with replace(), or before the server runs")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"settings are frozen; {name!r} cannot be removed")

    def __repr__(self) -> str:
        changed = {name: getattr(self, name) for name in TABLE if self.provenance[name].level > Level.DEFAULT}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def replace(self, source: Source | None = None, /, **changes: Any) -> Settings:
        """These settings with some others, which are checked. Raises ConfigError for a wrong name or value."""
        origin = source or Source(Level.FRAMEWORK, "application")
        values = {name: vars(self)[name] for name in TABLE}
        values |= {name: row_of(name, origin).check(value, origin) for name, value in changes.items()}
        return Settings(values, {**self.provenance, **dict.fromkeys(changes, origin)})

    def hook(self, name: str) -> Hook | None:
        """The operator's function of that name, or None where it is the default, which does nothing."""
        function: Hook = vars(self)[name]
        return None if function is TABLE[name].default else function

    def unheeded(self) -> list[str]:
        """Settings that somebody gave a value and that nothing in this version heeds yet, as text for a log."""
        return [
            f"{name} (needs {row.later})"
            for name, row in TABLE.items()
            if row.later and vars(self)[name] != row.make_default()
        ]

    @property
    def address(self) -> list[Address]:
        """Where `bind` says to listen, parsed."""
        return [_address(text) for text in self.bind]

    @property
    def uid(self) -> int:
        """The user that workers run as."""
        return self.user

    @property
    def gid(self) -> int:
        """The group that workers run as."""
        return self.group

    @property
    def is_ssl(self) -> bool:
        """Whether the listeners speak TLS."""
        return bool(self.certfile or self.keyfile)

    @property
    def worker_class_str(self) -> str:
        """The name of the worker class that runs: "gthread" for "sync" with more than one thread."""
        return worker_class_name(self.worker_class, self.threads)

    @property
    def env(self) -> dict[str, str]:
        """`raw_env`, parsed."""
        return {name: value for name, _, value in (text.partition("=") for text in self.raw_env)}

    @property
    def settings(self) -> Mapping[str, Entry]:
        """Row objects by name, as older readers know them: `cfg.settings["bind"].get()`."""
        return Entries(self)


class Entry:
    """One setting as an object: its value by `get()`, and what the table says of it."""

    def __init__(self, row: Option, value: Any) -> None:
        self.name = row.name
        self.section = row.section
        self.cli = list(row.flags) or None
        self.meta = row.metavar
        self.default = row.make_default()
        self.desc = row.doc
        self.value = value

    def get(self) -> Any:
        """The value."""
        return self.value


class Entries(Mapping[str, Entry]):
    """All settings by name; `source` is anything with one attribute for each row."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __getitem__(self, name: str) -> Entry:
        return Entry(TABLE[name], getattr(self._source, name))

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE)

    def __len__(self) -> int:
        return len(TABLE)


def row_of(name: str, source: Source = DEFAULT) -> Option:
    """The row of that name. Raises ConfigError with the nearest known name."""
    if name not in TABLE:
        raise ConfigError(
            f"there is no setting {name!r}",
            setting=name,
            source="" if source is DEFAULT else str(source),
            hint=nearest(name, TABLE),
        )
    return TABLE[name]


def settle(values: dict[str, Any]) -> dict[str, Any]:
    """Values that follow from others, filled in once all sources have spoken."""
    if not values.get("proc_name"):
        values["proc_name"] = values.get("default_proc_name", TABLE["default_proc_name"].default)
    return values


def check_together(settings: Settings) -> None:
    """Raises ConfigError for settings that are right one by one and make no sense together."""
    if settings.keyfile and not settings.certfile:
        raise ConfigError(
            "keyfile: is set, but certfile is not",
            setting="certfile",
            source=str(settings.provenance["keyfile"]),
            hint="name the certificate too",
        )


def _address(text: str) -> Address:
    bind = parse_bind(text)
    if bind.kind is BindKind.FD:
        return bind.fd
    if bind.kind is BindKind.UNIX:
        return bind.path
    return bind.host or "0.0.0.0", bind.port
