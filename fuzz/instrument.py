"""The command line of the targets, and coverage by atheris for what is imported under it, where there is atheris."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path


def imports(engine: str) -> AbstractContextManager[object]:
    """Imports inside this block are instrumented if the engine wants coverage."""
    if engine != "coverage":
        return nullcontext()
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    return atheris.instrument_imports(include=["gunicorn.protocol", "gunicorn.wire"])  # type: ignore[no-any-return, unused-ignore]


def arguments(description: str) -> argparse.Namespace:
    """The command line all targets share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to run (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (0)")
    parser.add_argument("--replay", type=Path, help="run this saved input once")
    parser.add_argument("--keep-going", action="store_true", help="collect one finding of each kind")
    parser.add_argument(
        "--engine",
        choices=("mutation", "coverage"),
        default="coverage" if find_spec("atheris") else "mutation",
        help="coverage needs atheris; the default where it is installed",
    )
    return parser.parse_args()
