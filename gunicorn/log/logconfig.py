"""The user's own logging configuration (`logconfig`, `logconfig_dict`, `logconfig_json`), applied or undone whole.

Everything that can be read is read before anything is changed; what logging then refuses is rolled back,
so that a broken file never leaves a process without logs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from gunicorn.errors import ConfigError

CONFIG_DEFAULTS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        "gunicorn.error": {
            "level": "INFO",
            "handlers": ["error_console"],
            "propagate": True,
            "qualname": "gunicorn.error",
        },
        "gunicorn.access": {
            "level": "INFO",
            "handlers": ["console"],
            "propagate": True,
            "qualname": "gunicorn.access",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stdout"},
        "error_console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"},
    },
    "formatters": {
        "generic": {
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
            "class": "logging.Formatter",
        }
    },
}
"""What a dictionary given by the user is laid over: handlers and formatters name by name, other keys whole."""


def apply(cfg: Any) -> bool:
    """Applies the first of logconfig_dict, logconfig_json, logconfig that is set; False when none is.

    Raises ConfigError and leaves logging as it was when the configuration cannot be used.
    """
    if cfg.logconfig_dict:
        _apply_mapping(cfg.logconfig_dict, "logconfig_dict", "")
    elif cfg.logconfig_json:
        _apply_mapping(_read_json(cfg.logconfig_json), "logconfig_json", cfg.logconfig_json)
    elif cfg.logconfig:
        _apply_file(cfg.logconfig)
    else:
        return False
    return True


def _read_json(path: str) -> Mapping[str, Any]:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", setting="logconfig_json") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}", setting="logconfig_json") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path} does not hold a JSON object", setting="logconfig_json")
    return config


def _apply_mapping(config: Mapping[str, Any], setting: str, path: str) -> None:
    from logging.config import dictConfig

    with undone_on_error(setting, path):
        merged = {**CONFIG_DEFAULTS, **config}
        for key in ("handlers", "formatters"):
            merged[key] = {**CONFIG_DEFAULTS[key], **config.get(key, {})}
        dictConfig(merged)


def _apply_file(path: str) -> None:
    import configparser
    from logging.config import fileConfig

    parser = configparser.ConfigParser({"__file__": path, "here": os.path.dirname(os.path.abspath(path))})
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", setting="logconfig") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}", setting="logconfig") from None
    with undone_on_error("logconfig", path):
        fileConfig(parser, disable_existing_loggers=False)


@contextmanager
def undone_on_error(setting: str = "", path: str = "") -> Iterator[None]:
    """Puts every logger back as it was when the body raises, and makes the failure a ConfigError."""
    before = [_LoggerState(logger) for logger in known_loggers()]
    try:
        yield
    except Exception as error:
        for state in before:
            state.restore()
        if isinstance(error, ConfigError):
            raise
        cause = error.__cause__ or error
        where = f"{path}: " if path else ""
        raise ConfigError(f"{where}logging cannot be configured: {error} ({cause!r})", setting=setting) from error


def known_loggers() -> list[logging.Logger]:
    """The root logger and every logger somebody asked for."""
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]


class _LoggerState:
    """What a configuration may change of a logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self.level = logger.level
        self.disabled = logger.disabled
        self.propagate = logger.propagate
        self.handlers = list(logger.handlers)
        self.filters = list(logger.filters)

    def restore(self) -> None:
        self.logger.setLevel(self.level)
        self.logger.disabled = self.disabled
        self.logger.propagate = self.propagate
        self.logger.handlers[:] = self.handlers
        self.logger.filters[:] = self.filters
