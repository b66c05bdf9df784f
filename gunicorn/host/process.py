"""How this process appears to others: its title, and which of its descriptors a new program sees.

The title needs the optional `setproctitle`; without it nothing happens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache


@cache
def title_setter() -> Callable[[str], None] | None:
    """The function that names this process in `ps`, or None where `setproctitle` is not installed.

    Found out once, in the parent: a search of the whole path that finds nothing would cost each child its time.
    """
    try:
        from setproctitle import setproctitle
    except ImportError:
        return None
    setter: Callable[[str], None] = setproctitle
    return setter


def set_title(text: str) -> bool:
    """Names this process, as "gunicorn: worker [app]"; says whether that was possible."""
    setter = title_setter()
    if setter is None:
        return False
    setter(text)
    return True


def keep_on_exec(fds: Iterable[int]) -> None:
    """Lets these descriptors live through exec(2); all others that Python opened close there."""
    for fd in fds:
        os.set_inheritable(fd, True)


def close_all(fds: Iterable[int]) -> None:
    """Closes descriptors that a child was born with and must not keep; one closed already is no error."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            continue
