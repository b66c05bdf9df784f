"""How much may travel: bounds that both sides of the wire keep, checked before memory is spent."""

from __future__ import annotations

MAX_PAYLOAD = 64 * 1024 * 1024
"""Bytes of one frame without its header."""

MAX_ITEMS = 1024 * 1024
"""Items of one list, entries of one dict."""

MAX_DEPTH = 128
"""Containers within containers, those of the message included: an action's argument has two around it."""

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
"""An int has 64 bits."""
