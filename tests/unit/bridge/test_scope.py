"""Scopes of requests of every shape."""

from __future__ import annotations

import pytest

from gunicorn.bridge.scope import (
    HTTP_EXTENSIONS,
    SPEC_VERSION,
    ScopeOptions,
    connection_scope,
    header_pairs,
    http_scope,
    websocket_scope,
)
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Leniency, Stamp
from gunicorn.protocol.machine import Request
from gunicorn.protocol.trust import Peer, TrustPolicy

PEER = Peer("192.0.2.1", "5000")
SERVER = ("192.0.2.2", 80)


def asked(line: str, *fields: str, scheme: str = "http") -> Request:
    """The request whose head this is."""
    policy = HttpPolicy(leniency=Leniency(unconventional_version=True))
    machine = Http1(policy, TrustPolicy(), Stamp(), PEER, scheme)
    (request,) = machine.receive("\r\n".join([line, *fields, "\r\n"]).encode("latin-1"))
    return request


def scope_of(line: str, *fields: str, options=None, peer=PEER, server=SERVER, tls=None, scheme="http", make=http_scope):
    request = asked(line, *(fields or ("Host: t",)), scheme=scheme)
    return make(connection_scope(options or ScopeOptions(), peer, server, tls), request, header_pairs(request))


def test_all_of_it():
    assert scope_of("GET /a?b=c HTTP/1.1", "Host: t", "X-Y: z") == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": SPEC_VERSION},
        "http_version": "1.1",
        "server": ("192.0.2.2", 80),
        "client": ("192.0.2.1", 5000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": b"b=c",
        "headers": [(b"host", b"t"), (b"x-y", b"z")],
        "state": {},
        "extensions": dict(HTTP_EXTENSIONS),
    }


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        ("/", "/", b"/", b""),
        ("/?", "/", b"/", b""),
        ("/%C3%A9", "/é", b"/%C3%A9", b""),
        ("/%c3%a9%20%F0%9F%98%80", "/é \U0001f600", b"/%c3%a9%20%F0%9F%98%80", b""),
        ("/%FF", "/�", b"/%FF", b""),
        ("/%C3", "/�", b"/%C3", b""),
        ("/a%2Fb", "/a/b", b"/a%2Fb", b""),
        ("/a+b?c+d=%20%C3%A9", "/a+b", b"/a+b", b"c+d=%20%C3%A9"),
        ("//a//./../b", "//a//./../b", b"//a//./../b", b""),
        ("/a?b?c", "/a", b"/a", b"b?c"),
        ("/%25%32%30", "/%20", b"/%25%32%30", b""),
        ("http://t/x%20y?z", "/x y", b"/x%20y", b"z"),
        ("http://t", "/", b"/", b""),
        ("http://t?z", "/", b"/", b"z"),
    ],
)
def test_targets(target, path, raw_path, query):
    for _ in range(2):
        scope = scope_of(f"GET {target} HTTP/1.1")
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)


def test_the_target_of_a_whole_server():
    scope = scope_of("OPTIONS * HTTP/1.1")
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("OPTIONS", "*", b"*")


@pytest.mark.parametrize(
    ("version", "said"), [("HTTP/1.1", "1.1"), ("HTTP/1.0", "1.0"), ("HTTP/2.0", "2"), ("HTTP/3.0", "3.0")]
)
def test_versions(version, said):
    request = asked("GET / HTTP/1.1", "Host: t")
    request.version = version
    base = connection_scope(ScopeOptions(), PEER, SERVER, None)
    assert http_scope(base, request, [])["http_version"] == said


@pytest.mark.parametrize(
    ("peer", "server", "client"),
    [
        (Peer("", "", True), ("/run/x.sock", None), None),
        (Peer("2001:db8::1", "5"), ("::", 80), ("2001:db8::1", 5)),
        (Peer("192.0.2.7", ""), SERVER, ("192.0.2.7", 0)),
    ],
)
def test_both_ends(peer, server, client):
    scope = scope_of("GET / HTTP/1.1", peer=peer, server=server)
    assert (scope["client"], scope["server"]) == (client, server)


def test_fields_keep_order_and_repeats_and_lose_only_their_case():
    fields = ["Host: t", "X-A: 1", "x-a:2", "COOKIE: a=b", "Cookie: c=d", "X-Empty:", "X-Space: \t a b\t ", "X-\xdf: y"]
    with pytest.raises(Exception, match="field name"):
        scope_of("GET / HTTP/1.1", *fields)
    fields[-1] = "X-Obs: \xe9\xff"
    assert scope_of("GET / HTTP/1.1", *fields)["headers"] == [
        (b"host", b"t"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
        (b"cookie", b"a=b"),
        (b"cookie", b"c=d"),
        (b"x-empty", b""),
        (b"x-space", b"a b"),
        (b"x-obs", b"\xe9\xff"),
    ]


def test_fields_that_were_dropped_are_not_told():
    """A name with "_" is a forgery of the one with "-" to whoever reads CGI names."""
    headers = scope_of("GET / HTTP/1.1", "Host: t", "X_A: forged", "X-A: real")["headers"]
    assert headers == [(b"host", b"t"), (b"x-a", b"real")]


def test_fields_of_pairs_and_of_lines_are_the_same():
    request = asked("GET / HTTP/1.1", "Host: t", "X-Obs:  \xe9 ")
    lines = header_pairs(request)
    request.fields_source = request.fields
    assert header_pairs(request) == lines == [(b"host", b"t"), (b"x-obs", b"\xe9")]
    request.fields_source = ()
    assert header_pairs(request) == []


def test_root_path():
    assert scope_of("GET /app/a HTTP/1.1", options=ScopeOptions("/app"))["root_path"] == "/app"
    request = asked("GET /app/a HTTP/1.1", "Host: t")
    request.script_name = "/forwarded"
    base = connection_scope(ScopeOptions("/app"), PEER, SERVER, None)
    assert http_scope(base, request, [])["root_path"] == "/forwarded"


def test_requests_share_nothing_that_can_be_changed():
    shared = {"pool": ["deep"]}
    base = connection_scope(ScopeOptions("", shared), PEER, SERVER, {"tls_version": 1})
    request = asked("GET /%41 HTTP/1.1", "Host: t")
    first, second = (http_scope(base, request, header_pairs(request)) for _ in range(2))
    first["state"]["mine"] = 1
    first["extensions"]["mine"] = {}
    first["headers"].append((b"mine", b""))
    first["asgi"]["mine"] = 1
    first["path"] = "/mine"
    assert second["state"] == {"pool": ["deep"]}
    assert second["state"]["pool"] is shared["pool"]
    third = http_scope(base, request, header_pairs(request))
    for scope in (second, third):
        assert not [name for name in ("state", "extensions", "asgi") if "mine" in scope[name]]
        assert scope["headers"] == [(b"host", b"t")]
        assert scope["path"] == "/A"
    assert "mine" not in shared


def test_tls():
    tls = {"tls_version": 0x0304}
    scope = scope_of("GET / HTTP/1.1", tls=tls, scheme="https")
    assert (scope["scheme"], scope["extensions"]["tls"]) == ("https", tls)
    assert "tls" not in scope_of("GET / HTTP/1.1")["extensions"]


@pytest.mark.parametrize(("scheme", "said"), [("http", "ws"), ("https", "wss")])
@pytest.mark.parametrize("tls", [None, {"tls_version": 0x0304}])
def test_websocket(scheme, said, tls):
    scope = scope_of("GET /chat%20?x=1 HTTP/1.1", tls=tls, scheme=scheme, make=websocket_scope)
    assert (scope["type"], scope["scheme"], scope["path"]) == ("websocket", said, "/chat ")
    assert (scope["query_string"], scope["http_version"]) == (b"x=1", "1.1")
    assert "method" not in scope
    assert set(scope["extensions"]) == {"websocket.http.response"} | ({"tls"} if tls else set())
