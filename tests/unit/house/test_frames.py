"""How many Python frames a request may cost (docs/ARCHITECTURE.md): counted in a real worker, so deterministic.

Every frame counts, ours and the standard library's; only the application's own does not. A budget that is
no longer met means that something is decided per request that could be decided once.
"""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from bench.frames import ASGI, WSGI, frames_per_message, frames_per_request
from tests.unit.house.survey import ROOT

UVLOOP = importlib.util.find_spec("uvloop") is not None
LOOP_ADDS = 0 if UVLOOP else 24
"""What asyncio's own loop enters for a request or message, at most, where uvloop, in C, enters nothing."""
BUDGETS = {"sync": 35, "gthread": 35, "asgi": 50 + LOOP_ADDS}
MESSAGE_BUDGET = 40 + LOOP_ADDS
ACCESS_LOG_ADDS = 6
FLAGS = {"sync": (), "gthread": ("--threads", "4"), "asgi": ("--asgi-loop", "uvloop" if UVLOOP else "asyncio")}
APPLICATIONS = {"asgi": ASGI}


def _command(worker_class: str) -> list[str]:
    return [sys.executable, "-m", "gunicorn", "-k", worker_class, "-b", "127.0.0.1:{port}", *FLAGS[worker_class]]


def _count(worker_class: str, *more: str) -> float:
    application = APPLICATIONS.get(worker_class, WSGI)
    return frames_per_request([*_command(worker_class), *more], f"gate {worker_class}", [ROOT], application)


@pytest.mark.parametrize("worker_class", sorted(BUDGETS))
def test_hello_keeps_its_budget(worker_class: str) -> None:
    plain = _count(worker_class)
    assert 3 < plain <= BUDGETS[worker_class]
    assert _count(worker_class, "--access-logfile", os.devnull) - plain <= ACCESS_LOG_ADDS


def test_a_websocket_message_keeps_its_budget() -> None:
    assert 3 < frames_per_message(_command("asgi"), "gate message", [ROOT]) <= MESSAGE_BUDGET
