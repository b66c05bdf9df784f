from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.log.escape import UNSAFE, escape


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("", ""),
        ("plain text ~", "plain text ~"),
        ('a"b', 'a\\"b'),
        ("a\\b", "a\\\\b"),
        ("a\r\nb\tc\0", "a\\x0d\\x0ab\\x09c\\x00"),
        ("\x1b[31m\x7f", "\\x1b[31m\\x7f"),
        ("caf\xc3\xa9\xff", "caf\\xc3\\xa9\\xff"),
        ("\u2028", "\\u2028"),
        ("\U0001f600", "\\U0001f600"),
        ("\udc80", "\\udc80"),
        (7, "7"),
    ],
)
def test_spelling(text: object, safe: str) -> None:
    assert escape(text) == safe


@given(st.text())
def test_nothing_unsafe_is_left_and_nothing_is_lost(text: str) -> None:
    safe = escape(text)
    assert safe.isascii()
    assert safe.isprintable()
    assert '"' not in safe.replace("\\\\", "").replace('\\"', "")
    assert safe.encode().decode("unicode_escape") == text


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\')))
def test_safe_text_stays(text: str) -> None:
    assert UNSAFE.search(text) is None
    assert escape(text) == text
