"""The generated documents: which file is printed by what. `make docs` writes them, a gate compares them.

A renderer is named, not imported, so that one broken table does not hide the others.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.unit.house.survey import ROOT

FACES = {
    "docs/ARCHITECTURE.md": "tests.unit.house.architecture:render",
    "docs/frameworks.md": "tests.frameworks.page:render",
    "docs/performance.md": "bench.table:render",
    "docs/settings.md": "gunicorn.config.render:reference",
    "docs/settings.schema.json": "gunicorn.config.render:schema",
}
"""File -> "module:function"; the function takes nothing and returns the file's whole text."""


def printed(place: str) -> str:
    """What the file should say now."""
    module, _, function = FACES[place].partition(":")
    text = getattr(importlib.import_module(module), function)()
    if not isinstance(text, str):
        raise TypeError(f"{FACES[place]} returned {type(text).__name__}, not text")
    return text


def write(places: list[str]) -> int:
    """Prints the files that differ from their tables again; the number of files that could not be printed."""
    failures = 0
    for place in places:
        try:
            text = printed(place)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            failures += 1
            print(f"{place}: {error}", file=sys.stderr)
            continue
        path = Path(ROOT, place)
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{place}: written")
    return failures


if __name__ == "__main__":
    sys.exit(1 if write(sys.argv[1:] or list(FACES)) else 0)
