from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gunicorn.errors import ConfigError
from gunicorn.log.logconfig import apply, undone_on_error
from gunicorn.log.logger import Logger
from tests.support.entries import settings

INI = """
[loggers]
keys=root, gunicorn.error

[handlers]
keys=file

[formatters]
keys=short

[logger_root]
level=INFO
handlers=

[logger_gunicorn.error]
level=INFO
handlers=file
propagate=0
qualname=gunicorn.error

[handler_file]
class=FileHandler
formatter=short
args=('%(here)s/ini.log',)

[formatter_short]
format=ini %(message)s
"""


def dictionary(path: Path) -> dict[str, Any]:
    return {
        "version": 1,
        "formatters": {"short": {"format": "dict %(message)s"}},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(path), "formatter": "short"}},
        "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["file"], "propagate": False}},
    }


def close(log: Logger) -> None:
    for handler in log.error_log.handlers:
        handler.close()


def test_nothing_set_is_nothing_done() -> None:
    assert apply(settings()) is False


def test_ini_file_with_here(tmp_path: Path) -> None:
    path = tmp_path / "log.ini"
    path.write_text(INI)
    log = Logger(settings(logconfig=str(path)))
    log.info("hello")
    assert (tmp_path / "ini.log").read_text() == "ini hello\n"
    close(log)


def test_dict(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = Logger(settings(logconfig_dict=dictionary(tmp_path / "d.log")))
    log.info("hello")
    assert (tmp_path / "d.log").read_text() == "dict hello\n"
    assert capfd.readouterr().err == ""
    close(log)


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(dictionary(tmp_path / "j.log")))
    log = Logger(settings(logconfig_json=str(path)))
    log.info("hello")
    assert (tmp_path / "j.log").read_text() == "dict hello\n"
    close(log)


def test_dict_wins_over_json_wins_over_file(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(dictionary(tmp_path / "j.log")))
    with pytest.raises(ConfigError, match=r"gone\.json"):
        apply(settings(logconfig_json="gone.json", logconfig="also-gone.ini"))
    cfg = settings(logconfig_dict=dictionary(tmp_path / "d.log"), logconfig_json=str(path))
    assert apply(cfg) is True
    assert (tmp_path / "d.log").exists()
    assert not (tmp_path / "j.log").exists()
    logging.getLogger("gunicorn.error").handlers[0].close()


def test_loggers_it_does_not_name_keep_our_files(error_file: Path) -> None:
    """logging closes every handler it does not know on the way; ours open again."""
    log = Logger(settings(errorlog=str(error_file), logconfig_dict={"version": 1, "loggers": {}}))
    log.info("hello")
    assert error_file.read_text().endswith("[INFO] hello\n")


def test_the_formatter_for_json_can_be_named(tmp_path: Path) -> None:
    config = dictionary(tmp_path / "d.log")
    config["formatters"]["short"] = {"()": "gunicorn.log.structured.JsonFormatter"}
    log = Logger(settings(logconfig_dict=config))
    log.info("hello", extra={"worker": 3})
    line = json.loads((tmp_path / "d.log").read_text())
    assert (line["body"], line["worker"]) == ("hello", 3)
    close(log)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("log.ini", "not an ini file", "log.ini"),
        ("log.ini", "[loggers]\nkeys=root\n", "log.ini"),
        ("log.ini", INI.replace("FileHandler", "NoSuchHandler"), "NoSuchHandler"),
        ("log.ini", INI.replace("level=INFO", "level=LOUD"), "LOUD"),
        ("log.json", "{", "log.json is not JSON"),
        ("log.json", "[]", "does not hold a JSON object"),
        ("log.json", '{"version": 1, "handlers": {"a": {}}}', "log.json"),
    ],
)
def test_a_broken_file_is_one_line_and_changes_nothing(tmp_path: Path, name: str, text: str, told: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    log = logging.getLogger("gunicorn.error")
    handler = logging.NullHandler()
    log.addHandler(handler)
    log.setLevel(logging.CRITICAL)
    setting = "logconfig" if name.endswith("ini") else "logconfig_json"
    with pytest.raises(ConfigError) as problem:
        apply(settings(**{setting: str(path)}))
    assert told in str(problem.value)
    assert "\n" not in str(problem.value)
    assert problem.value.setting == setting
    assert log.handlers == [handler]
    assert log.level == logging.CRITICAL


def test_undone_on_error_puts_everything_back() -> None:
    log = logging.getLogger("tests.logconfig")
    log.setLevel(logging.ERROR)

    def change() -> None:
        with undone_on_error("logconfig"):
            log.setLevel(logging.DEBUG)
            log.addHandler(logging.NullHandler())
            log.addFilter(lambda record: True)
            log.disabled, log.propagate = True, False
            raise ValueError("no good")

    with pytest.raises(ConfigError, match="no good"):
        change()
    assert (log.level, log.handlers, log.filters, log.disabled, log.propagate) == (logging.ERROR, [], [], False, True)
