"""One row of the settings table: a name, its default, its flags, its kind of value, its words.

Knows how a row is written down and how one value is checked against it. Knows no source of values
(`sources`), no particular setting (`sections`) and no page printed from the rows (`render`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from gunicorn.config.casts import Kind, Refusal
from gunicorn.errors import ConfigError


class Level(enum.IntEnum):
    """Where a value may come from, weakest first: a higher level wins."""

    DEFAULT = 0
    VARIABLE = 1
    """A variable that hosting platforms set: PORT, WEB_CONCURRENCY, FORWARDED_ALLOW_IPS, SENDFILE."""
    FRAMEWORK = 2
    """The embedding application, or the `[server:main]` section of a Paste file."""
    FILE = 3
    ENVIRONMENT = 4
    """`GUNICORN_<NAME>`."""
    CMD_ARGS = 5
    """`GUNICORN_CMD_ARGS`."""
    COMMAND_LINE = 6


class Source(NamedTuple):
    """Where one value was written; `str()` is what messages and `--print-config --source` show."""

    level: Level
    where: str = ""
    """The file, variable or flag."""

    def __str__(self) -> str:
        if self.level is Level.DEFAULT:
            return "default"
        if self.level is Level.COMMAND_LINE:
            return f"command line {self.where}".rstrip()
        if self.level in (Level.VARIABLE, Level.ENVIRONMENT, Level.CMD_ARGS):
            return f"env {self.where}"
        return self.where


DEFAULT = Source(Level.DEFAULT)


class Action(enum.Enum):
    """What a flag does with what follows it; the values are argparse's own names."""

    STORE = "store"
    APPEND = "append"
    TRUE = "store_true"
    FALSE = "store_const"
    """A `--no-…` flag: it stores False."""


class Option(NamedTuple):
    """A row. `default` has the type that readers of `Settings` see; `factory` makes it at start instead."""

    default: Any
    flags: tuple[str, ...]
    kind: Kind
    doc: str
    action: Action = Action.STORE
    metavar: str | None = None
    bare: Any = None
    """What the flag means without a value after it; None where a value must follow."""
    env: str = ""
    """A variable of hosting platforms that replaces the default."""
    live: bool = True
    """Whether a reload (HUP) applies a changed value."""
    later: str = ""
    """The feature this setting waits for: accepted and checked, but without effect yet. Empty for none."""
    ours: bool = False
    """An addition of this project, not among the names every deployment knows."""
    factory: Callable[[], Any] | None = None
    default_text: str = ""
    """How documents show a default that is made at start."""
    section: str = ""
    name: str = ""

    def make_default(self) -> Any:
        """A fresh default: lists and dicts are never shared between two settings objects."""
        if self.factory is not None:
            return self.factory()
        if isinstance(self.default, (list, dict)):
            return self.default.copy()
        return self.default

    def check(self, value: Any, source: Source = DEFAULT) -> Any:
        """`value` as the type of this row. Raises ConfigError that names setting, value and source."""
        try:
            return self.kind.parse(value)
        except Refusal as refusal:
            raise ConfigError(
                f"{self.name}: {refusal}", setting=self.name, source=str(source), hint=refusal.hint
            ) from None


class Draft(dict[str, Any]):
    """The fields of an `Option` inside a section class, before the class gives it name and section."""


def option(
    default: Any,
    *flags: str,
    kind: Kind,
    doc: str,
    action: Action = Action.STORE,
    metavar: str | None = None,
    bare: Any = None,
    env: str = "",
    live: bool = True,
    later: str = "",
    ours: bool = False,
    factory: Callable[[], Any] | None = None,
    default_text: str = "",
) -> Any:
    """A row of the table, written as an annotated attribute of a `Section`. See `Option` for the words."""
    return Draft(
        {
            "default": default,
            "flags": flags,
            "kind": kind,
            "doc": doc,
            "action": action,
            "metavar": metavar,
            "bare": bare,
            "env": env,
            "live": live,
            "later": later,
            "ours": ours,
            "factory": factory,
            "default_text": default_text,
        }
    )


class Section:
    """A group of rows. A subclass is written with `title=`; its rows are collected into `rows`.

    The annotations of the rows are the types that readers of `Settings`, which inherits from every
    section, get; the values live in the instance.
    """

    title: ClassVar[str] = ""
    rows: ClassVar[dict[str, Option]] = {}

    def __init_subclass__(cls, *, title: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        drafts = {name: value for name, value in vars(cls).items() if isinstance(value, Draft)}
        if not drafts:
            return
        cls.title = title
        cls.rows = {name: Option(**draft, section=title, name=name) for name, draft in drafts.items()}
        # A name that was never filled in must fail loudly instead of answering with a row.
        for name in drafts:
            delattr(cls, name)
