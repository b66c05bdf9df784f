"""THE table of access log atoms, and formats compiled to exactly what they use.

A row is a Python expression over an entry. A format such as '%(h)s "%(r)s" %(s)s' becomes one function
that evaluates the expressions it names and formats them in one operation; nothing else is computed.
Values that a client chose pass `escape` when one of them needs it (see `gunicorn.log.escape`).
"""

from __future__ import annotations

import binascii
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from gunicorn.log.clock import SecondClock
from gunicorn.log.entry import Entry, Recorded
from gunicorn.log.escape import UNSAFE, escape

ABSENT: Final = "-"
"""What stands for a value there is none of, and for an atom nobody knows."""

Line = Callable[[Entry], str]


class Atom(NamedTuple):
    """An atom by its expression over `e` (entry), `r` (request), `v` (field variables), `env` (environ)."""

    expression: str
    doc: str
    foreign: bool = False
    """A client, or somebody who repeats a client, may have chosen this text."""


ATOMS: Final[Mapping[str, Atom]] = {
    "h": Atom("(env.get('REMOTE_ADDR') or e.peer.host or '-')", "client address, `-` for a unix socket", True),
    "l": Atom("'-'", "always `-` (an identity nobody asks for any more)"),
    "u": Atom("(user(v['HTTP_AUTHORIZATION']) if 'HTTP_AUTHORIZATION' in v else '-')", "user of Basic auth", True),
    "t": Atom("clock.text", "local time, `[31/Jan/2026:12:00:00 +0000]`"),
    "r": Atom("f'{r.method} {r.target} {r.version}'", "request line, `GET /a?b HTTP/1.1`", True),
    "m": Atom("r.method", "method", True),
    "U": Atom("r.path", "decoded path without the query", True),
    "q": Atom("r.query", "query without `?`, or nothing", True),
    "H": Atom("r.version", "protocol, `HTTP/1.1`", True),
    "s": Atom("(e.status[:3] or '-')", "status code, `-` when nothing was answered"),
    "B": Atom("e.sent", "body bytes sent"),
    "b": Atom("(e.sent if e.status else '-')", "body bytes sent, `-` when nothing was answered"),
    "f": Atom("v.get('HTTP_REFERER', '-')", "Referer field", True),
    "a": Atom("v.get('HTTP_USER_AGENT', '-')", "User-Agent field", True),
    "T": Atom("e.duration_ns // 1000000000", "duration in whole seconds"),
    "M": Atom("e.duration_ns // 1000000", "duration in milliseconds"),
    "D": Atom("e.duration_ns // 1000", "duration in microseconds"),
    "L": Atom("'%d.%06d' % divmod(e.duration_ns // 1000, 1000000)", "duration in seconds, six decimals"),
    "Q": Atom("e.queue_ns // 1000000", "time in the queue before the application, in milliseconds"),
    "p": Atom("f'<{getpid()}>'", "process id in angle brackets"),
}

NAMED: Final[Mapping[str, str]] = {
    "i": "request field (any case)",
    "o": "response field (any case)",
    "e": "variable of the WSGI environ",
    "t": "local time by a strftime pattern",
}
"""Families of atoms with a name of their own: `%({User-Agent}i)s`."""

_PIECE = re.compile(r"%(?:\((?P<name>[^)]*)\))?(?P<spec>[#0 +-]*\d*(?:\.\d+)?)[hlL]?(?P<conversion>.)?", re.DOTALL)
_NAMED = re.compile(r"\{(?P<name>.*)\}(?P<family>[ioet])", re.DOTALL)
_CGI_PLAIN = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def compile_format(fmt: str) -> Line:
    """A function from an entry to its line. Raises ValueError for a format that cannot be printed."""
    template, names = _parse(fmt)
    atoms = [_atom(name) for name in names]
    foreign = [f"x{i}" for i, atom in enumerate(atoms) if atom.foreign]
    values = "".join(f"x{i}, " if atom.foreign else f"{atom.expression}, " for i, atom in enumerate(atoms))
    lines = ["def line(e):", " r = e.request", " v = r.variables", " env = e.environ"]
    if "t" in names:
        lines += [" now = int(time())", " if now != clock.second:", "  clock.tick(now)"]
    lines += [f" x{i} = {atom.expression}" for i, atom in enumerate(atoms) if atom.foreign]
    if foreign:
        joined = "".join(f"{{{x}}}" for x in foreign)
        lines += [f" if unsafe(f'{joined}'):"]
        lines += [f"  {x} = escape({x})" for x in foreign]
    lines += [f" return template % ({values})"]
    scope: dict[str, Any] = {**_SCOPE, "template": template, "clock": SecondClock()}
    # Every part of the source is an expression of the table above or a repr() of a name.
    exec(compile("\n".join(lines), "<access_log_format>", "exec"), scope)
    line: Line = scope["line"]
    try:
        line(_sample())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{fmt!r} cannot be printed: {error}") from None
    return line


def evaluate(name: str, entry: Entry) -> object:
    """The value of one atom, unescaped; "-" for an unknown one."""
    scope = {**_SCOPE, "e": entry, "r": entry.request, "v": entry.request.variables, "env": entry.environ}
    clock = SecondClock()
    clock.tick(int(time.time()))
    return eval(_COMPILED.get(name) or _atom(name).expression, {**scope, "clock": clock})


def _parse(fmt: str) -> tuple[str, list[str]]:
    """A %-template of positional values and the atoms that fill it, in order."""
    names: list[str] = []

    def piece(match: re.Match[str]) -> str:
        name, spec, conversion = match["name"], match["spec"], match["conversion"]
        if conversion == "%" and name is None:
            return "%%"
        if name is None or conversion is None or conversion not in "sradiufFeEgGxXoc":
            raise ValueError(f"{match[0]!r} is not an atom such as %(h)s; a percent sign is written %%")
        names.append(name)
        return f"%{spec}{conversion}"

    return _PIECE.sub(piece, fmt), names


def _atom(name: str) -> Atom:
    """The row of an atom, made on the spot for the families of `NAMED`."""
    if name in ATOMS:
        return ATOMS[name]
    match = _NAMED.fullmatch(name)
    if match is None:
        return Atom("'-'", "unknown")
    key = match["name"]
    if match["family"] == "i":
        variable = key.upper().replace("-", "_")
        variable = variable if variable in _CGI_PLAIN else f"HTTP_{variable}"
        return Atom(f"v.get({variable!r}, '-')", "", True)
    if match["family"] == "o":
        return Atom(f"response_field(e.fields, {key.lower()!r})", "", True)
    if match["family"] == "e":
        return Atom(f"e.described.get({key!r}, '-')", "", True)
    return Atom(f"strftime({key!r})", "", True)


def user_of(authorization: object) -> str:
    """The user of a Basic Authorization field (RFC 7617), or "-"."""
    scheme, _, token = str(authorization).partition(" ")
    if scheme.lower() != "basic":
        return ABSENT
    import base64

    try:
        decoded = base64.b64decode(token.strip(), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ABSENT
    return decoded.partition(":")[0] or ABSENT


def response_field(fields: Sequence[tuple[str, str]], name: str) -> str:
    """The first response field of the lower-case `name`, or "-"."""
    for field, value in fields:
        if field.lower() == name:
            return value
    return ABSENT


_SCOPE: Final[Mapping[str, Any]] = {
    "escape": escape,
    "getpid": os.getpid,
    "response_field": response_field,
    "strftime": time.strftime,
    "time": time.time,
    "unsafe": UNSAFE.search,
    "user": user_of,
}
_COMPILED: Final = {name: compile(atom.expression, f"<atom {name}>", "eval") for name, atom in ATOMS.items()}


def _sample() -> Entry:
    """What every format is tried on before it is used."""
    from datetime import timedelta

    return Recorded(SimpleNamespace(status="200 OK", headers=(), sent=0), {}, timedelta())
