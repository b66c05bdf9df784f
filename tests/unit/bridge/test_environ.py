"""The environ that applications get (PEP 3333, RFC 3875)."""

from __future__ import annotations

import pytest

from gunicorn.bridge.environ import EnvironOptions, connection_base, environ_of_scope, fill
from gunicorn.bridge.files import FileWrapper
from gunicorn.protocol.trust import Peer

REQUEST = (
    b"POST /a%20b/c?x=1&y HTTP/1.1\r\nHost: example.com:8080\r\nContent-Type: text/x\r\nContent-Length: 3\r\n"
    b"X-Twice: a\r\nX-Twice: b\r\nCookie: c=1\r\n\r\n"
)


def environ_of(bridge, request=REQUEST, **more):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [])
        return [b""]

    bridge(app, request, **more).run()
    return seen


def test_the_standard_keys(bridge):
    environ = environ_of(bridge, body=b"abc")
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/c",
        "QUERY_STRING": "x=1&y",
        "RAW_URI": "/a%20b/c?x=1&y",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "srv",
        "SERVER_PORT": "80",
        "SERVER_SOFTWARE": "test/1",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "5000",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "example.com:8080",
        "HTTP_X_TWICE": "a,b",
        "HTTP_COOKIE": "c=1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    assert {key: environ[key] for key in expected} == expected
    assert environ["wsgi.input"].read() == b"abc"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("example.com", ("example.com", "80")),
        ("example.com:81", ("example.com", "81")),
        ("[::1]:82", ("[::1]", "82")),
        ("[::1]", ("[::1]", "80")),
    ],
)
def test_behind_a_unix_socket_the_host_names_the_server(bridge, host, server):
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    environ = environ_of(bridge, request, server=("", ""))
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == server


def test_a_request_without_host_still_has_a_server_name(bridge):
    environ = environ_of(bridge, b"GET / HTTP/1.0\r\n\r\n", server=("", ""))
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", "80")


def test_each_request_has_an_environ_of_its_own(bridge):
    made = bridge(lambda environ, start: [])
    request, exchange = made.exchange.request, made.exchange
    first = fill(made.base, request, exchange.body, made.hints)
    first["mine"] = True
    assert "mine" not in fill(made.base, request, exchange.body, made.hints)


def test_the_environment_names_the_prefix(bridge):
    options = EnvironOptions(script_name="/app")
    base = connection_base(options, Peer(), ("srv", "80"), None)
    made = bridge(lambda environ, start: [], b"GET /app/page HTTP/1.1\r\nHost: t\r\n\r\n")
    environ = fill(base, made.exchange.request, made.exchange.body, made.hints)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/page")


@pytest.mark.parametrize(("path", "inside"), [("/app", ""), ("/app/", "/"), ("/application", "/application")])
def test_the_prefix_ends_where_a_segment_ends(bridge, path, inside):
    base = connection_base(EnvironOptions(script_name="/app"), Peer(), ("srv", "80"), None)
    made = bridge(lambda environ, start: [], f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
    environ = fill(base, made.exchange.request, made.exchange.body, made.hints)
    assert environ["PATH_INFO"] == inside


@pytest.mark.parametrize(
    ("server", "name", "port"),
    [
        (("192.0.2.9", 8000), "192.0.2.9", "8000"),
        (("/run/sock", None), "example.com", "8080"),
        (None, "example.com", "8080"),
    ],
)
def test_what_hooks_see_of_an_asgi_request(bridge, server, name, port):
    """The texts of an environ, and nothing that an ASGI application has no use for."""
    request = bridge(None, REQUEST).exchange.request
    environ = environ_of_scope(request, Peer("192.0.2.1", "5000"), {"server": server, "root_path": ""})
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/c",
        "QUERY_STRING": "x=1&y",
        "RAW_URI": "/a%20b/c?x=1&y",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_SOFTWARE": "gunicorn",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "5000",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "example.com:8080",
        "HTTP_X_TWICE": "a,b",
        "HTTP_COOKIE": "c=1",
        "wsgi.url_scheme": "http",
    }


def test_the_mount_point_of_an_asgi_application_is_its_script_name(bridge):
    request = bridge(None, REQUEST).exchange.request
    environ = environ_of_scope(request, Peer("192.0.2.1", "5000"), {"server": None, "root_path": "/a b"})
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/a b", "/c")
