"""Every generated document equals what its table prints, and every link and moved name in the docs holds."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.unit.house.faces import FACES, printed
from tests.unit.house.survey import ROOT, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("place", sorted(FACES))
def test_document_is_what_its_table_prints(place: str) -> None:
    assert Path(ROOT, place).read_text() == printed(place), f"{place} is stale: make docs"


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]
    assert broken == []


def test_moved_names_are_importable() -> None:
    """The table "Names that moved" of docs/compat.md: the old name still gives the object of the new home."""
    text = (ROOT / "docs" / "compat.md").read_text()
    section = text.partition("## Names that moved")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", section, re.MULTILINE)
    assert rows
    for old, new in rows:
        assert _named(old) is _named(new), old


def _named(dotted: str) -> object:
    module, _, attribute = dotted.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
