"""The source tree as the gates see it: files, their syntax trees, and who imports whom.

Nothing of the package is imported: the gates judge text.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "gunicorn"


@dataclass(frozen=True)
class Module:
    """One file of the package. `name` is dotted, a package goes by the name of its folder."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """The path as people write it, relative to the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def lines(self) -> int:
        return self.text.count("\n")


@dataclass(frozen=True)
class Import:
    """One imported module. `inside` names the function it is imported in, "" for the module's own level."""

    importer: str
    target: str
    line: int
    inside: str
    typing_only: bool


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        text = path.read_text()
        found[".".join(parts)] = Module(".".join(parts), path, text, ast.parse(text))
    return found


@cache
def tracked() -> tuple[Path, ...]:
    """Every file under version control, and those that would be with the next `git add`."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return tuple(ROOT / name for name in sorted(set(listing.split("\0"))) if name and (ROOT / name).is_file())


def imports(module: Module) -> Iterator[Import]:
    """Every import of a module; `from package import name` counts as `package.name` where that is a module."""
    yield from _imports_below(module, module.tree, "", False)


def _imports_below(module: Module, node: ast.AST, inside: str, typing_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(module.name, alias.name, child.lineno, inside, typing_only)
            case ast.ImportFrom():
                for target in _from_targets(module, child):
                    yield Import(module.name, target, child.lineno, inside, typing_only)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _imports_below(module, child, name, typing_only)
            case ast.If(test=test) if ast.unparse(test).endswith("TYPE_CHECKING"):
                yield from _imports_below(module, child, inside, True)
            case _:
                yield from _imports_below(module, child, inside, typing_only)


def _from_targets(module: Module, node: ast.ImportFrom) -> list[str]:
    base = node.module or ""
    if node.level:
        parts = module.name.split(".")
        keep = len(parts) - node.level + (module.path.name == "__init__.py")
        base = ".".join([*parts[:keep], *([node.module] if node.module else [])])
    targets = []
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        targets.append(whole if whole in modules() else base)
    return list(dict.fromkeys(targets))


def functions(module: Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method with its dotted name inside the module."""
    yield from _functions_below(module.tree, "")


def _functions_below(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
            yield from _functions_below(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions_below(child, f"{prefix}{child.name}.")
        else:
            yield from _functions_below(child, prefix)


def classes(module: Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Lines from the `def` or `class` to the last line of the body, docstring included."""
    return (node.end_lineno or node.lineno) - node.lineno + 1
