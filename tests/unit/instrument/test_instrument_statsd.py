"""The logger that sends figures (gunicorn.instrument.statsd), against a real listener."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gunicorn.instrument.statsd import Statsd
from gunicorn.log.access import AccessLog
from gunicorn.metrics.bus import Bus
from tests.support.entries import FinishedExchange, RequestSeen, ResponseSeen, settings, views


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def error_file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "error.log"
    for name in ("gunicorn.error", "gunicorn.access"):
        for handler in list(logging.getLogger(name).handlers):
            logging.getLogger(name).removeHandler(handler)
            handler.close()


def logger(listener: socket.socket, error_file: Path, **changes: Any) -> Statsd:
    host, port = listener.getsockname()
    return Statsd(settings(statsd_host=f"{host}:{port}", errorlog=str(error_file), **changes))


def received(listener: socket.socket) -> list[str]:
    """All figures so far, up to a mark sent behind them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"mark", listener.getsockname())
    found: list[str] = []
    while (data := listener.recv(4096)) != b"mark":
        found += data.decode().splitlines()
    return found


def test_requests_are_reported_with_the_access_log_off(listener: socket.socket, error_file: Path) -> None:
    log = logger(listener, error_file, statsd_prefix="shop", dogstatsd_tags="env:x")
    observe = AccessLog.from_logger(log, log.cfg, views)
    assert observe is not None
    observe(FinishedExchange(duration_ns=1_500_000))
    assert received(listener) == [
        "shop.gunicorn.request.duration:1.500|ms|#env:x",
        "shop.gunicorn.requests:1|c|@1.0|#env:x",
        "shop.gunicorn.request.status.200:1|c|@1.0|#env:x",
    ]


def test_requests_are_reported_once_with_the_access_log_on(
    listener: socket.socket, error_file: Path, tmp_path: Path
) -> None:
    log = logger(listener, error_file, accesslog=str(tmp_path / "access.log"))
    write = AccessLog.from_logger(log, log.cfg, views)
    assert write is not None
    write(FinishedExchange())
    log.access(ResponseSeen("200 OK", [], 1), RequestSeen([]), {}, timedelta(0))
    log.access_log.addFilter(lambda record: False)
    write(FinishedExchange())
    log.access_log.filters.clear()
    assert len(received(listener)) == 9
    assert len((tmp_path / "access.log").read_text().splitlines()) == 2


def test_what_is_logged_is_counted(listener: socket.socket, error_file: Path) -> None:
    log = logger(listener, error_file)
    log.critical("a")
    log.error("b")
    log.warning("c")
    log.exception("d")
    log.info("e")
    assert received(listener) == [
        f"gunicorn.log.{kind}:1|c|@1.0" for kind in ("critical", "error", "warning", "exception")
    ]
    assert len(error_file.read_text().splitlines()) >= 5


@pytest.mark.parametrize(
    ("kind", "figure"),
    [("gauge", "q:0|g"), ("counter", "q:0|c|@1.0"), ("histogram", "q:0|h"), ("timer", "q:0|ms"), ("unknown", None)],
)
@pytest.mark.parametrize("method", ["info", "debug", "log"])
def test_figures_of_extra(
    listener: socket.socket, error_file: Path, kind: str, figure: str | None, method: str
) -> None:
    log = logger(listener, error_file)
    extra = {"metric": "q", "value": 0, "mtype": kind}
    call = {"info": log.info, "debug": log.debug, "log": lambda *args, **named: log.log("info", *args, **named)}[method]
    call("", extra=extra)
    call("text", extra=extra)
    assert received(listener) == ([figure, figure] if figure else [])
    assert error_file.read_text().count("\n") == (0 if method == "debug" else 1)


def test_the_methods_of_the_older_logger(listener: socket.socket, error_file: Path) -> None:
    log = logger(listener, error_file)
    log.gauge("g", 1)
    log.increment("c", 2, 0.5)
    log.decrement("c", 2)
    log.histogram("h", 3)
    log.timer("t", 4)
    assert received(listener) == ["g:1|g", "c:2|c|@0.5", "c:-2|c|@1.0", "h:3|h", "t:4|ms"]


def test_the_number_of_workers_follows_the_bus(listener: socket.socket, error_file: Path) -> None:
    class Server:
        num_workers = 3

    log, bus = logger(listener, error_file), Bus()
    log.follow(bus)
    bus.emit("server.started", server=Server())
    bus.emit("pool.scaled", old=3, new=0)
    assert received(listener) == ["gunicorn.workers:3|g", "gunicorn.workers:0|g"]


def test_without_an_address_it_only_logs(error_file: Path) -> None:
    log = Statsd(settings(errorlog=str(error_file)))
    assert (log.client, log.observe) == (None, None)
    log.error("x", extra={"metric": "q", "value": 1, "mtype": "gauge"})
    log.gauge("g", 1)
    assert "x" in error_file.read_text()


def test_an_unknown_host_is_one_warning(error_file: Path) -> None:
    log = Statsd(settings(errorlog=str(error_file), statsd_host="no such host:8125"))
    log.gauge("g", 1)
    assert error_file.read_text().count("No figures go to statsd: no such host") == 1


def test_reconfigure_changes_the_address(listener: socket.socket, error_file: Path) -> None:
    log = Statsd(settings(errorlog=str(error_file)))
    host, port = listener.getsockname()
    log.reconfigure(settings(errorlog=str(error_file), statsd_host=f"{host}:{port}"))
    log.gauge("g", 1)
    assert received(listener) == ["g:1|g"]
    log.reconfigure(settings(errorlog=str(error_file)))
    assert log.observe is None
