"""Which applications the pool runs and under which limits: the setting `dirty_apps` joined with the classes' own words.

Pure: text and values in, specifications out. Imports no application; `declared` reads a class that somebody
else has imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gunicorn.dirty.app import DirtyApp
from gunicorn.errors import ConfigError

SETTING = "dirty_apps"
HINT = "write MODULE:CLASS or MODULE:CLASS:WORKERS"


class Declaration(NamedTuple):
    """What the class of an application says about itself; the attributes of DirtyApp of the same names."""

    workers: int | None = None
    max_queue: int | None = None
    queue_timeout: float | None = None
    timeout: float | None = None
    required: bool = False
    stashes: tuple[str, ...] = ()


class AppSpec(NamedTuple):
    """One application of the pool."""

    path: str
    """`module:Class`: what callers name it by."""
    workers: int | None = None
    """How many workers load it at most; None = all."""
    max_queue: int | None = None
    queue_timeout: float | None = None
    """Seconds, as `timeout`."""
    timeout: float | None = None
    required: bool = False
    stashes: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def class_name(self) -> str:
        return self.path.partition(":")[2]


def parse(text: str) -> AppSpec:
    """Takes one value of `dirty_apps` apart. Raises ConfigError for anything but MODULE:CLASS[:WORKERS]."""
    module, colon, rest = text.strip().partition(":")
    name, second, count = rest.partition(":")
    if not _is_dotted(module) or not colon or not _is_dotted(name):
        raise ConfigError(f"{SETTING}: {text!r} names no application", setting=SETTING, hint=HINT)
    if not second:
        return AppSpec(f"{module}:{name}")
    # int() also takes " 2", "+2", "2_0" and digits of other scripts; none of them is meant.
    if not (count.isascii() and count.isdigit() and int(count)):
        raise ConfigError(
            f"{SETTING}: {text!r}: {count!r} is not a number of workers",
            setting=SETTING,
            hint="write a whole number from 1",
        )
    return AppSpec(f"{module}:{name}", int(count))


def parse_all(texts: Iterable[str]) -> list[AppSpec]:
    """All values of `dirty_apps`, in their order. Raises ConfigError where two name the same application."""
    found: dict[str, str] = {}
    specs = []
    for text in texts:
        spec = parse(text)
        if spec.path in found:
            first = found[spec.path]
            said = f"{first!r} and {text!r}" if first != text else f"{text!r} twice"
            raise ConfigError(f"{SETTING}: {said} name the same application", setting=SETTING, hint="keep one of them")
        found[spec.path] = text
        specs.append(spec)
    return specs


def declared(kind: type[DirtyApp]) -> Declaration:
    """What the class says about itself. Raises ConfigError, naming class and attribute, for values that cannot be."""
    stashes = kind.stashes
    if isinstance(stashes, str) or not all(isinstance(name, str) for name in stashes):
        raise _wrong(kind, "stashes", stashes, "a list of names")
    return Declaration(
        _count(kind, "workers", kind.workers),
        _count(kind, "max_queue", _own(kind.max_queue)),
        _seconds(kind, "queue_timeout", _own(kind.queue_timeout)),
        _seconds(kind, "timeout", _own(kind.timeout)),
        _own(kind.required) is True,
        tuple(stashes),
    )


def merge(spec: AppSpec, said: Declaration) -> AppSpec:
    """The configuration's word where it has one, else the class's."""
    return AppSpec(
        spec.path,
        said.workers if spec.workers is None else spec.workers,
        said.max_queue if spec.max_queue is None else spec.max_queue,
        said.queue_timeout if spec.queue_timeout is None else spec.queue_timeout,
        said.timeout if spec.timeout is None else spec.timeout,
        spec.required or said.required,
        spec.stashes or said.stashes,
    )


def merge_all(specs: Iterable[AppSpec], said: Mapping[str, Declaration]) -> list[AppSpec]:
    """`merge` for each; an application that `said` does not have by its path stays as it is."""
    return [merge(spec, said[spec.path]) if spec.path in said else spec for spec in specs]


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _own(value: Any) -> Any:
    """An attribute as a setting. Applications written before it was one may have an action of that name."""
    return None if callable(value) or isinstance(value, property) else value


def _count(kind: type[DirtyApp], name: str, value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise _wrong(kind, name, value, "a whole number from 1, or None")


def _seconds(kind: type[DirtyApp], name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")):
        return value
    raise _wrong(kind, name, value, "a number of seconds above 0, or None")


def _wrong(kind: type[DirtyApp], name: str, value: Any, meant: str) -> ConfigError:
    where = f"{kind.__module__}:{kind.__qualname__}"
    return ConfigError(f"{where}.{name} is {value!r}", setting=SETTING, hint=f"write {meant}")
