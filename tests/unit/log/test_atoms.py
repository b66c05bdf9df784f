from __future__ import annotations

import base64
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.log.atoms import ATOMS, NAMED, compile_format, evaluate, response_field, user_of
from gunicorn.protocol.trust import Peer
from tests.support.entries import FinishedExchange, request

DEFAULT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


def basic(credentials: bytes) -> str:
    return "Basic " + base64.b64encode(credentials).decode()


@pytest.mark.parametrize(
    ("atom", "text"),
    [
        ("h", "192.0.2.7"),
        ("l", "-"),
        ("u", "-"),
        ("m", "GET"),
        ("r", "GET /a?b=1 HTTP/1.1"),
        ("U", "/a"),
        ("q", "b=1"),
        ("H", "HTTP/1.1"),
        ("s", "200"),
        ("B", "12"),
        ("b", "12"),
        ("f", "-"),
        ("a", "-"),
        ("T", "1"),
        ("M", "1234"),
        ("D", "1234567"),
        ("L", "1.234567"),
        ("Q", "2"),
        ("p", f"<{os.getpid()}>"),
        ("zz", "-"),
        ("{x}z", "-"),
        ("{Content-Type}o", "text/plain"),
        ("{content-type}o", "text/plain"),
        ("{nope}o", "-"),
        ("{nope}i", "-"),
        ("{REMOTE_ADDR}e", "192.0.2.7"),
        ("{nope}e", "-"),
    ],
)
def test_values(atom: str, text: str) -> None:
    assert compile_format(f"%({atom})s")(FinishedExchange()) == text


def test_every_atom_has_a_value_by_itself() -> None:
    entry = FinishedExchange()
    for name in ATOMS:
        value = evaluate(name, entry)
        assert compile_format(f"%({name})s")(entry) == str(value)
    assert evaluate("{Content-Type}o", entry) == "text/plain"


def test_the_default_format() -> None:
    entry = FinishedExchange(
        request=request(HTTP_REFERER="http://x/", HTTP_USER_AGENT="curl/8", HTTP_AUTHORIZATION=basic(b"ann:secret"))
    )
    line = compile_format(DEFAULT)(entry)
    stamp = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    assert re.fullmatch(rf'192\.0\.2\.7 - ann {stamp} "GET /a\?b=1 HTTP/1\.1" 200 12 "http://x/" "curl/8"', line), line


def test_the_time_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1769860800.9]
    monkeypatch.setattr("gunicorn.log.atoms._SCOPE", {**compile_format.__globals__["_SCOPE"], "time": lambda: now[0]})
    line = compile_format("%(t)s")
    first = line(FinishedExchange())
    now[0] += 1
    second = line(FinishedExchange())
    assert ":00 " in first
    assert ":01 " in second


def test_request_fields_ignore_case_and_find_content_type() -> None:
    entry = FinishedExchange(request=request(HTTP_X_FOO="1", CONTENT_TYPE="text/css", CONTENT_LENGTH="3"))
    line = compile_format("%({X-Foo}i)s %({x-foo}i)s %({CONTENT-TYPE}i)s %({Content-Length}i)s")
    assert line(entry) == "1 1 text/css 3"


def test_strftime_atom() -> None:
    assert compile_format("%({%Y}t)s")(FinishedExchange()) == time.strftime("%Y")


def test_conversions_widths_and_percent_signs() -> None:
    line = compile_format("%(s)5s|%(m)-5s|%(D)d|%(D)010d|%(B)ld|100%%|%(T).2f|%(m)r")
    assert line(FinishedExchange()) == "  200|GET  |1234567|0001234567|12|100%|1.00|'GET'"


def test_a_format_without_atoms_is_a_constant() -> None:
    assert compile_format("hello ünïcode 'quoted' \"too\" {braces}")(FinishedExchange()) == (
        "hello ünïcode 'quoted' \"too\" {braces}"
    )
    assert compile_format("")(FinishedExchange()) == ""


@pytest.mark.parametrize("fmt", ["%s", "%(h", "%(h)", "%", "100% of it", "%(h)y", "%(m)d", "%(h)*s"])
def test_what_cannot_be_printed_is_refused_at_once(fmt: str) -> None:
    with pytest.raises(ValueError, match=r"%|printed"):
        compile_format(fmt)


def test_names_in_a_format_are_data_not_code() -> None:
    name = "x' + __import__('os').getcwd() + '"
    name = name.replace("(", "[").replace(")", "]")
    entry = FinishedExchange(environ={name: "found"})
    assert compile_format(f"%({{{name}}}e)s")(entry) == "found"
    assert compile_format("%({a\\\"'\n}i)s")(entry) == "-"


def test_nothing_answered() -> None:
    entry = FinishedExchange(status="", sent=0)
    assert compile_format("%(s)s %(b)s %(B)s")(entry) == "- - 0"


def test_an_empty_body_is_counted_as_zero() -> None:
    assert compile_format("%(b)s %(B)s")(FinishedExchange(sent=0)) == "0 0"


def test_the_client_may_be_renamed_by_middleware_and_may_be_nameless() -> None:
    line = compile_format("%(h)s")
    assert line(FinishedExchange(environ={"REMOTE_ADDR": "203.0.113.9"})) == "203.0.113.9"
    assert line(FinishedExchange(environ={})) == "192.0.2.7"
    assert line(FinishedExchange(environ={"REMOTE_ADDR": ""}, peer=Peer(unix=True))) == "-"


@pytest.mark.parametrize(
    ("field", "user"),
    [
        (basic(b"ann:pw"), "ann"),
        (basic(b"ann"), "ann"),
        (basic(b":pw"), "-"),
        (basic("é:pw".encode()), "\xc3\xa9"),
        (basic(b"\xff:pw"), "\xff"),
        ("basic " + base64.b64encode(b"x:y").decode(), "x"),
        ("Basic not base64!", "-"),
        ("Basic", "-"),
        ("Bearer abc", "-"),
        ("", "-"),
    ],
)
def test_user(field: str, user: str) -> None:
    assert user_of(field) == user


def test_response_field_is_the_first_of_its_name() -> None:
    assert response_field([("A", "1"), ("X-B", "2"), ("x-b", "3")], "x-b") == "2"


@pytest.mark.parametrize("value", ['" 200 0 "-" "-"\n127.0.0.1 - -', "\r", "\x00", "\x1b]0;x\x07", "\x85", "tab\t"])
def test_a_client_cannot_forge_or_end_a_line(value: str) -> None:
    entry = FinishedExchange(
        request=request(target=f"/{value}", method=value, HTTP_USER_AGENT=value, HTTP_REFERER=value),
        environ={"REMOTE_ADDR": value},
        fields=[("X", value)],
    )
    plain = compile_format(DEFAULT + " %({X}o)s %({REMOTE_ADDR}e)s %(U)s %(m)s")(FinishedExchange())
    line = compile_format(DEFAULT + " %({X}o)s %({REMOTE_ADDR}e)s %(U)s %(m)s")(entry)
    assert line.isascii()
    assert line.isprintable()
    assert len(re.findall(r'(?<!\\)"', line)) == len(re.findall(r'(?<!\\)"', plain)) == 6


@given(st.text(), st.text(), st.text())
def test_any_text_makes_one_printable_line(target: str, agent: str, user: str) -> None:
    entry = FinishedExchange(
        request=request(
            target=target, HTTP_USER_AGENT=agent, HTTP_AUTHORIZATION=basic(user.encode("utf-8", "surrogatepass"))
        )
    )
    line = compile_format(DEFAULT)(entry)
    assert line.isascii()
    assert line.isprintable()


def test_the_page_has_a_row_for_every_atom() -> None:
    page = (Path(__file__).parents[3] / "docs" / "logging.md").read_text(encoding="utf-8")
    for name, atom in ATOMS.items():
        assert f"| `%({name})s` | {atom.doc} |\n" in page
    for family, doc in NAMED.items():
        assert f"| `%({{NAME}}{family})s` | {doc} |\n" in page
