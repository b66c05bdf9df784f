"""The request corpus: how its files are read, and how a verdict is held against what a record expects.

Knows the format of `tests/data/requests` (its README is the reference) and nothing of machines, sockets
or servers: those report what they saw as a `Verdict`, whatever they are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "data" / "requests"
TRUSTED_PEER = "127.0.0.1"
UNTRUSTED_PEER = "127.0.0.2"
DEFAULT_FIELDS = (("host", "example.com"),)
SPECIAL_NAMES = ("script_name", "path_info")

_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|([rnts\\#])|\{(.*?)\*(\d+)\})", re.DOTALL)
_CHARACTERS = {"r": "\r", "n": "\n", "t": "\t", "s": " ", "\\": "\\", "#": "\\#"}
_REPEAT = re.compile(r"\\\{(.*)\*(\d+)\}\Z", re.DOTALL)
_STATUSES = re.compile(r"\d{1,3}(\|\d{1,3})*\Z")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


class CorpusError(ValueError):
    """A file of the corpus is not written as the README says; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One request an application may see. None means: not looked at."""

    method: str
    target: str
    version: str
    path: str | None
    query: str | None
    fields: tuple[tuple[str, str], ...] | None = DEFAULT_FIELDS
    field_count: int | None = None
    body: bytes = b""
    trailers: tuple[tuple[str, str], ...] | None = ()
    keep_alive: bool = True
    scheme: str = "http"
    script_name: str | None = ""
    upgrade: str | None = ""
    expect_continue: bool | None = False
    client: str | None = None
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """CGI variables with these values; None for one that must be absent."""


@dataclass(frozen=True, slots=True)
class Record:
    """A byte stream of one connection and what it must lead to.

    `requests` are seen by the application, in order. Then the stream ends as `ending` says: "open" (nothing
    is left over), "rejected" (with one of `statuses`; 0 = closed without a word) or "cut" (the stream ended
    inside a message, which nobody must take for a whole one). With `alternatives` the first request may
    as well be rejected with one of these.
    """

    name: str
    group: str
    law: str
    why: str
    data: bytes
    requests: tuple[Expected, ...] = ()
    ending: str = "open"
    statuses: frozenset[int] = frozenset()
    alternatives: frozenset[int] = frozenset()
    options: tuple[tuple[str, str], ...] = ()
    peer: str = TRUSTED_PEER

    @property
    def setting(self) -> dict[str, str]:
        return dict(self.options)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came out at the other end. None means: cannot be seen from here."""

    method: str
    target: str
    version: str
    path: str
    query: str
    variables: Mapping[str, str]
    body: bytes
    scheme: str
    script_name: str
    keep_alive: bool
    fields: tuple[tuple[str, str], ...] | None = None
    trailers: tuple[tuple[str, str], ...] | None = None
    upgrade: str | None = None
    expect_continue: bool | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a byte stream: same meanings as in `Record`; `answer` are the bytes of a rejection."""

    requests: tuple[Seen, ...]
    ending: str
    status: int | None = None
    answer: bytes = b""
    detail: str = ""


# Reading


def unescape(text: str) -> str:
    r"""Resolves \r \n \t \s (space) \\ \xNN and the repetition \{text*N}, in which \# counts from 0."""

    def one(match: re.Match[str]) -> str:
        code, letter, repeated, times = match.groups()
        if code is not None:
            return chr(int(code, 16))
        if letter is not None:
            return _CHARACTERS[letter]
        piece = unescape(repeated)
        if "\\#" not in piece:
            return piece * int(times)
        return "".join(piece.replace("\\#", str(number)) for number in range(int(times)))

    return _ESCAPE.sub(one, text)


class _Draft:
    """A record while its lines are read."""

    def __init__(self, name: str, group: str) -> None:
        self.name = name
        self.group = group
        self.law = ""
        self.why = ""
        self.sent: list[str] = []
        self.requests: list[Expected] = []
        self.ending = "open"
        self.statuses: frozenset[int] = frozenset()
        self.alternatives: frozenset[int] = frozenset()
        self.options: list[tuple[str, str]] = []
        self.peer = TRUSTED_PEER
        self.decided = False

    def line(self, line: str) -> None:
        sign, _, rest = line.partition(" ")
        if sign == ">":
            if self.decided:
                raise ValueError("bytes after the expectation")
            self.sent.append(rest)
        elif sign == "<":
            self.decided = True
            self._expect(rest)
        elif sign == "with":
            self.options += [_pair(word, "=") for word in rest.split()]
        elif sign == "from":
            self.peer = rest
        elif sign == "may":
            self.alternatives = _statuses(rest)
        elif not self.law:
            self.law, self.why = _pair(line, " : ")
        else:
            raise ValueError(f"not understood: {line!r}")

    def _expect(self, text: str) -> None:
        if self.ending != "open":
            raise ValueError("nothing can follow a rejection or a cut")
        if text.startswith("  "):
            self.requests[-1] = _refine(self.requests[-1], text.strip(" "))
        elif _STATUSES.match(text):
            self.ending, self.statuses = "rejected", _statuses(text)
        elif text == "cut":
            self.ending = "cut"
        elif text != "nothing":
            self.requests.append(_request(text))

    def finish(self) -> Record:
        if not self.law or not self.sent or not self.decided:
            raise ValueError("a record needs a law, bytes and an expectation")
        for request in self.requests:
            if request.path is None and request.query is None:
                raise ValueError(f"@path and @query of {request.target!r} must be written down ('?' to not look)")
        return Record(
            name=self.name,
            group=self.group,
            law=self.law,
            why=self.why,
            data="".join(unescape(piece) for piece in self.sent).encode("latin-1"),
            requests=tuple(replace(r, path=_open(r.path), query=_open(r.query)) for r in self.requests),
            ending=self.ending,
            statuses=self.statuses,
            alternatives=self.alternatives,
            options=tuple(sorted(self.options)),
            peer=self.peer,
        )


def _pair(text: str, separator: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found:
        raise ValueError(f"{separator!r} is missing in {text!r}")
    return name, value


def _statuses(text: str) -> frozenset[int]:
    return frozenset(int(code) for code in text.split("|"))


def _open(text: str | None) -> str | None:
    return None if text == "?" else text


def _request(text: str) -> Expected:
    method, target, version = (unescape(word) for word in text.split(" "))
    plain = target.startswith("/") and not set(target) & set("%#;\\") and target.isascii()
    path, _, query = target.partition("?")
    keep_alive = version != "HTTP/1.0"
    return Expected(method, target, version, path if plain else None, query if plain else None, keep_alive=keep_alive)


def _refine(request: Expected, text: str) -> Expected:
    """Adds one indented line below a request: a field, or @fact value."""
    if not text.startswith("@"):
        name, value = (unescape(part) for part in _pair(text, ":"))
        known = () if request.fields is DEFAULT_FIELDS or request.fields is None else request.fields
        return replace(request, fields=(*known, (name, value.removeprefix(" "))))
    fact, _, value = text[1:].partition(" ")
    value = unescape(value)
    if fact == "path":
        return replace(request, path=value)
    if fact == "query":
        return replace(request, query=value)
    if fact == "scheme":
        return replace(request, scheme=value)
    if fact == "script-name":
        return replace(request, script_name=_open(value))
    if fact == "upgrade":
        return replace(request, upgrade=_open(value))
    if fact == "client":
        return replace(request, client=value)
    if fact == "body":
        return replace(request, body=value.encode("latin-1"))
    if fact == "keep-alive":
        return replace(request, keep_alive={"yes": True, "no": False}[value])
    if fact == "expect":
        return replace(request, expect_continue={"yes": True, "no": False, "?": None}[value])
    return _refine_lists(request, fact, value)


def _refine_lists(request: Expected, fact: str, value: str) -> Expected:
    if fact == "fields":
        count = None if value in ("?", "none") else int(value)
        return replace(request, fields=() if value == "none" else None, field_count=count)
    if fact == "trailers" and value == "?":
        return replace(request, trailers=None)
    if fact == "trailer":
        return replace(request, trailers=(*(request.trailers or ()), _pair(value, ": ")))
    if fact == "variable":
        name, wanted = _pair(value, "=")
        return replace(request, variables={**request.variables, name: wanted})
    if fact == "no-variable":
        return replace(request, variables={**request.variables, value: None})
    raise ValueError(f"unknown fact @{fact}")


def read_group(path: Path) -> Iterator[Record]:
    """The records of one file. Raises CorpusError."""
    draft: _Draft | None = None
    place = path.name
    try:
        for number, raw in enumerate(path.read_text("ascii").split("\n"), 1):
            place = f"{path.name}:{number}"
            line = raw if raw.startswith((">", "<")) else raw.rstrip()
            if line != line.rstrip(" "):
                raise ValueError("a blank at the end of a line cannot be seen: write \\s")
            if not line or line.startswith("# "):
                continue
            if line.startswith("== "):
                if draft is not None:
                    yield draft.finish()
                if not _NAME.match(line[3:]):
                    raise ValueError(f"bad name {line[3:]!r}")
                draft = _Draft(line[3:], path.stem)
            elif draft is None:
                raise ValueError("text before the first record")
            else:
                draft.line(line)
        if draft is not None:
            yield draft.finish()
    except (ValueError, KeyError, IndexError) as error:
        raise CorpusError(f"{place}: {error}") from error


@cache
def load() -> tuple[Record, ...]:
    """Every record of the corpus, in the order of file names; names are unique."""
    records = [record for path in sorted(FOLDER.glob("*.http")) for record in read_group(path)]
    twice = {record.name for record in records if [other.name for other in records].count(record.name) > 1}
    if twice:
        raise CorpusError(f"names used twice: {sorted(twice)}")
    return tuple(records)


# Cutting


def whole(data: bytes) -> list[bytes]:
    return [data]


def bytewise(data: bytes, edge: int = 2048, block: int = 1021) -> list[bytes]:
    """One byte a piece; of long streams only the first and last `edge` bytes, the middle in blocks."""
    if len(data) <= 2 * edge:
        return [data[i : i + 1] for i in range(len(data))]
    middle = data[edge:-edge]
    blocks = [middle[i : i + block] for i in range(0, len(middle), block)]
    return [*bytewise(data[:edge]), *blocks, *bytewise(data[-edge:])]


def shuffled(data: bytes, seed: int) -> list[bytes]:
    """Pieces of random size; the same for the same seed."""
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(1, min(40, len(data)))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def cuttings(data: bytes, seeds: int = 4) -> Iterator[tuple[str, list[bytes]]]:
    """Named ways to cut a stream into pieces."""
    yield "whole", whole(data)
    yield "byte by byte", bytewise(data)
    for seed in range(seeds):
        yield f"random split {seed}", shuffled(data, seed)


# Judging


def cgi_variables(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """What RFC 3875 4.1.18 makes of fields: repeats joined by "," in order, Cookie by "; "."""
    made: dict[str, str] = {}
    for name, value in fields:
        if name in SPECIAL_NAMES:
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        separator = "; " if key == "HTTP_COOKIE" else ","
        made[key] = made[key] + separator + value if key in made else value
    return made


def _request_differences(wanted: Expected, seen: Seen) -> Iterator[str]:
    for name in ("method", "target", "version", "path", "query", "body", "scheme", "script_name", "keep_alive"):
        yield from _compare(name, getattr(wanted, name), getattr(seen, name))
    for name in ("upgrade", "expect_continue", "trailers", "fields"):
        if getattr(seen, name) is not None:
            yield from _compare(name, getattr(wanted, name), getattr(seen, name))
    if wanted.client is not None and seen.client is not None:
        named = wanted.client in (seen.client, seen.client.rpartition(":")[0])
        yield from _compare("client", wanted.client, wanted.client if named else seen.client)
    if wanted.field_count is not None and seen.fields is not None:
        yield from _compare("number of fields", wanted.field_count, len(seen.fields))
    variables = {} if wanted.fields is None else dict[str, str | None](cgi_variables(wanted.fields))
    for name, value in {**variables, **wanted.variables}.items():
        found = seen.variables.get(name)
        if found != value:
            yield f"variable {name}: expected {_short(value)}, saw {_short(found)}"
    if wanted.fields is not None:
        known = {*variables, *wanted.variables, "HTTP_SCRIPT_NAME", "HTTP_PATH_INFO"}
        for name in seen.variables:
            if name not in known and (name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")):
                yield f"variable {name}={_short(seen.variables[name])} comes from nowhere"


def _compare(name: str, wanted: object, seen: object) -> Iterator[str]:
    if wanted is not None and wanted != seen:
        yield f"{name}: expected {_short(wanted)}, saw {_short(seen)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]} ... ({len(text)} characters)"


def differences(record: Record, verdict: Verdict) -> list[str]:
    """What is wrong with a verdict; an empty list when it is what the record expects."""
    if not verdict.requests and verdict.ending == "rejected" and verdict.status in record.alternatives:
        return []
    found: list[str] = []
    if len(verdict.requests) != len(record.requests):
        found.append(f"expected {len(record.requests)} request(s), saw {len(verdict.requests)}")
    for index, (wanted, seen) in enumerate(zip(record.requests, verdict.requests, strict=False)):
        found += [f"request {index}: {line}" for line in _request_differences(wanted, seen)]
    if verdict.ending != record.ending:
        found.append(f"expected the end {record.ending!r}, saw {verdict.ending!r} {verdict.status} {verdict.detail}")
    elif verdict.ending == "rejected" and verdict.status not in record.statuses:
        found.append(f"expected status {sorted(record.statuses)}, saw {verdict.status} {verdict.detail}")
    return found
