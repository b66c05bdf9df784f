from __future__ import annotations

import json
import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gunicorn.errors import ConfigError
from gunicorn.log.access import AccessLog
from gunicorn.log.logger import Logger
from tests.support.entries import FinishedExchange, settings, views
from tests.support.entries import request as made


def access_log(path: Path, kind: type[Logger] = Logger, **changes: Any) -> Any:
    cfg = settings(accesslog=str(path), errorlog=str(path.with_name("error.log")), **changes)
    return AccessLog.from_logger(kind(cfg), cfg, views)


def test_off_is_none(error_file: Path) -> None:
    cfg = settings(errorlog=str(error_file))
    assert AccessLog.from_logger(Logger(cfg), cfg, views) is None


def test_the_plain_way_writes_the_line(access_file: Path) -> None:
    access_log(access_file, access_log_format="%(m)s %(U)s ü")(FinishedExchange())
    assert access_file.read_text(encoding="utf-8") == "GET /a ü\n"


def test_json(access_file: Path) -> None:
    access_log(access_file, log_format="json")(FinishedExchange())
    lines = access_file.read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["url.path"] == "/a"


def test_budget_of_python_frames(access_file: Path) -> None:
    write, entry, frames = access_log(access_file), FinishedExchange(), []

    def count(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            frames.append(frame.f_code.co_name)

    write(entry)
    sys.setprofile(count)
    try:
        write(entry)
    finally:
        sys.setprofile(None)
    # One more when the second changes in between.
    assert len(frames) <= 6, frames


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "entry",
    [
        FinishedExchange(),
        FinishedExchange(request=made('/"x\\\n?q="', HTTP_USER_AGENT='é"', HTTP_HOST="h:1"), status="503 Busy"),
    ],
)
def test_both_ways_write_the_same(access_file: Path, log_format: str, entry: FinishedExchange) -> None:
    """A filter sends the line through logging; the text must not change by it."""
    entry.environ = {"REMOTE_ADDR": "192.0.2.7", "RAW_URI": entry.request.target}
    atoms = "%(h)s %(l)s %(u)s %(r)s %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s %(f)s %(a)s %(T)s %(M)s %(D)s %(L)s"
    write = access_log(
        access_file,
        log_format=log_format,
        access_log_format=atoms + " %(p)s %({Host}i)s %({HOST}i)s %({content-type}o)s %({RAW_URI}e)s %({no}i)s %(no)s",
    )
    write(entry)
    logging.getLogger("gunicorn.access").addFilter(lambda record: True)
    write(entry)
    plain, logged = access_file.read_text().splitlines()
    if log_format == "json":
        first, second = json.loads(plain), json.loads(logged)
        first.pop("timestamp"), second.pop("timestamp")
        assert first == second
    else:
        assert plain == logged


def test_a_filter_added_later_sees_atoms_and_can_refuse(access_file: Path) -> None:
    write = access_log(access_file)
    seen: list[Any] = []

    def refuse_health(record: logging.LogRecord) -> bool:
        seen.append(record.args)
        return "/healthz" not in record.getMessage()

    logging.getLogger("gunicorn.access").addFilter(refuse_health)
    write(FinishedExchange(request=made("/healthz")))
    write(FinishedExchange(request=made("/other")))
    assert "/other" in access_file.read_text()
    assert "/healthz" not in access_file.read_text()
    assert [atoms["U"] for atoms in seen] == ["/healthz", "/other"]


@pytest.mark.parametrize(
    "change", ["handler", "formatter", "disabled", "removed", "level", "sink level", "logging.disable", "sink filter"]
)
def test_changes_to_the_logger_are_respected(access_file: Path, change: str, request: pytest.FixtureRequest) -> None:
    write = access_log(access_file, access_log_format="%(m)s")
    log = logging.getLogger("gunicorn.access")
    sink, extra = log.handlers[0], []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            extra.append(record.getMessage())

    if change == "handler":
        log.addHandler(Collect())
    elif change == "formatter":
        sink.setFormatter(logging.Formatter("<%(message)s>"))
    elif change == "disabled":
        log.disabled = True
    elif change == "removed":
        log.removeHandler(sink)
        log.addHandler(Collect())
    elif change == "level":
        log.setLevel(logging.WARNING)
    elif change == "sink level":
        sink.setLevel(logging.WARNING)
    elif change == "logging.disable":
        request.addfinalizer(lambda: logging.disable(logging.NOTSET))
        logging.disable(logging.INFO)
    else:
        sink.addFilter(lambda record: False)
    write(FinishedExchange())
    text = access_file.read_text()
    expected = {"handler": ("GET\n", ["GET"]), "formatter": ("<GET>\n", []), "removed": ("", ["GET"])}
    assert (text, extra) == expected.get(change, ("", []))
    sink.close()


class OwnAccess(Logger):
    calls: list[tuple[Any, ...]]

    def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
        self.calls = [*vars(self).get("calls", []), (resp.status, req.headers, environ, request_time)]


class OwnAtoms(Logger):
    def atoms(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> dict[str, Any]:
        return super().atoms(resp, req, environ, request_time) | {"x": 'own"'}


class OwnNow(Logger):
    def now(self) -> str:
        return "[then]"


def test_an_overridden_access_is_called_even_with_the_access_log_off(error_file: Path) -> None:
    cfg = settings(errorlog=str(error_file))
    logger = OwnAccess(cfg)
    write = AccessLog.from_logger(logger, cfg, views)
    assert write is not None
    write(FinishedExchange(request=made(HTTP_X="1")))
    assert logger.calls == [
        ("200 OK", [("X", "1")], {"REMOTE_ADDR": "192.0.2.7"}, timedelta(seconds=1, microseconds=234568))
    ]


def test_overridden_atoms_and_now(access_file: Path) -> None:
    access_log(access_file, OwnAtoms, access_log_format="%(x)s %(s)s")(FinishedExchange())
    access_log(access_file, OwnNow, access_log_format="%(t)s")(FinishedExchange())
    access_log(access_file, OwnAtoms, access_log_format="%(x)s", log_format="json")(FinishedExchange())
    first, second, third = access_file.read_text().splitlines()
    assert (first, second) == ('own\\" 200', "[then]")
    assert json.loads(third)["body"] == 'own\\"'


def test_a_logger_that_is_not_ours_gets_its_call(access_file: Path) -> None:
    calls = []

    class Foreign:
        def access(self, *args: Any) -> None:
            calls.append(args)

    write = AccessLog.from_logger(Foreign(), settings(), views)
    assert write is not None
    write(FinishedExchange())
    assert len(calls[0]) == 4


def test_skipped_paths_are_logged_when_they_fail(access_file: Path) -> None:
    write = access_log(access_file, access_log_skip=["/healthz"], access_log_format="%(U)s %(s)s")
    write(FinishedExchange(request=made("/healthz")))
    write(FinishedExchange(request=made("/healthz?x"), status="304 Not Modified"))
    write(FinishedExchange(request=made("/healthz"), status="503 No"))
    write(FinishedExchange(request=made("/healthz"), status=""))
    write(FinishedExchange(request=made("/healthz/deep")))
    assert access_file.read_text() == "/healthz 503\n/healthz -\n/healthz/deep 200\n"


def test_a_format_that_cannot_be_printed_is_a_config_error(access_file: Path) -> None:
    with pytest.raises(ConfigError, match="access_log_format"):
        access_log(access_file, access_log_format="100% (h)s")


def test_what_goes_wrong_with_a_line_is_told_and_does_not_reach_the_driver(access_file: Path) -> None:
    write = access_log(access_file)
    write(FinishedExchange(status=None))  # type: ignore[arg-type]
    told = access_file.with_name("error.log").read_text()
    assert "Cannot write the access log" in told
    assert "TypeError" in told


def test_reopen_carries_on_in_the_new_file(access_file: Path) -> None:
    cfg = settings(accesslog=str(access_file), errorlog="-", access_log_format="%(m)s")
    logger = Logger(cfg)
    write = AccessLog.from_logger(logger, cfg, views)
    assert write is not None
    write(FinishedExchange())
    access_file.rename(access_file.with_suffix(".1"))
    logger.reopen_files()
    write(FinishedExchange())
    write(FinishedExchange())
    assert access_file.with_suffix(".1").read_text() == "GET\n"
    assert access_file.read_text() == "GET\nGET\n"


def test_observers_see_every_request(access_file: Path, error_file: Path) -> None:
    seen: list[str] = []
    cfg = settings(errorlog=str(error_file))
    logger = Logger(cfg)
    logger.observe = lambda entry: seen.append(entry.status)
    silent = AccessLog.from_logger(logger, cfg, views)
    assert silent is not None
    silent(FinishedExchange())
    cfg = settings(errorlog=str(error_file), accesslog=str(access_file))
    logger = Logger(cfg)
    logger.observe = lambda entry: seen.append(entry.status)
    write = AccessLog.from_logger(logger, cfg, views)
    assert write is not None
    write(FinishedExchange(status="201 Created"))
    logger.access_log.addFilter(lambda record: False)
    write(FinishedExchange(status="202 Accepted"))
    assert seen == ["200 OK", "201 Created", "202 Accepted"]
