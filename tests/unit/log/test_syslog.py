from __future__ import annotations

import json
import logging
import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from gunicorn.errors import ConfigError
from gunicorn.log.logger import Logger
from gunicorn.log.syslog import Syslog, SyslogAddress, facility_number, parse_syslog_address
from tests.support.entries import RequestSeen, ResponseSeen, settings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp://localhost:514", SyslogAddress(socket.SOCK_DGRAM, ("localhost", 514))),
        ("udp://logs", SyslogAddress(socket.SOCK_DGRAM, ("logs", 514))),
        ("tcp://[::1]:6514", SyslogAddress(socket.SOCK_STREAM, ("::1", 6514))),
        ("udp://", SyslogAddress(socket.SOCK_DGRAM, ("localhost", 514))),
        ("unix:///dev/log", SyslogAddress(None, "/dev/log")),
        ("unix:///dev/log#dgram", SyslogAddress(socket.SOCK_DGRAM, "/dev/log")),
        ("unix:///var/run/log#stream", SyslogAddress(socket.SOCK_STREAM, "/var/run/log")),
    ],
)
def test_addresses(text: str, address: SyslogAddress) -> None:
    assert parse_syslog_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "localhost", "http://x", "unix://", "unix:///a#seq", "udp://a:b", "tcp://a:99999"]
)
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ConfigError, match="syslog address"):
        parse_syslog_address(text)


@pytest.mark.parametrize(("name", "number"), [("user", 1), ("LOG_USER", 1), ("local7", 23), ("Daemon", 3)])
def test_facilities(name: str, number: int) -> None:
    assert facility_number(name) == number


def test_unknown_facility() -> None:
    with pytest.raises(ConfigError, match="'loud'"):
        facility_number("loud")


@pytest.fixture
def daemon():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def address(sock: socket.socket, scheme: str = "udp") -> str:
    return f"{scheme}://127.0.0.1:{sock.getsockname()[1]}"


def test_both_logs_go_there_with_prefix_and_pid(daemon: socket.socket, error_file: Path) -> None:
    log = Logger(
        settings(
            errorlog=str(error_file),
            syslog=True,
            syslog_addr=address(daemon),
            syslog_prefix="shop 100%",
            syslog_facility="local3",
            access_log_format="%(m)s",
        )
    )
    log.warning("hello")
    assert daemon.recv(4096).decode() == f"<156>gunicorn.shop 100%.error: [{os.getpid()}] hello"
    log.access(ResponseSeen("200", [], 1), RequestSeen([]), {"REQUEST_METHOD": "GET"}, timedelta(0))
    assert daemon.recv(4096).decode() == f"<158>gunicorn.shop 100%.access: [{os.getpid()}] GET"
    assert "hello" in error_file.read_text()


def test_access_lines_can_be_kept_out(daemon: socket.socket) -> None:
    log = Logger(settings(syslog=True, syslog_addr=address(daemon), disable_redirect_access_to_syslog=True))
    assert log.access_log.handlers == []


def test_json(daemon: socket.socket) -> None:
    log = Logger(settings(syslog=True, syslog_addr=address(daemon), syslog_prefix="x", log_format="json"))
    log.error("hello")
    text = daemon.recv(4096).decode()
    start = "<11>gunicorn.x.error: "
    assert text.startswith(start)
    assert json.loads(text.removeprefix(start))["body"] == "hello"


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        handler = Syslog(SyslogAddress(None, path), 1)
        handler.handle(logging.makeLogRecord({"msg": "hello", "levelno": logging.INFO}))
        assert sock.recv(100) == b"<14>hello"
        handler.close()


def test_lines_of_a_stream_end_in_lf() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        handler = Syslog(parse_syslog_address(address(server, "tcp")), 1)
        connection, _ = server.accept()
        handler.handle(logging.makeLogRecord({"msg": "one", "levelno": logging.INFO}))
        handler.handle(logging.makeLogRecord({"msg": "two\nlines", "levelno": logging.INFO}))
        handler.close()
        got = b""
        while data := connection.recv(100):
            got += data
        assert got == b"<14>one\n<14>two#012lines\n"
        connection.close()


def test_a_daemon_that_is_gone_costs_lines_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "log")
    handler = Syslog(SyslogAddress(socket.SOCK_DGRAM, path), 1)
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "x", "levelno": logging.INFO}))
    assert handler.lost == 3
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert path in told
    handler.close()


def test_a_daemon_that_comes_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gunicorn.log.syslog.REST", 0.0)
    path = str(tmp_path / "log")
    handler = Syslog(SyslogAddress(None, path), 1)
    handler.handle(logging.makeLogRecord({"msg": "lost", "levelno": logging.INFO}))
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            sock.settimeout(5)
            handler.handle(logging.makeLogRecord({"msg": "hello", "levelno": logging.INFO}))
            assert sock.recv(100) == b"<14>hello"
        os.unlink(path)
    handler.close()


def test_a_daemon_that_does_not_read_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gunicorn.log.syslog.SEND_TIMEOUT", 0.05)
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        handler = Syslog(SyslogAddress(socket.SOCK_DGRAM, path), 1)
        for _ in range(3000):
            handler.handle(logging.makeLogRecord({"msg": "x" * 1000, "levelno": logging.INFO}))
        assert handler.lost > 1
        handler.close()
