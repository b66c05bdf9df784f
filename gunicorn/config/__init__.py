"""Settings: one table of typed rows, the sources that fill it, and the pages printed from it.

`load()` merges all sources into a frozen `Settings`; `Config` is the door for embedding applications.
Knows no process, no socket and no application.
"""

from __future__ import annotations

from gunicorn.config.facade import Config
from gunicorn.config.files import own_traceback
from gunicorn.config.option import Level, Source
from gunicorn.config.resolve import resolve_class, resolve_worker_class
from gunicorn.config.settings import TABLE, Settings
from gunicorn.config.sources import Loaded, load, load_here

__all__ = [
    "TABLE",
    "Config",
    "Level",
    "Loaded",
    "Settings",
    "Source",
    "load",
    "load_here",
    "own_traceback",
    "resolve_class",
    "resolve_worker_class",
]
