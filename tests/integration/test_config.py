"""Where a setting comes from, weakest first, seen in a running server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.processes import eventually
from tests.support.server import WORKER_CLASSES, Server, run_gunicorn

HELLO = "tests.apps.hello:app"


def printed(*arguments: str, **more) -> str:
    done = run_gunicorn(*arguments, "--print-config", HELLO, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def value_of(name: str, text: str) -> str:
    lines = [line for line in text.splitlines() if line.split("=")[0].split(":")[0].strip() == name]
    assert len(lines) == 1, (name, text[:2000])
    return lines[0]


LADDER = [
    ({}, "", (), "1"),
    ({"WEB_CONCURRENCY": "2"}, "", (), "2"),
    ({"WEB_CONCURRENCY": "2"}, "workers = 3\n", (), "3"),
    ({"WEB_CONCURRENCY": "2", "GUNICORN_WORKERS": "4"}, "workers = 3\n", (), "4"),
    ({"GUNICORN_WORKERS": "4", "GUNICORN_CMD_ARGS": "--workers=5"}, "workers = 3\n", (), "5"),
    ({"GUNICORN_WORKERS": "4", "GUNICORN_CMD_ARGS": "--workers=5"}, "workers = 3\n", ("-w", "6"), "6"),
]


@pytest.mark.parametrize(("env", "file", "flags", "expected"), LADDER)
def test_precedence(tmp_path, env, file, flags, expected):
    if file:
        (tmp_path / "gunicorn.conf.py").write_text(file)
    assert expected in value_of("workers", printed(*flags, env=env, cwd=tmp_path))


@pytest.mark.parametrize(("env", "file", "flags", "expected"), LADDER[-2:])
def test_precedence_in_a_running_server(tmp_path, env, file, flags, expected):
    (tmp_path / "gunicorn.conf.py").write_text(file)
    with Server(HELLO, *flags, env=env, cwd=tmp_path) as server:
        server.wait_workers(int(expected))


def test_print_config_says_where_from(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("timeout = 77\n")
    text = printed("--source", "-w", "2", env={"GUNICORN_KEEPALIVE": "9"}, cwd=tmp_path)
    assert "gunicorn.conf.py" in next(line for line in text.splitlines() if line.startswith("timeout"))
    assert "GUNICORN_KEEPALIVE" in next(line for line in text.splitlines() if line.startswith("keepalive"))
    assert "command line" in next(line for line in text.splitlines() if line.startswith("workers "))


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_a_named_file(tmp_path, prefix):
    (tmp_path / "other.py").write_text("timeout = 41\n")
    assert "41" in value_of("timeout", printed("-c", f"{prefix}{tmp_path}/other.py"))


def test_a_module(tmp_path):
    (tmp_path / "conf_module.py").write_text("timeout = 42\n")
    assert "42" in value_of("timeout", printed("-c", "python:conf_module", cwd=tmp_path))


def test_toml(tmp_path):
    (tmp_path / "server.toml").write_text('timeout = 43\nbind = ["127.0.0.1:8123"]\n')
    text = printed("-c", str(tmp_path / "server.toml"))
    assert "43" in value_of("timeout", text)
    assert "8123" in value_of("bind", text)


def test_pyproject(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.gunicorn]\ntimeout = 44\n")
    assert "44" in value_of("timeout", printed(cwd=tmp_path))
    (tmp_path / "gunicorn.conf.py").write_text("timeout = 45\n")
    assert "45" in value_of("timeout", printed(cwd=tmp_path))


def test_wsgi_app_in_the_file(tmp_path):
    with Server(None, config=f"wsgi_app = {HELLO!r}\n") as server:
        assert server.get().status == 200


def test_the_application_on_the_command_line_wins(tmp_path):
    with Server(HELLO, config="wsgi_app = 'no.such:app'\n") as server:
        assert server.get().status == 200


def test_ordinary_names_in_a_file_are_the_users_own():
    config = "import os\nfrom pathlib import Path\nBASE = Path('.')\nname_of_mine = 3\n"
    config += "def helper():\n    return 1\nworkers = helper()\n"
    with Server(HELLO, config=config) as server:
        assert server.get().status == 200


def test_threads_make_sync_a_gthread():
    with Server(HELLO, "--threads", "3") as server:
        server.wait_log("gthread")
        assert server.get().status == 200


CLASS_NAMES = ["sync.SyncWorker", "gthread.ThreadWorker", "gasgi.ASGIWorker"]


@pytest.mark.parametrize("name", [*WORKER_CLASSES, *(f"gunicorn.workers.{name}" for name in CLASS_NAMES)])
def test_worker_classes_by_every_name(name):
    with Server(HELLO, "-k", name) as server:
        assert server.get().status == 200


def test_a_worker_class_of_the_users_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from gunicorn.workers.sync import SyncWorker\n"
        "class MyWorker(SyncWorker):\n"
        "    def init_process(self):\n"
        "        self.log.info('my own worker %s', self.pid)\n"
        "        super().init_process()\n"
    )
    with Server(HELLO, "-k", "mine.MyWorker", cwd=tmp_path) as server:
        assert server.get().status == 200
        server.wait_log("my own worker")


def test_forwarded_allow_ips_stays_a_string(tmp_path):
    """Third-party code splits it."""
    config = "def when_ready(server):\n    server.log.info('type %s', type(server.cfg.forwarded_allow_ips).__name__)\n"
    with Server(HELLO, "--forwarded-allow-ips", "10.0.0.0/8,127.0.0.1", config=config) as server:
        server.wait_log("type str")


@pytest.mark.parametrize(
    ("allowed", "scheme"), [("127.0.0.1", "https"), ("*", "https"), ("127.0.0.0/8", "https"), ("10.0.0.1", "http")]
)
def test_forwarded_scheme_of_trusted_peers_only(worker, allowed, scheme):
    with Server("tests.apps.echo:app", *worker, "--forwarded-allow-ips", allowed) as server:
        seen = json.loads(server.get("/", [("X-Forwarded-Proto", "https")]).body)
        assert seen["environ"]["wsgi.url_scheme"] == scheme


def test_contradicting_scheme_fields_are_refused(worker):
    with Server("tests.apps.echo:app", *worker, "--forwarded-allow-ips", "*") as server:
        response = server.get("/", [("X-Forwarded-Proto", "https"), ("X-Forwarded-Ssl", "off")])
        assert response.status == 400


def test_script_name_from_the_environment(worker):
    with Server("tests.apps.echo:app", *worker, env={"SCRIPT_NAME": "/prefix"}) as server:
        seen = json.loads(server.get("/prefix/page?q=1").body)["environ"]
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/prefix", "/page", "q=1")


PROXIES = [
    (b"PROXY TCP4 203.0.113.9 127.0.0.1 56324 443\r\n", "203.0.113.9", "56324"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1", None),
    (
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + b"\xdc\x04\x01\xbb",
        "203.0.113.9",
        "56324",
    ),
]


@pytest.mark.parametrize(("header", "host", "port"), PROXIES, ids=["v1", "unknown", "v2"])
def test_proxy_protocol(worker, header, host, port):
    with Server("tests.apps.echo:app", *worker, "--proxy-protocol", "auto") as server, server.connect() as connection:
        connection.send(header)
        for _ in range(2):
            seen = json.loads(connection.request().body)["environ"]
            assert seen["REMOTE_ADDR"] == host
            assert port is None or seen["REMOTE_PORT"] == port


@pytest.mark.parametrize(("header", "host", "port"), PROXIES[:1])
def test_proxy_protocol_of_an_untrusted_peer_never_counts(worker, header, host, port):
    arguments = ("--proxy-protocol", "auto", "--proxy-allow-from", "10.0.0.1")
    with Server("tests.apps.echo:app", *worker, *arguments) as server, server.connect() as connection:
        connection.send(header)
        connection.send_request()
        answer = connection.wait_closed()
        assert host.encode() not in answer
        assert answer.startswith(b"HTTP/1.1 400") or answer == b""


def test_proc_name():
    with Server(HELLO, "--name", "shop", "-w", "1") as server:
        server.get()
        title = Path(f"/proc/{server.pid}/cmdline")
        eventually(lambda: b"shop" in title.read_bytes(), "the name in the process title")
