"""Prints docs/frameworks.md: what works with which framework, from the table of the suite.

Knows Markdown and the table, and no framework: none needs to be installed.
"""

from __future__ import annotations

from tests.frameworks.table import ALONE, CAPABILITIES, FRAMEWORKS, SERVER_GAPS, Framework

SERVER = "gunicorn"
TITLES = {
    "fastapi": "FastAPI",
    "starlette": "Starlette",
    "django": "Django, Channels",
    "quart": "Quart",
    "litestar": "Litestar",
    "blacksheep": "BlackSheep",
}
HEAD = """# Frameworks

<!-- Printed by tests/frameworks/page.py. Do not edit; `make docs`. -->

What is driven through each framework on the `asgi` worker, on asyncio and on uvloop, before every release. The
suite is [tests/frameworks](../tests/frameworks/README.md); `make frameworks` runs it. ✓: it works. A number: the
framework has no such thing or answers in its own way, for the reason below, which the suite confirms as well.
Nothing here is withheld by the server unless the reason says so.

"""


def render() -> str:
    """The whole page."""
    notes: list[str] = []
    lines = ["| |" + "".join(f" {TITLES[name]} |" for name in FRAMEWORKS), "|---|" + ":-:|" * len(FRAMEWORKS)]
    for capability, words in CAPABILITIES.items():
        cells = [_cell(framework, capability, notes) for framework in FRAMEWORKS.values()]
        lines.append(f"| {words} |" + "".join(f" {cell} |" for cell in cells))
    listed = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    alone = [f"- {TITLES[name]}: {words}" for name, words in ALONE.values()]
    return HEAD + "\n".join([*lines, "", *listed, "", "What only one of them has is driven too:", "", *alone]) + "\n"


def _cell(framework: Framework, capability: str, notes: list[str]) -> str:
    """The mark of one pair; a new reason is added to `notes`."""
    reason = framework.lacks.get(capability)
    gap = SERVER_GAPS[SERVER].get(capability)
    if reason is None and gap and framework.name in (gap.frameworks or FRAMEWORKS):
        reason = gap.reason
    if reason is None and capability in framework.answers:
        reason = f"{TITLES[framework.name]} answers {framework.answers[capability]}"
    if reason is None:
        return "✓"
    if reason not in notes:
        notes.append(reason)
    return str(notes.index(reason) + 1)
