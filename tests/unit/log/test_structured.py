from __future__ import annotations

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.log.structured import JsonFormatter, access_record, encode, encode_any, trace_context, wire_text
from gunicorn.protocol.trust import Peer
from tests.support.entries import FinishedExchange, request


def test_an_access_line_has_the_names_of_opentelemetry() -> None:
    entry = FinishedExchange(
        request=request(
            "/a%20b?x=1",
            path="/a b",
            HTTP_USER_AGENT="curl/8",
            HTTP_HOST="example.org:8443",
            HTTP_TRACEPARENT="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
    )
    record = access_record(entry)
    stamp, pid = record.pop("timestamp"), record.pop("process.pid")
    assert stamp.endswith("Z")
    assert isinstance(pid, int)
    assert record == {
        "severity_text": "INFO",
        "otel.scope.name": "gunicorn.access",
        "body": "GET /a%20b?x=1 HTTP/1.1",
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": "/a%20b",
        "url.query": "x=1",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.response.body.size": 12,
        "http.server.request.duration": 1.23456789,
        "client.address": "192.0.2.7",
        "client.port": 40000,
        "server.address": "example.org",
        "server.port": 8443,
        "user_agent.original": "curl/8",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "trace_flags": "01",
    }


def test_what_is_unknown_is_left_out() -> None:
    record = access_record(FinishedExchange(request=request("/"), peer=Peer(unix=True), environ={}, status=""))
    absent = {"http.response.status_code", "client.address", "client.port", "server.address", "url.query", "error.type"}
    assert not absent & record.keys()


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("example.org", "example.org", None),
        ("example.org:80", "example.org", 80),
        ("[::1]:8000", "[::1]", 8000),
        ("[::1]", "[::1]", None),
        ("a:99999999999", "a:99999999999", None),
    ],
)
def test_server_address(host: str, address: str, port: int | None) -> None:
    record = access_record(FinishedExchange(request=request(HTTP_HOST=host)))
    assert (record["server.address"], record.get("server.port")) == (address, port)


@pytest.mark.parametrize(
    ("status", "failure", "kind"),
    [("500 Oops", None, "500"), ("200 OK", TimeoutError("late"), "TimeoutError"), ("404 Not Found", None, None)],
)
def test_error_type(status: str, failure: BaseException | None, kind: str | None) -> None:
    assert access_record(FinishedExchange(status=status, failure=failure)).get("error.type") == kind


@pytest.mark.parametrize(
    "field", ["", "junk", "00-" + "g" * 32 + "-" + "0" * 16 + "-01", "00-" + "a" * 32 + "-" + "b" * 16 + "-1\n"]
)
def test_a_malformed_traceparent_is_ignored(field: str) -> None:
    assert trace_context(field) == {}


def test_wire_text_is_utf_8_where_it_can_be() -> None:
    assert wire_text("plain") == "plain"
    assert wire_text("café".encode().decode("latin-1")) == "café"
    assert wire_text("caf\xe9") == "caf\xe9"
    assert wire_text("\u20ac\udc80") == "\u20ac\ufffd"


@given(st.binary(), st.binary(), st.binary())
def test_whatever_bytes_a_client_sends_the_line_parses(agent: bytes, target: bytes, host: bytes) -> None:
    entry = FinishedExchange(
        request=request(
            target.decode("latin-1"),
            method=agent.decode("latin-1"),
            HTTP_USER_AGENT=agent.decode("latin-1"),
            HTTP_HOST=host.decode("latin-1"),
            HTTP_TRACEPARENT=agent.decode("latin-1"),
        )
    )
    line = encode(access_record(entry))
    assert line.isascii()
    assert line.isprintable()
    parsed = json.loads(line)
    if agent:
        try:
            assert parsed["user_agent.original"] == agent.decode()
        except UnicodeDecodeError:
            assert parsed["user_agent.original"] == agent.decode("latin-1")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def format_record(message: str, *args: object, **members: object) -> dict[str, object]:
    record = logging.LogRecord("gunicorn.error", logging.WARNING, "", 0, message, args, None)
    record.__dict__.update(members)
    line = JsonFormatter().format(record)
    assert line.isprintable()
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_an_error_record() -> None:
    parsed = format_record('two\nlines and "%s"', "quotes", rule="duplicate-host")
    assert parsed["body"] == 'two\nlines and "quotes"'
    assert parsed["severity_text"] == "WARN"
    assert parsed["otel.scope.name"] == "gunicorn.error"
    assert parsed["rule"] == "duplicate-host"
    assert {"timestamp", "process.pid"} <= parsed.keys()
    assert "msg" not in parsed


def test_an_exception_is_three_attributes_of_one_line() -> None:
    try:
        raise ValueError("bad\nvalue \udc80")
    except ValueError:
        parsed = format_record("failed", exc_info=sys.exc_info())
    assert parsed["exception.type"] == "ValueError"
    assert parsed["exception.message"] == "bad\nvalue \ufffd"
    stack = parsed["exception.stacktrace"]
    assert isinstance(stack, str)
    assert "Traceback" in stack
    assert "test_structured" in stack


def test_no_exception_in_flight() -> None:
    assert "exception.type" not in format_record("x", exc_info=(None, None, None))


def test_values_json_does_not_know_are_shown_as_text() -> None:
    loop: list[object] = []
    loop.append(loop)
    parsed = format_record(
        "x",
        a={
            1,
        },
        b=float("nan"),
        c=Unprintable(),
        d=loop,
        e=2.5,
        f=None,
        g="\ud800",
        h=b"\xff",
        i=float("inf"),
    )
    assert parsed["a"] == "{1}"
    assert (parsed["b"], parsed["i"]) == ("nan", "inf")
    assert parsed["c"] == "<Unprintable: RuntimeError>"
    assert (parsed["e"], parsed["f"], parsed["h"]) == (2.5, None, "b'\\xff'")
    assert "\ud800" not in str(parsed["g"])


def test_lone_surrogates_never_reach_a_reader() -> None:
    assert "\\ud800" not in encode_any({"x": "\ud800"})
    assert "\\udcff" not in JsonFormatter().format(logging.makeLogRecord({"msg": "\udcff", "y": "\udcff"}))


def test_a_prefix_stands_before_the_object() -> None:
    assert JsonFormatter("p: ").format(logging.makeLogRecord({"msg": "x"})).startswith('p: {"timestamp"')
