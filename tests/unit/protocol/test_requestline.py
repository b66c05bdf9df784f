"""Request lines in RFC 9112 section 3 order: method, target in four forms, version; and hosts."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.requestline import Hosts, RequestLines, decode_path, split_target


def lines(**options) -> RequestLines:
    return RequestLines(
        **{"unconventional_method": False, "unconventional_version": False, "casefold_method": False, **options}
    )


def refusal(call, *args) -> tuple[int, str]:
    with pytest.raises(ProtocolError) as caught:
        call(*args)
    return caught.value.status, caught.value.rule


def test_origin_form():
    assert lines()["GET /a%20b/c?x=%20 HTTP/1.1"] == (
        "GET",
        "/a%20b/c?x=%20",
        "/a%20b/c",
        "/a b/c",
        "x=%20",
        "HTTP/1.1",
        None,
        b"GET /a%20b/c?x=%20",
    )


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("", (400, "request-line")),
        ("GET /", (400, "request-line")),
        ("GET  / HTTP/1.1", (400, "request-line")),
        ("GET / HTTP/1.1 ", (400, "request-line")),
        ("GET\t/\tHTTP/1.1", (400, "request-line")),
        ("get / HTTP/1.1", (400, "method")),
        ("GET / http/1.1", (400, "version-syntax")),
        ("GET / HTTP/1.10", (400, "version-syntax")),
        ("GET / HTTP/1.2", (505, "version")),
        ("GET / HTTP/2.0", (505, "version")),
        ("GET / HTTP/0.9", (505, "version")),
        ("GET /\x00 HTTP/1.1", (400, "target")),
        ("GET /é HTTP/1.1", (400, "target")),
        ("GET /a#b HTTP/1.1", (400, "target")),
        ("GET * HTTP/1.1", (400, "asterisk")),
        ("GET a HTTP/1.1", (400, "target-form")),
        ("GET /%00 HTTP/1.1", (400, "target-nul")),
    ],
)
def test_refusals(line, verdict):
    assert refusal(lines().__getitem__, line) == verdict


def test_leniencies():
    assert lines(unconventional_method=True)["a# / HTTP/1.1"][0] == "a#"
    assert lines(casefold_method=True)["get / HTTP/1.1"][0] == "GET"
    assert lines(unconventional_version=True)["GET / HTTP/1.7"][5] == "HTTP/1.7"
    assert refusal(lines(unconventional_method=True).__getitem__, "a( / HTTP/1.1") == (400, "method")
    assert refusal(lines(unconventional_version=True).__getitem__, "GET / HTTP/2.0") == (505, "version")


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/", ("/", "", None)),
        ("GET", "//a?b?c", ("//a", "b?c", None)),
        ("OPTIONS", "*", ("*", "", None)),
        ("GET", "http://h", ("/", "", "h")),
        ("GET", "HTTPS://h:1/p?q", ("/p", "q", "h:1")),
        ("GET", "http://h?q/r", ("/", "q/r", "h")),
        ("OPTIONS", "http://h", ("*", "", "h")),
        ("OPTIONS", "http://h/", ("/", "", "h")),
        ("CONNECT", "h:80", ("", "", "h:80")),
        ("CONNECT", "[::1]:80", ("", "", "[::1]:80")),
    ],
)
def test_target_forms(method, target, expected):
    assert split_target(method, target) == expected


@pytest.mark.parametrize("target", ["http://", "http:///p", "http://u@h/", "http://:80/", "http://a,b/", "http://[x]/"])
def test_target_authority(target):
    assert refusal(split_target, "GET", target) == (400, "target-authority")


@pytest.mark.parametrize("target", ["/", "h", "h:", ":80", "h:80/p", "http://h:80"])
def test_connect_needs_host_and_port(target):
    assert refusal(split_target, "CONNECT", target) == (400, "authority")


def test_percent_decoding_is_done_once_and_leaves_what_is_no_code():
    assert decode_path("/%2541%zz%e4%") == "/%41%zz\xe4%"


def test_hosts():
    hosts = Hosts()
    assert hosts["example.com:80"]
    assert refusal(hosts.__getitem__, "a b") == (400, "invalid-host")
    assert "a b" not in hosts
