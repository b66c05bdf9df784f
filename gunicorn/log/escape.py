"""How text that a client chose is made harmless in a line of text: it can neither end nor forge one.

Everything outside printable ASCII becomes \\xNN (\\uNNNN beyond latin-1); quotes and backslashes get a
backslash, so that what was written can be told from what was escaped.
"""

from __future__ import annotations

import re

UNSAFE = re.compile(r"[^ !#-\[\]-~]")
"""One character that may not stand in a quoted value as it is."""


def escape(text: object) -> str:
    """`text` with every character that matches UNSAFE spelled out."""
    return UNSAFE.sub(_spell, str(text))


def _spell(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return "\\" + char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
