"""Behind Debian's nginx, as most servers stand: TCP and unix upstreams, kept-alive, reloads, large bodies, aborts."""

from __future__ import annotations

import hashlib
import json
from signal import SIGHUP, SIGTERM, SIGUSR2

import pytest

from tests.support.load import Load
from tests.support.nginx import Nginx
from tests.support.processes import alive, children, consistently, eventually
from tests.support.server import Server

ECHO = "tests.apps.echo:app"
ANSWERS = "tests.apps.answers:app"


def upstream(server: Server) -> str:
    return f"unix:{server.address}" if isinstance(server.address, str) else f"127.0.0.1:{server.port}"


@pytest.fixture(params=["tcp", "unix"])
def bind(request):
    return request.param


def test_requests_through_the_proxy(worker, bind):
    with Server(ECHO, *worker, bind=bind) as server, Nginx(upstream(server)) as proxy, proxy.connect() as connection:
        for _ in range(20):
            seen = json.loads(connection.request("POST", "/a%20b?q=1", [("Host", "shop.example")], b"x" * 1000).body)
            assert seen["size"] == 1000
            environ = seen["environ"]
            assert (environ["HTTP_HOST"], environ["PATH_INFO"]) == ("shop.example", "/a b")
            assert environ["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
        assert proxy.errors() == []


def test_upstream_connections_are_kept(worker, bind):
    """nginx must not open a connection a request: REMOTE_PORT tells them apart."""
    with Server(ECHO, *worker, bind="tcp") as server, Nginx(upstream(server)) as proxy, proxy.connect() as connection:
        ports = {json.loads(connection.request().body)["environ"]["REMOTE_PORT"] for _ in range(20)}
        assert len(ports) < 5


def test_https_at_the_proxy_is_seen(worker):
    with Server(ECHO, *worker) as server, Nginx(upstream(server), scheme="https") as proxy, proxy.connect() as one:
        assert json.loads(one.request().body)["environ"]["wsgi.url_scheme"] == "https"


def test_reload_under_load_behind_nginx(worker, bind, deploy):
    with (
        Server(deploy.uri, *worker, "-w", "2", cwd=deploy.folder, bind=bind) as server,
        Nginx(upstream(server)) as proxy,
        Load(proxy.connect, connections=6) as load,
    ):
        load.progress(100)
        for number in range(2, 5):
            deploy.version(f"v{number}")
            server.signal(SIGHUP)
            load.answered_by(f"v{number}")
            load.progress(100)
        load.assert_clean()
        assert proxy.errors() == []


def test_recycling_under_load_behind_nginx(worker, bind):
    arguments = ("-w", "2", "--max-requests", "100", "--max-requests-jitter", "50")
    with (
        Server("tests.apps.hello:app", *worker, *arguments, bind=bind) as server,
        Nginx(upstream(server)) as proxy,
        Load(proxy.connect, connections=6) as load,
    ):
        eventually(lambda: len(load.tally.answers) >= 6, "six workers have answered", 30)
        load.assert_clean()
        assert proxy.errors() == []


def test_upgrade_under_load_behind_nginx(worker, bind, deploy, tmp_path):
    pidfile = tmp_path / "pid"
    with (
        Server(deploy.uri, *worker, "--pid", str(pidfile), cwd=deploy.folder, bind=bind) as server,
        Nginx(upstream(server)) as proxy,
        Load(proxy.connect, connections=4) as load,
    ):
        load.progress(50)
        deploy.version("v2")
        old = set(server.workers())
        server.signal(SIGUSR2)
        new = eventually(lambda: [p for p in server.workers() if p not in old and children(p)], "a new arbiter", 15)
        server.signal(SIGTERM)
        assert server.wait() == 0
        load.answered_by("v2")
        load.assert_clean()
        server.signal(SIGTERM, new[0])
        eventually(lambda: not alive(new[0]), "the new arbiter ends")


@pytest.mark.parametrize("buffered", ["on", "off"])
def test_large_uploads(worker, bind, buffered):
    location = f"proxy_request_buffering {buffered};"
    data = b"0123456789abcdef" * 500_000
    with Server(ECHO, *worker, bind=bind) as server, Nginx(upstream(server), location=location) as proxy:
        with proxy.connect(30) as connection:
            for body in (data, [data[:3_000_000], data[3_000_000:]]):
                seen = json.loads(connection.request("POST", "/", (), body).body)
                assert seen["sha256"] == hashlib.sha256(data).hexdigest()
        assert proxy.errors() == []


def test_an_upload_that_nobody_reads(worker, bind):
    with Server(ECHO, *worker, bind=bind) as server, Nginx(upstream(server)) as proxy, proxy.connect(30) as connection:
        response = connection.request("POST", "/?read=0", (), b"x" * 5_000_000)
        assert response.status == 200
        assert proxy.errors() == []


def test_large_downloads(worker, bind):
    with (
        Server(ANSWERS, *worker, bind=bind) as server,
        Nginx(upstream(server)) as proxy,
        proxy.connect(30) as connection,
    ):
        assert len(connection.request("GET", "/large?n=8000000").body) == 8_000_000
        assert len(connection.request("GET", "/file?n=8000000").body) == 8_000_000
        assert connection.request("GET", "/unknown").body == b"one two three"
        assert connection.request("HEAD", "/large?n=100").body == b""
        assert connection.request("GET", "/no_content").status == 204
        assert proxy.errors() == []


def test_event_streams_are_not_held_back(worker, bind):
    with (
        Server(ANSWERS, *worker, bind=bind) as server,
        Nginx(upstream(server), location="proxy_buffering off;") as proxy,
        proxy.connect() as connection,
    ):
        connection.send_request("GET", "/steps")
        connection.read_head()
        first = connection.read_some()
        assert b"data: 0" in first
        assert b"data: 3" not in first


def test_clients_that_abort_behind_the_proxy(worker, bind):
    with (
        Server(ANSWERS, *worker, bind=bind) as server,
        Nginx(upstream(server), location="proxy_buffering off;") as proxy,
    ):
        for _ in range(5):
            connection = proxy.connect()
            connection.send_request("GET", "/endless")
            connection.read_some()
            connection.reset()
        eventually(
            lambda: b'"endless", "endless", "endless", "endless", "endless"' in server.get("/closed").body, "close()"
        )
        consistently(lambda: "Traceback" not in server.log(), "no traceback", 0.2)
        with proxy.connect() as connection:
            assert connection.request("GET", "/length").body == b"hello"


def test_a_stop_under_load_loses_no_accepted_request(worker, bind):
    """While the server stops nginx may say 502 for a refused connection, never for a broken one."""
    with (
        Server("tests.apps.hello:app", *worker, "-w", "2", bind=bind) as server,
        Nginx(upstream(server)) as proxy,
        Load(proxy.connect, connections=6) as load,
    ):
        load.progress(100)
        server.signal(SIGTERM)
        assert server.wait() == 0
        load.finish()
        broken = [line for line in proxy.errors() if "Connection refused" not in line and "No such file" not in line]
        broken = [line for line in broken if "no live upstreams" not in line and "timed out" not in line]
        assert broken == []


def test_http_1_0_upstreams(worker, bind):
    with Server(ANSWERS, *worker, bind=bind) as server, Nginx(upstream(server), version="1.0") as proxy:
        with proxy.connect() as connection:
            assert connection.request("GET", "/unknown").body == b"one two three"
            assert connection.request("GET", "/length").body == b"hello"
        assert proxy.errors() == []
