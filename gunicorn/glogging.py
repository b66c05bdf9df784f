"""The logger under the name existing configurations know it by; see `gunicorn.log`."""

from __future__ import annotations

from gunicorn.log.logconfig import CONFIG_DEFAULTS
from gunicorn.log.logger import Logger, SafeAtoms
from gunicorn.log.syslog import parse_syslog_address

__all__ = ["CONFIG_DEFAULTS", "Logger", "SafeAtoms", "parse_syslog_address"]
