"""Lexical rules: what is a token, a method, a host; and that every pattern is linear."""

from __future__ import annotations

import pytest

from gunicorn.protocol import grammar


@pytest.mark.parametrize("text", ["a", "X-Y", "!#$%&'*+-.^_`|~0"])
def test_tokens(text):
    assert grammar.TOKEN.fullmatch(text)


@pytest.mark.parametrize("text", ["", "a b", "a:", "a\t", "(", "ä", "a\n", '"', "a/b", "[x]", "{", "@", "\x7f"])
def test_no_tokens(text):
    assert not grammar.TOKEN.fullmatch(text)


@pytest.mark.parametrize("text", ["GET", "M-SEARCH", "VERSION-CONTROL", "A" * 20])
def test_methods(text):
    assert grammar.METHOD.fullmatch(text)


@pytest.mark.parametrize("text", ["GE", "A" * 21, "get", "GET#", "G T", ""])
def test_no_methods(text):
    assert not grammar.METHOD.fullmatch(text)


HOSTS = ["", "a", "a.b:80", "127.0.0.1", "[::1]", "[::1]:8080", "[v1.a:b]", "a%20b", "a_b", "a:", "[::ffff:1.2.3.4]:1"]


@pytest.mark.parametrize("text", HOSTS)
def test_hosts(text):
    assert grammar.is_host(text)


NO_HOSTS = [
    ":80",
    "a b",
    "a,b",
    "a/b",
    "a@b",
    "[::1",
    "::1",
    "[a]",
    "[]",
    "a:b",
    "a:123456",
    "é",
    "a%2",
    "[::1]x",
    "[::1%25eth0]",
]


@pytest.mark.parametrize("text", NO_HOSTS)
def test_no_hosts(text):
    assert not grammar.is_host(text)


def test_control_characters_are_all_but_tab():
    assert len(grammar.CTL) == 32
    assert b"\t" not in grammar.CTL
    assert {0, 10, 13, 127} <= set(grammar.CTL)


def test_quoted_is_printable_and_bounded():
    text = grammar.quoted("a\r\nb\x00é" + "x" * 1000)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 120


@pytest.mark.parametrize("pattern", [grammar.TOKEN, grammar.HOST, grammar.TARGET, grammar.FIELD_VALUE], ids=str)
@pytest.mark.parametrize("unit", ["a", "%", "[", ":", "%4"])
def test_patterns_end_on_hostile_input(pattern, unit):
    # A pattern that is not linear would not come back within the suite's time limit.
    pattern.fullmatch(unit * 200_000 + "\x00")
