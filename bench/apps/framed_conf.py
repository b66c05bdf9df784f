"""Server settings that make a worker count the frames it enters (see framed.py)."""

from __future__ import annotations

import sys
import threading

import framed


def post_fork(server: object, worker: object) -> None:
    """Every thread of the worker counts: this one, and those that start later."""
    threading.setprofile(framed.count)
    sys.setprofile(framed.count)
