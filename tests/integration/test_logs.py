"""Logs as operators read them: text, JSON, files, syslog, statsd; nothing forged, nothing lost."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from signal import SIGHUP, SIGTERM, SIGTTIN

import pytest

from tests.support.client import Gone
from tests.support.load import Load
from tests.support.processes import eventually
from tests.support.server import Server

HELLO = "tests.apps.hello:app"
ANSWERS = "tests.apps.answers:app"
COMMON = re.compile(r'^127\.0\.0\.1 - (\S+) \[[^]]+\] "(.*)" (\d{3}) (\d+|-) "(.*)" "(.*)"$')


def access_lines(path: Path, count: int) -> list[str]:
    eventually(lambda: path.exists() and len(path.read_text().splitlines()) >= count, f"{count} access lines")
    return path.read_text().splitlines()


def test_access_lines_in_the_combined_format(worker, tmp_path):
    path = tmp_path / "access"
    with Server(HELLO, *worker, "--access-logfile", str(path)) as server:
        body = server.get("/page?q=1", [("User-Agent", "tester/1"), ("Referer", "http://from.example/")]).body
        server.get("/", [("Authorization", "Basic YWxpY2U6c2VjcmV0")])
        first, second = access_lines(path, 2)
    found = COMMON.match(first)
    assert found, first
    assert found.groups() == ("-", "GET /page?q=1 HTTP/1.1", "200", str(len(body)), "http://from.example/", "tester/1")
    found = COMMON.match(second)
    assert found, second
    assert found.group(1) == "alice"
    assert "secret" not in second


def test_every_atom(worker, tmp_path):
    path = tmp_path / "access"
    atoms = [*"hlutrmUqHsBbfaTDMLp", "{x-one}i", "{content-type}o", "{REQUEST_METHOD}e"]
    layout = "|".join(f"{atom}=%({atom})s" for atom in atoms)
    with Server(HELLO, *worker, "--access-logfile", str(path), "--access-logformat", layout) as server:
        body = server.get("/page?q=1", [("X-One", "first"), ("User-Agent", "ua"), ("Referer", "re")]).body
        (line,) = access_lines(path, 1)
        pids = server.workers()
    seen = dict(part.split("=", 1) for part in line.split("|"))
    assert (seen["h"], seen["l"], seen["u"]) == ("127.0.0.1", "-", "-")
    assert (seen["r"], seen["m"], seen["U"], seen["q"], seen["H"]) == (
        "GET /page?q=1 HTTP/1.1",
        "GET",
        "/page",
        "q=1",
        "HTTP/1.1",
    )
    assert (seen["s"], seen["B"], seen["b"], seen["f"], seen["a"]) == (
        "200",
        str(len(body)),
        str(len(body)),
        "re",
        "ua",
    )
    assert int(seen["T"]) == 0
    assert 0 < int(seen["D"]) < 5_000_000
    assert 0 <= int(seen["M"]) < 5_000
    assert 0 <= float(seen["L"]) < 5
    assert int(seen["p"].strip("<>")) in pids
    assert (seen["{x-one}i"], seen["{content-type}o"], seen["{REQUEST_METHOD}e"]) == ("first", "text/plain", "GET")


def test_lines_cannot_be_forged(worker, tmp_path):
    path = tmp_path / "access"
    with Server(HELLO, *worker, "--access-logfile", str(path)) as server, server.connect() as connection:
        head = "GET /%0A127.0.0.1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += 'Referer: a" 200 0 "-" "forged\r\nUser-Agent: \xff\x85"\\\r\n\r\n'
        connection.send(head.encode("latin-1"))
        assert connection.read_response().status == 200
        lines = access_lines(path, 1)
    assert len(lines) == 1
    text = lines[0]
    assert text.isprintable(), ascii(text)
    # What a client sent stays inside its own pair of quotes.
    assert re.search(r"\] <> 200 \d+ <> <>$", re.sub(r'"(?:[^"\\]|\\.)*"', "<>", text)), text


def test_json_lines(worker, tmp_path):
    path, errors = tmp_path / "access", tmp_path / "errors"
    arguments = ("--log-format", "json", "--access-logfile", str(path), "--error-logfile", str(errors))
    with Server(ANSWERS, *worker, *arguments) as server:
        with server.connect() as connection:
            head = 'GET /length?a=1 HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nUser-Agent: \xff"}\\\r\n\r\n'
            connection.send(head.encode("latin-1"))
            assert connection.read_response().status == 200
        server.get("/raise_before")
        lines = [json.loads(line) for line in access_lines(path, 2)]
        records = [json.loads(line) for line in errors.read_text().splitlines()]
    one = lines[0]
    assert one["http.request.method"] == "GET"
    assert one["url.path"] == "/length"
    assert one["url.query"] == "a=1"
    assert one["http.response.status_code"] == 200
    assert one["client.address"] == "127.0.0.1"
    assert one["user_agent.original"] == '\xff"}\\'
    assert lines[1]["http.response.status_code"] == 500
    failed = [record for record in records if "exception.type" in record]
    assert failed
    assert failed[0]["exception.type"].endswith("ValueError")
    assert "before the head" in failed[0]["exception.message"]
    assert "raise_before" in failed[0]["exception.stacktrace"]


def test_one_line_for_each_request(worker, tmp_path):
    """Under load, over a reload and a stop: as many lines as answers, none torn."""
    path = tmp_path / "access"
    with Server(HELLO, *worker, "-w", "2", "--access-logfile", str(path)) as server:
        old = set(server.wait_workers(2))
        with Load(server.connect, connections=6) as load:
            load.progress(200)
            server.signal(SIGHUP)
            eventually(lambda: not old & set(server.workers()), "new workers")
            load.progress(200)
            tally = load.assert_clean()
        assert server.stop(SIGTERM) == 0
    lines = path.read_text().splitlines()
    assert len(lines) == tally.succeeded
    assert all(COMMON.match(line) for line in lines)


def test_answers_that_failed_have_a_line_too(worker, tmp_path):
    path = tmp_path / "access"
    with Server(ANSWERS, *worker, "--access-logfile", str(path), tracebacks=True) as server:
        assert server.get("/raise_before").status == 500
        with server.connect() as connection:
            connection.send_request("GET", "/raise_later")
            with pytest.raises(Gone):
                connection.read_response()
        first, second = access_lines(path, 2)
    assert '/raise_before HTTP/1.1" 500' in first
    assert '/raise_later HTTP/1.1" 200' in second


def test_access_log_off_is_off(worker):
    with Server(HELLO, *worker) as server:
        server.get("/not-logged")
        assert "/not-logged" not in server.log()


def test_access_to_stdout_and_levels(worker):
    with Server(HELLO, *worker, "--access-logfile", "-", "--log-level", "error") as server:
        server.get("/seen")
        server.wait_log("/seen")
        assert "Listening" not in server.log()
        assert "[INFO]" not in server.log()


class Datagrams:
    """A UDP or unix listener that keeps all it is sent."""

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind(("127.0.0.1", 0))
        else:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.sock.bind(str(path))
        self.sock.setblocking(False)
        self.text = ""

    def __enter__(self) -> Datagrams:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()

    @property
    def port(self) -> int:
        return self.sock.getsockname()[1]

    def so_far(self) -> str:
        while True:
            try:
                self.text += self.sock.recv(65536).decode(errors="replace") + "\n"
            except BlockingIOError:
                return self.text

    def wait(self, pattern: str) -> re.Match[str]:
        return eventually(lambda: re.search(pattern, self.so_far(), re.MULTILINE), f"{pattern!r} among {self.text!r}")


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_syslog(worker, tmp_path, kind):
    with Datagrams(tmp_path / "syslog" if kind == "unix" else None) as sink:
        target = f"unix://{tmp_path}/syslog#dgram" if kind == "unix" else f"udp://127.0.0.1:{sink.port}"
        arguments = (
            "--log-syslog",
            "--log-syslog-to",
            target,
            "--log-syslog-prefix",
            "shop",
            "--log-syslog-facility",
            "local3",
        )
        with Server(HELLO, *worker, *arguments) as server:
            # local3 (19) · 8 + informational (6)
            sink.wait(r"<158>.*shop.*Listening at")
            server.get("/page")
            sink.wait(r"<158>.*GET /page HTTP/1\.1")


def test_syslog_that_is_not_there_does_not_matter(worker):
    with Server(HELLO, *worker, "--log-syslog", "--log-syslog-to", "udp://127.0.0.1:9") as server:
        for _ in range(5):
            assert server.get().status == 200


def test_access_lines_may_stay_out_of_syslog(worker, tmp_path):
    with Datagrams() as sink:
        target = (
            "--log-syslog",
            "--log-syslog-to",
            f"udp://127.0.0.1:{sink.port}",
            "--disable-redirect-access-to-syslog",
        )
        path = tmp_path / "access"
        with Server(HELLO, *worker, *target, "--access-logfile", str(path)) as server:
            server.get("/page")
            access_lines(path, 1)
            sink.wait("Listening at")
            assert "/page" not in sink.so_far()


def test_statsd(worker):
    with Datagrams() as sink:
        arguments = ("--statsd-host", f"127.0.0.1:{sink.port}", "--statsd-prefix", "shop")
        with Server(ANSWERS, *worker, *arguments, tracebacks=True) as server:
            sink.wait(r"^shop\.gunicorn\.workers:1\|g")
            server.get("/length")
            sink.wait(r"shop\.gunicorn\.request\.duration:[0-9.]+\|ms")
            sink.wait(r"shop\.gunicorn\.requests:1\|c")
            sink.wait(r"shop\.gunicorn\.request\.status\.200:1\|c")
            server.get("/raise_before")
            sink.wait(r"shop\.gunicorn\.request\.status\.500:1\|c")
            sink.wait(r"shop\.gunicorn\.log\.(exception|error):1\|c")
            server.signal(SIGTTIN)
            sink.wait(r"^shop\.gunicorn\.workers:2\|g")


def test_statsd_tags_and_unix_sockets(tmp_path):
    with Datagrams(tmp_path / "statsd") as sink:
        arguments = ("--statsd-host", f"unix://{tmp_path}/statsd", "--dogstatsd-tags", "env:test,team:a")
        with Server(HELLO, *arguments) as server:
            server.get()
            sink.wait(r"gunicorn\.requests:1\|c.*\|#env:test,team:a")


def test_statsd_that_is_not_there_does_not_matter(worker):
    with Server(HELLO, *worker, "--statsd-host", "127.0.0.1:9") as server:
        for _ in range(5):
            assert server.get().status == 200


def test_capture_output(worker, tmp_path, deploy):
    log = tmp_path / "errors"
    deploy.page(
        "print('printed by the application')\nprint('to stderr', file=sys.stderr)\n"
        "os.write(1, b'by descriptor\\n')\nreturn b'ok'",
        before="import os, sys",
    )
    arguments = ("--capture-output", "--error-logfile", str(log))
    with Server(deploy.uri, *worker, *arguments, cwd=deploy.folder, env={"PYTHONUNBUFFERED": "1"}) as server:
        assert server.get().status == 200
        for text in ("printed by the application", "to stderr", "by descriptor"):
            eventually(lambda text=text: text in log.read_text(), f"{text!r} in the error log")
        assert "printed" not in server.log()


def test_wsgi_errors_goes_to_the_error_log(wsgi_worker, tmp_path):
    log = tmp_path / "errors"
    with Server("tests.apps.validated:app", *wsgi_worker, "--error-logfile", str(log)) as server:
        server.get()
        eventually(lambda: "noted" in log.read_text(), "the application's line")


LAYOUT = "CUSTOM %(name)s %(levelname)s %(message)s"
INI = f"""
[loggers]
keys=root, gunicorn.error, gunicorn.access
[handlers]
keys=file
[formatters]
keys=mine
[logger_root]
level=INFO
handlers=file
[logger_gunicorn.error]
level=INFO
handlers=file
propagate=0
qualname=gunicorn.error
[logger_gunicorn.access]
level=INFO
handlers=file
propagate=0
qualname=gunicorn.access
[handler_file]
class=FileHandler
formatter=mine
args=('custom.log',)
[formatter_mine]
format={LAYOUT}
"""
DICT = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"mine": {"format": LAYOUT}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "custom.log", "formatter": "mine"}},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["file"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["file"], "propagate": False},
    },
}


@pytest.mark.parametrize("way", ["ini", "dict", "json"])
def test_logging_configurations(worker, tmp_path, way):
    (tmp_path / "log.ini").write_text(INI)
    (tmp_path / "log.json").write_text(json.dumps(DICT))
    arguments = {"ini": ("--log-config", "log.ini"), "json": ("--log-config-json", "log.json"), "dict": ()}[way]
    config = f"logconfig_dict = {DICT!r}\n" if way == "dict" else ""
    with Server(HELLO, *worker, *arguments, cwd=tmp_path, config=config) as server:
        server.get("/page")
        log = tmp_path / "custom.log"
        eventually(lambda: log.exists() and "CUSTOM gunicorn.error INFO Listening at" in log.read_text(), "error lines")
        eventually(lambda: re.search(r"CUSTOM gunicorn\.access INFO .*GET /page", log.read_text()), "access lines")


def test_a_logger_class_of_the_users_own(worker, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from gunicorn.glogging import Logger\n"
        "class MyLogger(Logger):\n"
        "    def atoms(self, resp, req, environ, request_time):\n"
        "        atoms = super().atoms(resp, req, environ, request_time)\n"
        "        atoms['mine'] = 'own atom ' + str(resp.status)[:3]\n"
        "        return atoms\n"
    )
    arguments = ("--logger-class", "mine.MyLogger", "--access-logfile", "-", "--access-logformat", "%(mine)s %(r)s")
    with Server(HELLO, *worker, *arguments, cwd=tmp_path) as server:
        server.get("/page")
        server.wait_log("own atom 200 GET /page HTTP/1.1")


def test_a_full_disk_is_no_reason_to_die(worker):
    with Server(HELLO, *worker, "--access-logfile", "/dev/full", tracebacks=True) as server:
        for _ in range(5):
            assert server.get().status == 200
        assert server.log().count("Traceback") <= 3
