"""The printed parts of docs/ARCHITECTURE.md: the import table, and the matrix of a worker's life."""

from __future__ import annotations

from gunicorn.supervisor.child import MATRIX, Action, Event, State
from tests.unit.house.layers import TABLE
from tests.unit.house.survey import ROOT

DOCUMENT = ROOT / "docs" / "ARCHITECTURE.md"
MARKERS = {
    "table": "(printed by `make docs` from tests/unit/house/layers.py)",
    "matrix": "(printed by `make docs` from gunicorn/supervisor/child.py)",
}


def render() -> str:
    """The whole page with its printed parts anew; prose around the markers is kept."""
    text = DOCUMENT.read_text()
    for name, printed in (("table", imports_table()), ("matrix", child_matrix())):
        begin, end = f"<!-- {name}: begin {MARKERS[name]} -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise ValueError(f"{DOCUMENT.name} has lost its markers of {name}")
        text = f"{before}{begin}\n\n{printed}\n{end}{rest.partition(end)[2]}"
    return text


def imports_table() -> str:
    """Layers from the top floor down."""
    lines = ["| layer | may import of ours | single modules may also import | never |", "|---|---|---|---|"]
    for name, row in sorted(TABLE.items(), key=lambda item: (-item[1].floor, item[0])):
        if name == "root":
            continue
        ours = ", ".join(f"`{other}`" for other in row.ours.split() if other != "root") or "–"
        grants = "; ".join(f"`{who}`: `{what}`" for who, what in row.grants) or "–"
        never = ", ".join(f"`{module}`" for module in sorted(row.forbidden)) or "–"
        lines.append(f"| `{name}` | {ours} | {grants} | {never} |")
    return "\n".join(lines) + "\n"


def child_matrix() -> str:
    """Events as rows, states as columns; a cell says the next state where it changes, and the action."""
    states = [state for state in State if state is not State.GONE]
    lines = ["| event | " + " | ".join(state.name for state in states) + " |", "|---" * (len(states) + 1) + "|"]
    for event in Event:
        cells = [_cell(state, event) for state in states]
        lines.append(f"| {event.value} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(state: State, event: Event) -> str:
    after, action = MATRIX[state][event]
    parts = [] if action is Action.NOTHING else [action.value]
    if after is not state:
        parts.append(f"→ {after.name}")
    return " ".join(parts) or "–"
