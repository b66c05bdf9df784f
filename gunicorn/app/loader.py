"""From the name of an application to its callable: "module:attribute", "module:factory('argument')".

Knows how such a name is written and whose fault it is when loading fails. Runs the application's code,
and so is the only place that asks objects for attributes by name.
"""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from gunicorn.errors import AppLoadError

if TYPE_CHECKING:
    import ast

DEFAULT_ATTRIBUTE = "application"

Application = Callable[..., Any]


class AppName(NamedTuple):
    """A parsed name: the module, the dotted path inside it, and a factory's arguments where it is called."""

    module: str
    path: str = DEFAULT_ATTRIBUTE
    is_factory: bool = False
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})


def load_app(uri: str) -> Application:
    """The application that `uri` names. Raises AppLoadError with one line.

    Where the application's own code raised, the error has `own_fault` and the exception as its cause.
    """
    name = parse_name(uri)
    found = _attribute(_module(name.module), name)
    if name.is_factory:
        found = _called(found, name)
    elif not callable(found):
        raise AppLoadError(f"application {name.module}:{name.path} is {_article(found)}, which cannot be called")
    if not callable(found):
        raise AppLoadError(f"factory {name.module}:{name.path} returned {_article(found)}, which cannot be called")
    return found  # type: ignore[no-any-return]


def parse_name(uri: str) -> AppName:
    """Takes "module:expression" apart. The expression is a dotted name, or a call with literal arguments."""
    text = uri.strip()
    module, colon, expression = text.partition(":")
    if not module or not all(part.isidentifier() for part in module.split(".")):
        hint = ""
        if module.endswith(".py") or "/" in module:
            hint = f"; write {module.removesuffix('.py').strip('./').replace('/', '.')}:{expression or 'app'}"
        raise AppLoadError(f"application {uri!r}: {module!r} is not the name of a module{hint}")
    if not colon or not expression.strip():
        return AppName(module)
    if all(part.isidentifier() for part in expression.strip().split(".")):
        return AppName(module, expression.strip())
    import ast

    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise AppLoadError(f"application {uri!r}: {expression!r} is neither a name nor a call") from None
    if isinstance(tree, ast.Call):
        return AppName(module, _path(tree.func, uri), True, *_arguments(tree, uri))
    return AppName(module, _path(tree, uri))


def own_traceback(error: AppLoadError) -> str:
    """The traceback of the application's own code behind `error`, without our frames; "" where there is none."""
    cause = error.__cause__
    if not error.own_fault or cause is None:
        return ""
    trace = cause.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(cause), cause, trace))


def _is_machinery(filename: str) -> bool:
    return filename == __file__ or filename == importlib.__file__ or filename.startswith("<frozen importlib")


def _path(node: ast.expr, uri: str) -> str:
    import ast

    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value, uri)}.{node.attr}"
    raise AppLoadError(f"application {uri!r}: after the colon, write a name or a call such as create_app()")


def _arguments(call: ast.Call, uri: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import ast

    try:
        positional = tuple(ast.literal_eval(argument) for argument in call.args)
        named = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
    except ValueError:
        raise AppLoadError(f"application {uri!r}: the arguments of a factory must be literals") from None
    if len(named) != len(call.keywords):
        raise AppLoadError(f"application {uri!r}: the arguments of a factory must be literals")
    return positional, named


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only the named module, or a package above it, is missing: an import inside it that fails is its own fault.
        if error.name is not None and f"{name}.".startswith(f"{error.name}.") and not _raised_inside(error):
            raise AppLoadError(_missing(name, error.name)) from None
        raise _own_fault(f"module {name!r} failed to import", error) from error
    except Exception as error:
        raise _own_fault(f"module {name!r} failed to import", error) from error


def _raised_inside(error: BaseException) -> bool:
    """Whether any frame but ours and the import system's was running: then a module did exist and was executed."""
    return any(not _is_machinery(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def _missing(name: str, missing: str) -> str:
    inner = f" (for {name!r})" if missing != name else ""
    return f"the application's module {missing!r}{inner} does not exist; {_module_hint(missing)}"


def _module_hint(missing: str) -> str:
    if missing.endswith(".py"):
        return f"write {missing.removesuffix('.py')}:app, without .py"
    try:
        cwd = os.getcwd()
        entries = [entry.removesuffix(".py") for entry in os.listdir(cwd) if _is_importable(entry)]
    except OSError:
        # The directory is gone or may not be read; then there is nothing to suggest.
        return "it is nowhere on sys.path"
    close = _closest(missing, entries, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it is neither in {cwd} nor elsewhere on sys.path"


def _is_importable(entry: str) -> bool:
    return entry.endswith(".py") or (entry.isidentifier() and os.path.isdir(entry))


def _attribute(module: ModuleType, name: AppName) -> Any:
    found: Any = module
    walked = name.module
    for part in name.path.split("."):
        try:
            following = getattr(found, part)
        except AttributeError:
            raise AppLoadError(f"application {walked!r} has no attribute {part!r}{_nearby(found, part)}") from None
        except Exception as error:
            raise _own_fault(f"reading {part!r} of {walked} failed", error) from error
        found, walked = following, f"{walked}:{part}" if found is module else f"{walked}.{part}"
    return found


def _nearby(found: Any, part: str) -> str:
    public = [name for name in dir(found) if not name.startswith("_")]
    close = _closest(part, public, n=3, cutoff=0.5)
    usual = [name for name in ("app", "application", "wsgi", "create_app", "make_app") if name in public]
    names = list(dict.fromkeys([*close, *usual]))
    return f"; did you mean {' or '.join(map(repr, names[:3]))}?" if names else ""


def _closest(word: str, known: list[str], *, n: int, cutoff: float = 0.6) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, known, n=n, cutoff=cutoff)


def _called(factory: Any, name: AppName) -> Any:
    if not callable(factory):
        raise AppLoadError(f"factory {name.module}:{name.path} is {_article(factory)}, which cannot be called")
    try:
        return factory(*name.args, **name.kwargs)
    except TypeError as error:
        if not _raised_inside(error):
            # The call itself was refused: the arguments in the name do not fit the function.
            raise AppLoadError(f"factory {name.module}:{name.path} cannot be called so: {error}") from None
        raise _own_fault(f"factory {name.module}:{name.path} raised", error) from error
    except Exception as error:
        raise _own_fault(f"factory {name.module}:{name.path} raised", error) from error


def _own_fault(what: str, error: BaseException) -> AppLoadError:
    text = str(error).partition("\n")[0]
    return AppLoadError(f"{what}: {type(error).__name__}{': ' if text else ''}{text}", own_fault=True)


def _article(value: Any) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
