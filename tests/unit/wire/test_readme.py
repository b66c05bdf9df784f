"""The README says what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

from gunicorn.wire import values
from gunicorn.wire.frames import Kind
from gunicorn.wire.limits import MAX_DEPTH, MAX_ITEMS, MAX_PAYLOAD
from gunicorn.wire.messages import SHAPES, ManageOp, StashOp

README = (Path(__file__).parents[3] / "gunicorn" / "wire" / "README.md").read_text()


def rows(first: str) -> dict[int, list[str]]:
    """Number in the first column -> the cells of its row, of the table whose head begins with `first`."""
    table = README[README.index(f"\n| {first} | |") :].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "| 0x" in line]
    return {int(row[0], 16): row[1:] for row in cells}


def test_types_and_their_fields() -> None:
    table = rows("type")
    assert {number: row[0] for number, row in table.items()} == {int(kind): kind.name.lower() for kind in Kind}
    for kind, shape in SHAPES.items():
        listed = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", table[kind][2]))))
        assert listed - {"error"} == set(shape.fields), kind
        theirs, _, ours = table[kind][2].partition("ours: ")
        assert not [name for name, field in shape.fields.items() if field.ours and name in theirs]
        assert not [name for name, field in shape.fields.items() if not field.ours and f"`{name}`" in ours]


def test_tags() -> None:
    names = {values.NONE: "None", values.BOOL: "bool", values.INT: "int", values.FLOAT: "float", values.BYTES: "bytes"}
    names |= {values.STR: "str", values.LIST: "list", values.DICT: "dict"}
    assert {number: row[0] for number, row in rows("tag").items()} == names


def test_operations() -> None:
    for one in (*StashOp, *ManageOp):
        assert re.search(rf"\b{one.value}\s{one.name.lower()}\b", README), one


def test_bounds() -> None:
    assert f"{MAX_ITEMS >> 20} Mi items a container, {MAX_DEPTH} containers" in README
    assert f"at most {MAX_PAYLOAD >> 20} MiB" in README
