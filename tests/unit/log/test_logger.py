from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gunicorn.errors import ConfigError
from gunicorn.glogging import CONFIG_DEFAULTS, Logger, SafeAtoms
from gunicorn.log.sink import Sink
from tests.support.entries import RequestSeen, ResponseSeen, settings

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "RAW_URI": "/a?b",
    "PATH_INFO": "/a",
    "QUERY_STRING": "b",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "192.0.2.7",
}


def logger(error: Path | str = "-", kind: type[Logger] = Logger, **changes: Any) -> Logger:
    return kind(settings(errorlog=str(error), **changes))


def test_lines_look_as_users_know_them(error_file: Path) -> None:
    log = logger(error_file)
    log.info("hello %s", "you")
    assert re.fullmatch(
        rf"\[\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{{4}}\] \[{os.getpid()}\] \[INFO\] hello you\n",
        error_file.read_text(),
    )


def test_every_method_has_its_level(error_file: Path) -> None:
    log = logger(error_file, loglevel="debug")
    for method in (log.critical, log.error, log.warning, log.info, log.debug):
        method("x %d", 1)
    log.log("warning", "named")
    log.log(logging.ERROR, "numbered")
    log.log("unknown", "info then")
    levels = re.findall(r"\[([A-Z]+)\] ", error_file.read_text())
    assert levels == ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "WARNING", "ERROR", "INFO"]


def test_the_level_holds_back_what_is_below(error_file: Path) -> None:
    log = logger(error_file, loglevel="warning")
    log.info("no")
    log.warning("yes")
    assert "no" not in error_file.read_text()
    assert "yes" in error_file.read_text()
    assert log.loglevel == logging.WARNING


def test_exception_adds_the_traceback(error_file: Path) -> None:
    log = logger(error_file)
    try:
        raise KeyError("gone")
    except KeyError:
        log.exception("oops")
    text = error_file.read_text()
    assert "[ERROR] oops\nTraceback" in text
    assert "KeyError: 'gone'" in text


def test_json_error_lines(error_file: Path) -> None:
    log = logger(error_file, log_format="json")
    try:
        raise KeyError("gone")
    except KeyError:
        log.exception("two\nlines")
    lines = error_file.read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["exception.type"] == "KeyError"


def test_dash_is_stderr_for_errors_and_stdout_for_access(capfd: pytest.CaptureFixture[str]) -> None:
    log = logger(accesslog="-", access_log_format="%(m)s")
    log.error("wrong")
    log.access(ResponseSeen("200 OK", [], 1), RequestSeen([]), ENVIRON, timedelta(0))
    out, err = capfd.readouterr()
    assert out == "GET\n"
    assert err.endswith("[ERROR] wrong\n")


def test_atoms_know_the_older_arguments() -> None:
    log = logger()
    atoms = log.atoms(
        ResponseSeen("404 Not Found", [("X-Out", "o")], None),
        RequestSeen([("X-IN", "i")]),
        ENVIRON | {"HTTP_USER_AGENT": "curl"},
        timedelta(days=1, seconds=1, microseconds=5),
    )
    expected = {
        "h": "192.0.2.7", "m": "GET", "r": "GET /a?b HTTP/1.1", "U": "/a", "q": "b", "s": "404", "b": 0,
        "a": "curl", "f": "-", "T": 86401, "D": 86401000005, "{x-in}i": "i", "{x-out}o": "o", "{raw_uri}e": "/a?b",
    }  # fmt: skip
    assert {key: atoms[key] for key in expected} == expected
    assert atoms["t"] == log.now() or len(atoms["t"]) == len(log.now())


def test_bytes_status_and_mapping_headers() -> None:
    resp: Any = ResponseSeen("", [], 3)
    resp.status = b"200 OK"
    req: Any = RequestSeen([])
    req.headers = {"A": "1"}
    atoms = logger().atoms(resp, req, {}, timedelta(0))
    assert (atoms["s"], atoms["{a}i"]) == ("200", "1")


def test_safe_atoms() -> None:
    atoms = SafeAtoms({"a": 'x"\n', "n": 5, "{host}i": "h"})
    fmt = "%(a)s %(n)d %({HOST}i)s %(zz)s"
    assert fmt % atoms == 'x\\"\\x0a 5 h -'


@pytest.mark.parametrize(
    ("changes", "enabled"),
    [
        ({}, False),
        ({"accesslog": "-"}, True),
        ({"logconfig_dict": {"version": 1}}, True),
        ({"syslog": True, "syslog_addr": "udp://127.0.0.1:9"}, True),
        ({"syslog": True, "syslog_addr": "udp://127.0.0.1:9", "disable_redirect_access_to_syslog": True}, False),
    ],
)
def test_when_access_lines_are_wanted(changes: dict[str, Any], enabled: bool) -> None:
    assert logger(**changes).access_enabled is enabled


def test_a_second_logger_takes_the_place_of_the_first(error_file: Path, tmp_path: Path) -> None:
    logger(error_file).info("first")
    second = tmp_path / "second.log"
    logger(second).info("second")
    assert "second" not in error_file.read_text()
    assert second.read_text().count("second") == 1


def test_handlers_of_others_stay(error_file: Path) -> None:
    stranger = logging.NullHandler()
    logging.getLogger("gunicorn.error").addHandler(stranger)
    log = logger(error_file)
    assert stranger in log.error_log.handlers
    log.reconfigure(settings(errorlog=str(error_file)))
    assert [type(handler) for handler in log.error_log.handlers] == [logging.NullHandler, Sink]


def test_a_list_of_handlers_handed_out_stays_current(error_file: Path, tmp_path: Path) -> None:
    """`app.logger.handlers = logging.getLogger("gunicorn.error").handlers` is what Flask users write."""
    log = logger(error_file)
    app = logging.getLogger("tests.some.application")
    app.handlers, app.propagate = log.error_log.handlers, False
    log.reconfigure(settings(errorlog=str(tmp_path / "second.log")))
    app.error("from the application")
    assert "from the application" in (tmp_path / "second.log").read_text()
    app.handlers = []


def test_a_file_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        logger(tmp_path / "none" / "x.log")
    assert told.value.setting == "errorlog"
    assert "none/x.log" in str(told.value)
    assert "No such file or directory" in str(told.value)


def test_reconfigure_changes_file_level_and_format(error_file: Path, tmp_path: Path) -> None:
    log = logger(error_file)
    second = tmp_path / "second.log"
    log.reconfigure(settings(errorlog=str(second), loglevel="debug", log_format="json"))
    log.debug("now")
    assert error_file.read_text() == ""
    assert json.loads(second.read_text())["body"] == "now"


@pytest.mark.parametrize(
    "bad",
    [
        {"errorlog": "/nowhere/at/all.log"},
        {"accesslog": "/nowhere/at/all.log"},
        {"logconfig": "/nowhere/at/all.ini"},
        {"logconfig_json": "/nowhere/at/all.json"},
        {"logconfig_dict": {"version": 1, "handlers": {"x": {"class": "no.such.Handler"}}}},
        {"logconfig_dict": {"version": 7}},
        {"syslog": True, "syslog_addr": "tcp://127.0.0.1:1"},
    ],
)
def test_an_invalid_configuration_changes_nothing(error_file: Path, access_file: Path, bad: dict[str, Any]) -> None:
    good = settings(errorlog=str(error_file), accesslog=str(access_file), loglevel="warning", access_log_format="%(m)s")
    log = Logger(good)
    descriptors = set(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigError):
        log.reconfigure(good.replace(loglevel="debug", **bad))
    assert (log.cfg, log.loglevel, log.error_log.level) == (good, logging.WARNING, logging.WARNING)
    log.info("held back")
    log.warning("still here")
    log.access(ResponseSeen("200", [], 1), RequestSeen([]), ENVIRON, timedelta(0))
    assert error_file.read_text().endswith("[WARNING] still here\n")
    assert "held back" not in error_file.read_text()
    assert access_file.read_text() == "GET\n"
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)


def test_reopen_moves_every_file_on(error_file: Path, tmp_path: Path) -> None:
    log = logger(error_file)
    other = tmp_path / "app.log"
    handler = logging.FileHandler(other, mode="w")
    app = logging.getLogger("tests.reopen")
    app.addHandler(handler)
    app.error("old")
    log.error("old")
    for path in (error_file, other):
        path.rename(path.with_suffix(".1"))
    log.reopen_files()
    app.error("new")
    log.error("new")
    log.reopen_files()
    for path in (error_file, other):
        assert "old" in path.with_suffix(".1").read_text()
        assert "new" in path.read_text()
    app.removeHandler(handler)
    handler.close()


def test_reopen_that_fails_keeps_the_old_file_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = logger(folder / "error.log")
    folder.rename(tmp_path / "moved")
    log.reopen_files()
    text = (tmp_path / "moved" / "error.log").read_text()
    assert text.count("\n") == 1
    assert "Cannot reopen log file" in text


def test_close_on_exec(tmp_path: Path) -> None:
    log = logger()
    handler = logging.FileHandler(tmp_path / "x.log")
    os.set_inheritable(handler.stream.fileno(), True)
    logging.getLogger().addHandler(handler)
    log.close_on_exec()
    assert fcntl.fcntl(handler.stream.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert not fcntl.fcntl(2, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_formats_are_class_attributes(error_file: Path) -> None:
    class Short(Logger):
        error_fmt = "%(levelname)s|%(asctime)s|%(message)s"
        datefmt = "%Y"

    logger(error_file, Short).info("x")
    assert re.fullmatch(r"INFO\|\d{4}\|x\n", error_file.read_text())


def test_setup_may_be_extended(error_file: Path) -> None:
    class Filtered(Logger):
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            self.error_log.addFilter(lambda record: "secret" not in record.getMessage())

    log = logger(error_file, Filtered)
    log.info("secret")
    log.info("public")
    assert "secret" not in error_file.read_text()
    assert "public" in error_file.read_text()


def test_access_tells_what_is_wrong_with_an_override(error_file: Path, access_file: Path) -> None:
    class Broken(Logger):
        def atoms(self, *args: Any) -> dict[str, Any]:
            raise LookupError("broken override")

    log = logger(error_file, Broken, accesslog=str(access_file))
    log.access(ResponseSeen("200", [], 1), RequestSeen([]), ENVIRON, timedelta(0))
    assert "broken override" in error_file.read_text()


def test_the_default_logging_dict_is_usable() -> None:
    assert set(CONFIG_DEFAULTS["loggers"]) == {"gunicorn.error", "gunicorn.access"}
