"""Who may import whom: the table of layers.py, checked against the syntax trees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from tests.unit.house.layers import LATE_IMPORTS, RE_EXPORTS, TABLE, Row, layer
from tests.unit.house.survey import Import, Module, imports, modules

CIRCLE_TEXT = "modules that import each other"


def _inside(name: str) -> str:
    return name.removeprefix("gunicorn.")


def _granted(row: Row, one: Import) -> bool:
    return any(
        (fnmatch(_inside(one.importer), who) or fnmatch(f"{_inside(one.importer)}.", who))
        and (fnmatch(one.target, what) or one.target.startswith(f"{what}."))
        for who, what in row.grants
    )


def _complaint(one: Import) -> str:
    """Why an import is against the table, or ""."""
    mine = layer(one.importer)
    row = TABLE[mine]
    top = one.target.split(".")[0]
    if _granted(row, one):
        return ""
    if top == "gunicorn":
        target = layer(one.target)
        if target == mine or target in row.ours.split():
            return ""
        return f"{mine} may not import {target}"
    if top == "__future__":
        return ""
    if top in sys.stdlib_module_names:
        return f"{mine} may not import {top}" if top in row.forbidden else ""
    late = one.inside and any(fnmatch(one.target, what) and why.startswith("optional") for _, what, why in LATE_IMPORTS)
    return "" if late or top in row.outside.split() else f"{mine} may not import {top} from outside"


def _judged() -> Iterator[Module]:
    return (module for name, module in modules().items() if name not in RE_EXPORTS)


def test_every_layer_has_a_row() -> None:
    assert {layer(module.name) for module in _judged()} <= TABLE.keys()


def test_table_points_down() -> None:
    for name, row in TABLE.items():
        upward = [other for other in row.ours.split() if TABLE[other].floor >= row.floor and other != "errors"]
        assert upward == [], name


@pytest.mark.parametrize("name", sorted(TABLE))
def test_layer_keeps_its_row(name: str) -> None:
    wrong = [
        f"{module.place}:{one.line}: {text}"
        for module in _judged()
        if layer(module.name) == name
        for one in imports(module)
        if (text := _complaint(one))
    ]
    assert wrong == []


def test_re_exports_are_imports_only_and_imported_by_nobody() -> None:
    for name in RE_EXPORTS:
        module = modules().get(name)
        if module is not None:
            assert module.lines <= 20, name
    used = [f"{module.place}:{one.line}" for module in _judged() for one in imports(module) if one.target in RE_EXPORTS]
    assert used == []


def test_no_circles() -> None:
    """At run time: an import for type checkers only, or inside a function, closes no circle."""
    graph = {
        name: {
            one.target
            for one in imports(module)
            if one.target in modules() and not one.typing_only and not one.inside and one.target != name
        }
        for name, module in modules().items()
    }
    assert find_circles(graph) == [], CIRCLE_TEXT


def find_circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other (Tarjan), each sorted."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                circles.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return circles


def test_find_circles_finds_them() -> None:
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert find_circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_inside_functions_are_for_optional_packages() -> None:
    wrong = [
        f"{module.place}:{one.line}: {one.target} in {one.inside}()"
        for module in modules().values()
        for one in imports(module)
        if one.inside
        and not any(fnmatch(one.importer, who) and fnmatch(one.target, what) for who, what, _ in LATE_IMPORTS)
    ]
    assert wrong == []


def test_the_table_bites() -> None:
    """Imports that must be refused are, and those that must pass do."""
    cases = [
        ("gunicorn.protocol.http1.head", "socket", False),
        ("gunicorn.protocol.http1.head", "gunicorn.config.settings", False),
        ("gunicorn.protocol.http1.head", "h2.connection", False),
        ("gunicorn.protocol.http2.streams", "h2.connection", True),
        ("gunicorn.supervisor.plan", "gunicorn.config.settings", False),
        ("gunicorn.drivers.blocking", "gunicorn.workers.sync", False),
        ("gunicorn.config.slices", "gunicorn.protocol.limits", True),
        ("gunicorn.config.settings", "gunicorn.protocol.limits", False),
        ("gunicorn.metrics.cells", "prometheus_client", False),
        ("gunicorn.metrics.prometheus", "prometheus_client", True),
        ("gunicorn.net.address", "requests", False),
        ("gunicorn.workers.sync", "gunicorn.drivers.blocking", True),
    ]
    for importer, target, allowed in cases:
        one = Import(importer, target, 1, "", False)
        assert (_complaint(one) == "") is allowed, (importer, target, _complaint(one))
