"""From what a setting names to the class itself: worker classes and logger classes.

Imports a class only when it is asked for. Knows no setting but `worker_class` and `threads`.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from gunicorn.config.classes import WORKER_CLASSES
from gunicorn.config.settings import Settings
from gunicorn.errors import ConfigError


def resolve_worker_class(cfg: Settings) -> type[Any]:
    """The class behind `worker_class`. Raises ConfigError in one line where there is none."""
    if isinstance(cfg.worker_class, type) and not (cfg.threads > 1 and cfg.worker_class.__name__ == "SyncWorker"):
        return cfg.worker_class
    name = cfg.worker_class_str if not isinstance(cfg.worker_class, type) else "gthread"
    source = str(cfg.provenance.get("worker_class", ""))
    path = WORKER_CLASSES.get(name, name)
    module = path.rpartition(".")[0]
    if name in WORKER_CLASSES and importlib.util.find_spec(module) is None:
        raise ConfigError(
            f"worker_class: {name!r} is not available yet in this version",
            setting="worker_class",
            source=source,
            hint="use 'sync', 'gthread' or 'asgi'",
        )
    return resolve_class(path, "worker_class", source)


def resolve_class(named: Any, setting: str, source: str = "") -> type[Any]:
    """The class that `named` is, or is the dotted path ("pkg.mod.Class", "pkg.mod:Class") of.

    Raises ConfigError where the module or the class is missing; what the module itself raises while it
    is imported comes through unchanged.
    """
    if isinstance(named, type):
        return named
    path = str(named)
    if path.startswith("egg:"):
        return _entry_point(path, setting, source)
    module_name, _, attribute = path.replace(":", ".").rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the named one imports is another matter: its author needs the traceback.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(f"{setting}: there is no module {error.name!r}", setting=setting, source=source) from None
    found = vars(module).get(attribute)
    if not isinstance(found, type):
        raise ConfigError(f"{setting}: {path!r} is not a class", setting=setting, source=source)
    return found


def _entry_point(uri: str, setting: str, source: str) -> type[Any]:
    # Reading the metadata of every installed package is slow; nobody but users of "egg:" pays for it.
    metadata = importlib.import_module("importlib.metadata")
    group = "gunicorn.workers" if setting == "worker_class" else "gunicorn.loggers"
    distribution, _, name = uri.removeprefix("egg:").partition("#")
    for entry in metadata.entry_points(group=group, name=name or "sync"):
        if entry.dist is not None and entry.dist.name.lower() == distribution.lower():
            found = entry.load()
            if isinstance(found, type):
                return found
    raise ConfigError(f"{setting}: {uri!r} names no installed class", setting=setting, source=source)
