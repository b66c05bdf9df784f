"""Rooms, not drawers: how long files, functions and classes may be.

An exception is written down with its present length. It may shrink, and must then be written smaller;
it may not grow, and it goes when the limit is met.
"""

from __future__ import annotations

import statistics

from tests.unit.house.survey import ROOT, Module, classes, functions, length, modules, tracked

FILE, FUNCTION, CLASS = 450, 60, 350
MEDIAN_FILE, P90_FILE = 160, 300

EXCEPTIONS: dict[str, int] = {}
"""Place ("gunicorn/a.py", "gunicorn/a.py:Class.method") to the length it has today."""


def _over(limit: int, sizes: dict[str, int]) -> dict[str, int]:
    return {place: size for place, size in sizes.items() if size > EXCEPTIONS.get(place, limit)}


def _files() -> dict[str, int]:
    return {module.place: module.lines for module in modules().values()}


def _functions(found: list[Module]) -> dict[str, int]:
    return {f"{module.place}:{name}": length(node) for module in found for name, node in functions(module)}


def _classes(found: list[Module]) -> dict[str, int]:
    return {f"{module.place}:{node.name}": length(node) for module in found for node in classes(module)}


def test_files() -> None:
    assert _over(FILE, _files()) == {}


def test_functions() -> None:
    assert _over(FUNCTION, _functions(list(modules().values()))) == {}


def test_classes() -> None:
    assert _over(CLASS, _classes(list(modules().values()))) == {}


def test_distribution_of_file_lengths() -> None:
    # Package markers of a line or two would flatter the median.
    sizes = sorted(size for size in _files().values() if size > 5)
    assert statistics.median(sizes) <= MEDIAN_FILE
    assert sizes[int(len(sizes) * 0.9)] <= P90_FILE


def test_files_outside_the_package() -> None:
    """Tests, benchmarks and fuzz targets keep the file limit too."""
    places = {
        path.relative_to(ROOT).as_posix(): path.read_bytes().count(b"\n") for path in tracked() if path.suffix == ".py"
    }
    assert _over(FILE, places) == {}


def test_exceptions_only_shrink() -> None:
    found = list(modules().values())
    sizes = {**_files(), **_functions(found), **_classes(found)}
    for path in tracked():
        if path.suffix == ".py":
            sizes.setdefault(path.relative_to(ROOT).as_posix(), path.read_bytes().count(b"\n"))
    stale = {place: sizes.get(place) for place, size in EXCEPTIONS.items() if sizes.get(place) != size}
    assert stale == {}, "write the new, smaller length, or remove the exception"
