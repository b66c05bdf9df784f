"""Fuzz target: frames of a WebSocket.

    python fuzz/fuzz_websocket.py --seconds 20

Prints one line of statistics; exits 1 on a finding, whose input is left in fuzz/findings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def run() -> NoReturn:
    """Imports the target, under instrumentation where coverage is asked for, and runs it."""
    from fuzz import instrument

    wanted = instrument.arguments("Fuzzes frames of a WebSocket.")
    with instrument.imports(wanted.engine):
        from fuzz import engine, invariants, websocket_invariants
    target = invariants.Target(
        "websocket",
        websocket_invariants.check_websocket,
        websocket_invariants.seed_frames(),
        websocket_invariants.dictionary(),
    )
    engine.main(target, wanted)


if __name__ == "__main__":
    run()
