"""Fuzz target: frames, values and messages of the pool for heavy work.

    python fuzz/fuzz_wire.py --seconds 20

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

    wanted = instrument.arguments("Fuzzes frames, values and messages of the pool for heavy work.")
    with instrument.imports(wanted.engine):
        from fuzz import engine, invariants, wire_invariants
    target = invariants.Target(
        "wire", wire_invariants.check_wire, wire_invariants.seed_streams(), wire_invariants.dictionary()
    )
    engine.main(target, wanted)


if __name__ == "__main__":
    run()
