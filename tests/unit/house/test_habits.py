"""Small rules of the house that a machine can check. Each test says which file and line breaks one."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.unit.house.survey import ROOT, Module, functions, modules, tracked

DRAWERS = re.compile(r"(^|_)(utils?|common|helpers?|misc|impl)(_|$)")

PROBES = {"gunicorn/app/loader.py"}
"""Files that may ask an object what it has: they look at the user's application."""

CHANGING_STATE: dict[str, str] = {}
"""place:name -> why a module-level object changes after import. host/signals and host/clock own the process' state."""
STATE_OWNERS = ("gunicorn/host/signals.py", "gunicorn/host/clock.py")

PURE_TESTS = ("tests/unit/protocol", "tests/unit/wire", "tests/unit/bridge")
MOCKS_PER_1000_LINES = 2

CHANGERS = {
    *("append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add", "discard"),
    *("appendleft", "popleft"),
}


def _all() -> Iterator[Module]:
    yield from modules().values()


def _at(module: Module, node: ast.stmt | ast.expr | ast.ExceptHandler, text: str) -> str:
    return f"{module.place}:{node.lineno}: {text}"


def test_files_are_named_by_nouns() -> None:
    assert [module.place for module in _all() if DRAWERS.search(module.path.stem)] == []


def test_every_module_says_what_it_knows() -> None:
    silent = []
    for module in _all():
        first = (ast.get_docstring(module.tree) or "").partition("\n")[0]
        if len(first) < 15 or re.match("TODO|Placeholder", first):
            silent.append(module.place)
    assert silent == []


def test_everything_is_annotated() -> None:
    assert [line for module in _all() for line in unannotated(module)] == []


def unannotated(module: Module) -> Iterator[str]:
    for name, node in functions(module):
        args = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        args += [extra for extra in (node.args.vararg, node.args.kwarg) if extra]
        missing = [arg.arg for arg in args if arg.annotation is None and arg.arg not in ("self", "cls")]
        if missing or node.returns is None:
            yield _at(module, node, f"{name}({', '.join(missing)})")


def test_no_error_is_swallowed_silently() -> None:
    """`except Exception: pass` (or bare, or BaseException) hides every bug there will ever be."""
    assert [line for module in _all() for line in swallowed(module)] == []


def swallowed(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and _does_nothing(node.body):
            yield _at(module, node, "swallows everything")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            for name in {"Exception", "BaseException"} & {ast.unparse(arg) for arg in node.args}:
                yield _at(module, node, f"suppresses {name}")


def _catches_everything(node: ast.ExceptHandler) -> bool:
    return node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def test_attributes_are_not_probed_by_name() -> None:
    assert [line for module in _all() if module.place not in PROBES for line in probes(module)] == []


def probes(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[_, ast.Constant(), *_]):
                yield _at(module, node, ast.unparse(node))


def test_module_level_objects_do_not_change() -> None:
    """No `global`, and no function that changes a list, dict or set its module made."""
    found = {line for module in _all() if module.place not in STATE_OWNERS for line in state_changes(module)}
    assert sorted(found) == []


def state_changes(module: Module) -> Iterator[str]:
    made = _containers(module.tree)
    for name, node in functions(module):
        local = {arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg)} | _bound(node)
        for inner in ast.walk(node):
            for changed in _changed(inner):
                known = f"{module.place}:{changed}" in CHANGING_STATE
                if not known and (isinstance(inner, ast.Global) or (changed in made and changed not in local)):
                    yield _at(module, node, f"{name}() changes {changed}")


def _containers(tree: ast.Module) -> set[str]:
    """Names the module binds, at its own level, to a container that can change."""
    names = set()
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        call = ast.unparse(value.func).split(".")[-1] if isinstance(value, ast.Call) else ""
        if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp) or call in (
            *("list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter"),
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[union-attr]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _bound(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}


def _changed(node: ast.AST) -> list[str]:
    match node:
        case ast.Global(names=names):
            return names
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in CHANGERS:
            return [name]
    return []


def test_no_machine_is_named() -> None:
    """A clone must work anywhere: no home folders, no package index, nothing of one machine."""
    hosts = "|".join(("pypi", "pythonhosted", "npmjs", "ghcr", "quay"))
    named = re.compile(rf"/(root|work|home/[a-z]+)/|https?://[\w.-]*({hosts})\.|/opt/(pypi|wheels)")
    wrong = []
    for path in tracked():
        if path.suffix in (".png", ".json") or path.parts[-2] == "requests" or path.name == "test_habits.py":
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if named.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert wrong == []


def _test_lines(under: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for path in tracked():
        place = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and place.startswith(under) and not place.startswith("tests/unit/house"):
            yield from ((place, line) for line in path.read_text().splitlines())


MOCK = re.compile(
    r"\b(MagicMock|AsyncMock|Mock|mocker|create_autospec)\b\(|\bpatch(\.object|\.dict)?\(|monkeypatch\.setattr"
)


def test_mocks_are_rare() -> None:
    lines = list(_test_lines(("tests",)))
    used = [place for place, line in lines if MOCK.search(line)]
    assert len(used) <= max(MOCKS_PER_1000_LINES * len(lines) // 1000, 1), used


@pytest.mark.parametrize("folder", PURE_TESTS)
def test_the_pure_core_is_tested_without_mocks(folder: str) -> None:
    assert [f"{place}: {line.strip()}" for place, line in _test_lines((folder,)) if MOCK.search(line)] == []


def test_unit_tests_mirror_the_package() -> None:
    """tests/unit/<package> tests gunicorn/<package>; bench and fuzz have their own."""
    strangers = []
    for path in (ROOT / "tests" / "unit").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests" / "unit")
        if folder.parts[:1] == ("house",):
            continue
        if not ((ROOT / "gunicorn" / folder).is_dir() or folder.as_posix() in ("bench", "fuzz")):
            strangers.append(path.relative_to(ROOT).as_posix())
    assert strangers == []


def test_only_the_standard_python_is_assumed() -> None:
    """`requires-python` and the ruff target name the oldest version that is tested."""
    text = (ROOT / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.11"' in text
    assert 'target-version = "py311"' in text
    assert sys.version_info >= (3, 11)


GUILTY = """
SEEN = {}
names: list[str] = []

def remember(name):
    SEEN[name] = True
    names.append(name)

def forget(names: list[str]) -> None:
    global SEEN
    names.clear()

def ask(thing: object) -> object:
    try:
        return getattr(thing, "name", None)
    except Exception:
        pass
    with contextlib.suppress(Exception):
        return hasattr(thing, "other")
"""


def test_the_rules_bite() -> None:
    """A file that breaks them is found guilty of each, and of nothing else."""
    module = Module("gunicorn.guilty", ROOT / "gunicorn" / "guilty.py", GUILTY, ast.parse(GUILTY))
    assert [line.split(": ")[1] for line in unannotated(module)] == ["remember(name)"]
    assert sorted(line.split(": ")[1] for line in swallowed(module)) == ["suppresses Exception", "swallows everything"]
    assert len(list(probes(module))) == 2
    assert {line.split(": ")[1] for line in state_changes(module)} == {
        "remember() changes SEEN",
        "remember() changes names",
        "forget() changes SEEN",
    }
