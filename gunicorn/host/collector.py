"""The cyclic garbage collector while an application is loaded: passes far apart.

Importing makes many objects and hardly any garbage; by the usual thresholds a tenth of the time goes into
passes that find nothing. What the application itself decides about the collector stays as it wants it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FAR_APART = 100_000
"""Objects made, less those freed, between two passes: some ten megabytes at most that may be garbage."""


@contextmanager
def rare_passes() -> Iterator[None]:
    """Raises the first threshold for the time of the body, unless there is none or it is higher."""
    before = gc.get_threshold()
    if not 0 < before[0] < FAR_APART:
        yield
        return
    ours = (FAR_APART, *before[1:])
    gc.set_threshold(*ours)
    try:
        yield
    finally:
        if gc.get_threshold() == ours:
            gc.set_threshold(*before)
