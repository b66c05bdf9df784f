"""The ASGI scope: every key as the specification says, fresh for each request, whatever the connection is."""

from __future__ import annotations

import json
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.sync.client import connect, unix_connect

from tests.support.certificates import certificates
from tests.support.client import Connection
from tests.support.server import Server, free_port

SCOPES = "tests.apps.asgi.scopes:app"
EXTENSIONS = {
    "http.response.early_hint",
    "http.response.informational",
    "http.response.trailers",
    "http.response.pathsend",
    "http.response.zerocopysend",
    "http.response.debug",
}


@pytest.fixture
def server(asgi_worker):
    with Server(SCOPES, *asgi_worker, "-w", "1") as running:
        yield running


def seen(connection: Connection, target: str = "/", fields=(), method: str = "GET") -> dict:
    return json.loads(connection.request(method, target, fields).body)["scope"]


def test_every_key_over_tcp(server):
    with server.connect() as connection:
        port = connection.sock.getsockname()[1]
        answer = json.loads(connection.request("GET", "/caf%C3%A9/%2Fx?q=%20&r=1", [("X-One", "1")]).body)
        scope, types = answer["scope"], answer["types"]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/café//x",
        "raw_path": {"bytes": "/caf%C3%A9/%2Fx"},
        "query_string": {"bytes": "q=%20&r=1"},
        "root_path": "",
        "headers": [
            [{"bytes": "host"}, {"bytes": "localhost"}],
            [{"bytes": "x-one"}, {"bytes": "1"}],
        ],
        "client": ["127.0.0.1", port],
        "server": ["127.0.0.1", server.port],
        "state": {"database": {"name": "shop"}, "visits": 0},
        "extensions": scope["extensions"],
    }
    assert set(scope["extensions"]) == EXTENSIONS
    assert types["state"] == "dict"
    assert types["headers"] == "list"


def test_every_key_over_unix(asgi_worker):
    with Server(SCOPES, *asgi_worker, bind="unix") as server, server.connect() as connection:
        scope = seen(connection)
        assert scope["server"] == [server.address, None]
        assert scope["client"] is None
        assert scope["scheme"] == "http"
        assert scope["path"] == "/"


def test_ipv6(asgi_worker):
    port = free_port()
    address = ("::1", port)
    with Server(SCOPES, *asgi_worker, bind=f"[::1]:{port}", address=address) as server, server.connect() as connection:
        scope = seen(connection)
        assert scope["client"] == ["::1", connection.sock.getsockname()[1]]
        assert scope["server"] == ["::1", port]


def test_http_1_0(server):
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert json.loads(connection.read_response().body)["scope"]["http_version"] == "1.0"


def test_bytes_that_are_no_utf_8_stay_in_the_raw_path(server):
    with server.connect() as connection:
        scope = seen(connection, "/a%FFb")
    assert scope["raw_path"] == {"bytes": "/a%FFb"}
    assert scope["path"] == "/a�b"


def test_fields_in_order_lower_case_repeats_and_latin_1(server):
    with server.connect() as connection:
        connection.send("GET / HTTP/1.1\r\nHOST: x\r\nX-A: 1\r\nx-b: \xe9\r\nX-A: 2\r\n\r\n".encode("latin-1"))
        scope = json.loads(connection.read_response().body)["scope"]
    fields = [(name["bytes"], value["bytes"]) for name, value in scope["headers"]]
    assert fields == [("host", "x"), ("x-a", "1"), ("x-b", "\xe9"), ("x-a", "2")]


def test_what_an_application_does_to_its_scope_stays_its_own(server):
    with server.connect() as connection:
        first, second, third = seen(connection), seen(connection), seen(connection, "/", [("X", "1")])
    assert first == second
    assert "spoilt" not in third["extensions"]
    assert [name["bytes"] for name, _ in third["headers"]] == ["host", "x"]


def test_methods_are_upper_case_and_any(server):
    with server.connect() as connection:
        for method in ("OPTIONS", "DELETE", "PROPFIND"):
            assert seen(connection, method=method)["method"] == method


def test_root_path(asgi_worker):
    """`path` stays whole: since ASGI 3 it includes root_path."""
    with Server(SCOPES, *asgi_worker, "--root-path", "/api") as server, server.connect() as connection:
        scope = seen(connection, "/api/items")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/api", "/api/items", {"bytes": "/api/items"})


def test_root_path_of_a_trusted_forwarder(server):
    with server.connect() as connection:
        scope = seen(connection, "/shop/items", [("SCRIPT_NAME", "/shop")])
    assert (scope["root_path"], scope["path"]) == ("/shop", "/shop/items")


@pytest.mark.parametrize(("allowed", "scheme"), [("127.0.0.1", "https"), ("10.0.0.1", "http")])
def test_forwarded_scheme(asgi_worker, allowed, scheme):
    with Server(SCOPES, *asgi_worker, "--forwarded-allow-ips", allowed) as server, server.connect() as connection:
        assert seen(connection, "/", [("X-Forwarded-Proto", "https")])["scheme"] == scheme


def test_the_client_of_a_proxy_header(asgi_worker):
    with Server(SCOPES, *asgi_worker, "--proxy-protocol", "v1") as server, server.connect() as connection:
        connection.send(b"PROXY TCP4 203.0.113.9 127.0.0.1 56324 443\r\n")
        assert [seen(connection)["client"] for _ in range(2)] == [["203.0.113.9", 56324]] * 2


def test_tls_over_tls(asgi_worker):
    made = certificates()
    arguments = ("--cert-reqs", "1", "--ca-certs", str(made.ca))
    with Server(SCOPES, *asgi_worker, *arguments, tls=True) as server:
        with Connection(server.address, tls=made.client_context()) as connection:
            scope = seen(connection)
            tls = scope["extensions"]["tls"]
            assert scope["scheme"] == "https"
            assert tls["tls_version"] == 0x0304
            assert isinstance(tls["cipher_suite"], int)
            assert tls["client_cert_chain"] == []
            assert tls["client_cert_name"] is None
        with Connection(server.address, tls=made.client_context(client=True)) as connection:
            tls = seen(connection)["extensions"]["tls"]
            (pem,) = tls["client_cert_chain"]
            assert ssl.PEM_cert_to_DER_cert(pem) == ssl.PEM_cert_to_DER_cert(made.client_cert.read_text())
            assert tls["client_cert_name"]


def test_no_tls_extension_without_tls(server):
    with server.connect() as connection:
        assert "tls" not in seen(connection)["extensions"]


def test_a_websocket(server):
    with connect(f"ws://127.0.0.1:{server.port}/chat?x=1", subprotocols=["one", "two"]) as websocket:
        scope = json.loads(websocket.recv(10))
        assert websocket.subprotocol == "one"
    assert (scope["type"], scope["scheme"], scope["subprotocols"]) == ("websocket", "ws", ["one", "two"])
    assert (scope["path"], scope["query_string"]) == ("/chat", {"bytes": "x=1"})
    assert "method" not in scope
    assert set(scope["extensions"]) == {"websocket.http.response"}
    assert scope["server"] == ["127.0.0.1", server.port]
    assert scope["client"][0] == "127.0.0.1"
    assert scope["state"]["database"] == {"name": "shop"}


def test_a_websocket_over_tls(asgi_worker):
    with Server(SCOPES, *asgi_worker, tls=True) as server:
        url = f"wss://localhost:{server.port}/"
        with connect(url, ssl=certificates().client_context()) as websocket:
            scope = json.loads(websocket.recv(10))
    assert scope["scheme"] == "wss"
    assert set(scope["extensions"]) == {"websocket.http.response", "tls"}


def test_a_websocket_over_unix(asgi_worker):
    with Server(SCOPES, *asgi_worker, bind="unix") as server, unix_connect(str(server.address)) as websocket:
        scope = json.loads(websocket.recv(10))
    assert scope["client"] is None
    assert scope["server"] == [server.address, None]


def test_state_is_a_copy_for_each_request_of_what_the_lifespan_left(server):
    """A shallow one: what the request adds is its own, what the lifespan put in is shared."""
    with server.connect() as connection:
        for _ in range(3):
            state = json.loads(connection.request("GET", "/state").body)
            assert state == {"visits": 1, "database": {"name": "shop", "seen": True}}


def test_context_is_the_lifespans_and_fresh_for_each_request(server):
    """Also on one connection, and for requests side by side."""
    with server.connect() as connection:
        for _ in range(3):
            assert json.loads(connection.request("GET", "/context").body) == {"colour": "blue", "visits": 1}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: json.loads(server.get("/context").body), range(20)))
    assert answers == [{"colour": "blue", "visits": 1}] * 20


def test_without_a_lifespan_there_is_still_a_state(asgi_worker):
    """The key is there where the server supports it (ASGI lifespan 2.0); empty where nobody filled it."""
    with Server(SCOPES, *asgi_worker, "--asgi-lifespan", "off") as server, server.connect() as connection:
        assert seen(connection).get("state", {}) == {}
