"""Kinds of values: what text or object is allowed where, and the sentence that says why not.

Each `Kind` parses what a file, a variable or a flag gave into the type that readers expect. Knows no
setting by name and touches nothing but the user database (for `user` and `group`).
"""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from gunicorn.net.address import parse_bind


class Refusal(ValueError):
    """A value is not of its kind. The text completes "NAME: …"; `hint` is what to write instead."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(text)


class Kind(NamedTuple):
    """A kind of value. `label` names it in documents, `schema` is its JSON Schema."""

    label: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any] = types.MappingProxyType({})
    split: bool = False
    """In an environment variable, commas separate the items (or the text is a JSON array)."""
    mapping: bool = False
    """In an environment variable, the text is a JSON object."""
    empty: bool = False
    """An empty variable is a value of its own, not the absence of one."""


def closest(word: str, known: Iterable[str]) -> str:
    """The known name that a misspelt `word` is closest to, or ""; case, "-" and "_" do not count."""
    by_folded = {name.casefold().replace("-", "_"): name for name in known}
    import difflib

    close = difflib.get_close_matches(word.casefold().replace("-", "_"), by_folded, n=1, cutoff=0.7)
    return by_folded[close[0]] if close else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint "did you mean …" for a misspelt `word`, or "" where nothing is close."""
    name = closest(word, known)
    return f"did you mean {name!r}?" if name else ""


def shown(value: Any) -> str:
    """A value for a message: its repr, cut where it is long; a function by its name."""
    text = f"function {value.__qualname__}" if isinstance(value, types.FunctionType) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if not isinstance(value, str):
        raise Refusal(f"{shown(value)} is not a string")
    return value.strip()


def text_or(absent: str) -> Kind:
    """A string; None, as `os.environ.get` answers, means `absent`."""

    def parse(value: Any) -> str:
        found = _text(value)
        return absent if found is None else found

    return Kind("str", parse, {"type": "string"})


def _integer(value: Any, allowed: str) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text) if text.lstrip("+-").isdecimal() else int(text, 0)
        except ValueError:
            pass
    raise Refusal(f"{shown(value)} is not {allowed}")


def whole(minimum: int = 0, maximum: int | None = None, label: str = "int >= 0") -> Kind:
    """Whole numbers between two bounds, both allowed; text may be decimal, 0x…, 0o… or 0b…."""
    allowed = f"a whole number from {minimum} to {maximum}" if maximum is not None else f"a whole number >= {minimum}"
    schema: dict[str, Any] = {"type": "integer", "minimum": minimum}
    if maximum is not None:
        schema["maximum"] = maximum

    def parse(value: Any) -> int:
        number = _integer(value, allowed)
        if number < minimum or (maximum is not None and number > maximum):
            raise Refusal(f"{number} is not {allowed}")
        return number

    return Kind(label, parse, schema)


def _seconds(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float)) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    # NaN fails the comparison too.
    if not 0 <= number < float("inf"):
        raise Refusal(f"{shown(value)} is not a number of seconds >= 0")
    return number


_LONGEST_NUMBER = 18
"""Digits of the largest size or id that is read; int() itself gives up at some thousands."""

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size(value: Any) -> int:
    allowed = "a number of bytes >= 0, like 1048576, 64K, 10M or 1G"
    if isinstance(value, str):
        text = value.strip().lower().removesuffix("ib").removesuffix("b")
        digits = text.rstrip("kmg")
        unit = text[len(digits) :]
        if not digits.isdecimal() or len(digits) > _LONGEST_NUMBER or unit not in _UNITS:
            raise Refusal(f"{shown(value)} is not {allowed}")
        return int(digits) * _UNITS[unit]
    number = _integer(value, allowed)
    if number < 0:
        raise Refusal(f"{number} is not {allowed}")
    return number


def _mode(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip()
        # "022" is octal to everybody who writes a umask, whatever Python's int() thinks of it.
        octal = len(text) > 1 and text.startswith("0") and text.isdecimal()
        try:
            value = int(text, 8 if octal else 0)
        except ValueError:
            raise Refusal(f"{shown(value)} is not a file mode, like 0o022 or 022") from None
    number = _integer(value, "a file mode, like 0o022 or 022")
    if not 0 <= number <= 0o7777:
        raise Refusal(f"{number} is not a file mode from 0 to 0o7777")
    return number


_SWITCH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _boolean(value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in _SWITCH:
        return _SWITCH[value.strip().lower()]
    raise Refusal(f"{shown(value)} is not true or false (1, 0, yes, no, on, off)")


def _optional_boolean(value: Any) -> bool | None:
    return None if value is None else _boolean(value)


def _items(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, (str, os.PathLike)):
        value = [value]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise Refusal(f"{shown(value)} is not a list of strings")
    found = [_text(item) for item in value]
    return [item for item in found if item]


def _comma_items(value: Any) -> list[str]:
    return [part.strip() for item in _items(value) for part in item.split(",") if part.strip()]


def _addresses(value: Any) -> list[str]:
    found = _comma_items(value)
    if not found:
        raise Refusal("no address to listen on; write HOST:PORT, unix:PATH or fd://N")
    for text in found:
        try:
            parse_bind(text)
        except ValueError as error:
            raise Refusal(str(error)) from None
    return found


def _assignments(value: Any) -> list[str]:
    found = _items(value)
    for text in found:
        if not text.partition("=")[1] or text.startswith("="):
            raise Refusal(f"{shown(text)} is not of the form NAME=VALUE")
    return found


def _networks(value: Any) -> str:
    found = _comma_items(value)
    for text in found:
        if text == "*":
            continue
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            advice = ""
            if "host bits" in str(error):
                advice = f"write {ipaddress.ip_network(text, strict=False)} for the network"
            raise Refusal(f"{shown(text)} is neither an IP address, nor a network, nor '*'", advice) from None
    return ",".join(found)


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError as error:
            raise Refusal(f"{shown(value)} is not a JSON object: {error}") from None
    if not isinstance(value, Mapping):
        raise Refusal(f"{shown(value)} is not a dict")
    return dict(value)


def _strings_mapping(value: Any) -> dict[str, str]:
    found = _mapping(value)
    for name, text in found.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise Refusal(f"{shown({name: text})} does not map a string to a string")
    return found


def one_of(*words: str, label: str, synonyms: Mapping[Any, str] | None = None) -> Kind:
    """One of some words, written in any case; `synonyms` maps other spellings (or objects) to them."""
    spellings: dict[Any, str] = {word: word for word in words} | dict(synonyms or {})

    def parse(value: Any) -> str:
        word = value.strip().lower() if isinstance(value, str) else value
        if isinstance(word, (str, bool)) and word in spellings:
            return spellings[word]
        hint = nearest(word, words) if isinstance(word, str) else ""
        raise Refusal(f"{shown(value)} is not one of {', '.join(words)}", hint)

    return Kind(label, parse, {"enum": list(words)})


def comma_list_of(*words: str, label: str, reserved: Mapping[str, str]) -> Kind:
    """A non-empty list of distinct words in order; `reserved` words are refused with their reason."""

    def parse(value: Any) -> list[str]:
        found = [word.lower() for word in _comma_items(value)]
        for word in found:
            if word in reserved:
                raise Refusal(f"{word!r} {reserved[word]}")
            if word not in words:
                raise Refusal(f"{word!r} is not one of {', '.join(words)}", nearest(word, words))
        if not found or len(set(found)) != len(found):
            raise Refusal(f"{shown(value)} must name at least one of {', '.join(words)}, each once")
        return found

    return Kind(label, parse, {"type": "array", "items": {"enum": list(words)}}, split=True)


def _class(value: Any) -> Any:
    if isinstance(value, type):
        return value
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise Refusal(f"{shown(value)} is neither a class nor the dotted path of one")


def named_class(*names: str) -> Kind:
    """A class, the dotted path of one, "egg:DIST#NAME", or one of the short `names`."""

    def parse(value: Any) -> Any:
        found = _class(value)
        if isinstance(found, type) or "." in found or ":" in found or found in names:
            return found
        raise Refusal(f"{found!r} is not one of {', '.join(names)}, nor a dotted path", nearest(found, names))

    return Kind("class or dotted path", parse, {"type": "string"})


_ID_END = 2**32 - 1
"""The first number that is no user or group; the kernel reads it as "leave it"."""


def _user(value: Any) -> int:
    if value is None or value == "":
        return os.geteuid()
    return _account(value, "user", lambda name: pwd.getpwnam(name).pw_uid)


def _group(value: Any) -> int:
    if value is None or value == "":
        return os.getegid()
    return _account(value, "group", lambda name: grp.getgrnam(name).gr_gid)


def _account(value: Any, what: str, look_up: Callable[[str], int]) -> int:
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isdecimal() and len(text) <= _LONGEST_NUMBER:
        text = int(text)
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < _ID_END:
        return text
    if not isinstance(text, str):
        raise Refusal(f"{shown(value)} is not the name or number of a {what}")
    try:
        return look_up(text)
    except (KeyError, ValueError):
        raise Refusal(f"there is no {what} {text!r} on this system") from None


def _statsd(value: Any) -> tuple[str, int] | str | None:
    text = _text(value) if not isinstance(value, tuple) else ":".join(map(str, value))
    if not text:
        return None
    if text.startswith("/"):
        return text
    if text.lower().startswith("unix:"):
        path = text[5:].removeprefix("//")
        if path:
            return os.path.abspath(path)
    else:
        host, _, port = text.rpartition(":")
        if host and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536:
            return host.removeprefix("[").removesuffix("]"), int(port)
    raise Refusal(f"{shown(value)} is neither HOST:PORT nor unix:PATH")


# The numbers of the ssl module's PROTOCOL_… constants, written out: importing ssl costs milliseconds.
_TLS_VERSIONS = {"sslv23": 2, "tls": 2, "tlsv1": 3, "tlsv1_1": 4, "tlsv1_2": 5, "tls_server": 17}


def _ssl_version(value: Any) -> int:
    if isinstance(value, str):
        word = value.strip().lower().removeprefix("protocol_")
        if word in _TLS_VERSIONS:
            return _TLS_VERSIONS[word]
    number = _integer(value, "a TLS version: TLS, TLSv1_2 or TLS_SERVER")
    if number not in _TLS_VERSIONS.values():
        raise Refusal(f"{number} is not one of the PROTOCOL_ constants of the ssl module that servers may use")
    return number


_STRING = {"type": ["string", "null"]}
_NUMBER_OR_TEXT = {"type": ["integer", "string"]}
_STRINGS = {"type": ["array", "string"], "items": {"type": "string"}}

TEXT = Kind("str", _text, _STRING)
"""A string, or None."""
COUNT = whole()
MODE = Kind("int >= 0", _mode, _NUMBER_OR_TEXT)
SECONDS = Kind("seconds >= 0", _seconds, {"type": "number", "minimum": 0})
SIZE = Kind("bytes >= 0", _size, _NUMBER_OR_TEXT)
BOOLEAN = Kind("bool", _boolean, {"type": "boolean"})
OPTIONAL_BOOLEAN = Kind("bool", _optional_boolean, {"type": ["boolean", "null"]})
STRINGS = Kind("list[str]", _items, _STRINGS, split=True)
COMMA_STRINGS = Kind("list, comma separated", _comma_items, _STRINGS, split=True)
FILES = Kind("list of files or patterns", _items, _STRINGS, split=True)
ADDRESSES = Kind("list[str]", _addresses, _STRINGS, split=True)
ASSIGNMENTS = Kind("list[str]", _assignments, _STRINGS, split=True)
NETWORKS = Kind("addresses or networks, comma separated", _networks, _STRINGS, empty=True)
MAPPING = Kind("dict", _mapping, {"type": "object"}, mapping=True)
STRING_MAPPING = Kind(
    "dict", _strings_mapping, {"type": "object", "additionalProperties": {"type": "string"}}, mapping=True
)
CLASS = Kind("class or dotted path", _class, {"type": "string"})
USER = Kind("user", _user, _NUMBER_OR_TEXT)
GROUP = Kind("group", _group, _NUMBER_OR_TEXT)
STATSD = Kind("statsd address", _statsd, _STRING)
SSL_VERSION = Kind("ssl version", _ssl_version, _NUMBER_OR_TEXT)
