"""An application that answers how many Python frames its worker process has entered so far.

`framed_conf.py` sets `count` as the profile function of a worker's threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

entered = [0]
WIDTH = 12


def count(frame: FrameType, event: str, arg: object) -> None:
    """A profile function (sys.setprofile): one more frame entered, or a generator resumed."""
    if event == "call":
        entered[0] += 1


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]) -> Iterable[bytes]:
    """The count in a body of fixed width, so that every request costs the same."""
    body = b"%*d" % (WIDTH, entered[0])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(WIDTH))])
    return [body]
