"""`Config`: settings that may still be changed, as embedding applications fill them in.

Knows the surface that subclasses of `BaseApplication` use: `cfg.set("bind", …)`, `cfg.settings`, and
attributes. Once the server runs, `freeze()` has made a `Settings` of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gunicorn.config.environment import platform_defaults
from gunicorn.config.option import Level, Source
from gunicorn.config.settings import TABLE, Entries, Entry, Settings, row_of, settle

APPLICATION = Source(Level.FRAMEWORK, "application")


class Config:
    """Mutable settings; every value is checked when it is set."""

    def __init__(
        self, usage: str | None = None, prog: str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """`environ` is where hosting platforms put their defaults (PORT, WEB_CONCURRENCY); none is looked at
        without it. Raises ConfigError for a wrong one.
        """
        self.usage = usage
        self.prog = prog or "gunicorn"
        self._values: dict[str, Any] = {}
        self._platform: dict[str, tuple[Any, Source]] = {}
        for row, text, source in platform_defaults(environ or {}):
            self._platform[row.name] = row.check(text, source), source

    def set(self, name: str, value: Any) -> None:
        """Sets one value. Raises ConfigError for an unknown name or a wrong value."""
        self._values[name] = row_of(name, APPLICATION).check(value, APPLICATION)

    def freeze(self) -> Settings:
        """The settings as they are now."""
        values = {name: value for name, (value, _) in self._platform.items()} | self._values
        sources = {name: source for name, (_, source) in self._platform.items()}
        return Settings(settle(values), {**sources, **dict.fromkeys(self._values, APPLICATION)})

    @property
    def given(self) -> Mapping[str, Any]:
        """What was set here and is no default: what `load(framework=…)` takes."""
        return dict(self._values)

    @property
    def settings(self) -> Mapping[str, Entry]:
        """Row objects by name: `"bind" in cfg.settings`, `cfg.settings["bind"].get()`."""
        return Entries(self.freeze())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.freeze(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in TABLE:
            raise AttributeError(f"write cfg.set({name!r}, …)")
        super().__setattr__(name, value)
