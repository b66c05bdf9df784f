"""Where logs go, what a line looks like, and which figures are sent out."""

from __future__ import annotations

from typing import Any

from gunicorn.config.casts import BOOLEAN, CLASS, MAPPING, STATSD, STRINGS, TEXT, one_of, text_or
from gunicorn.config.option import Action, Section, option

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
"""The combined log format of the Apache server."""

FACILITIES = (
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "ntp", "security", "syslog"),
    *("user", "uucp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
"""Names of syslog facilities (RFC 5424 6.2.1)."""


class Logging(Section, title="Logging"):
    """Error log, access log, syslog, statsd."""

    accesslog: str | None = option(
        None,
        "--access-logfile",
        kind=TEXT,
        metavar="FILE",
        doc="""The file of the access log; `-` is standard output. Without it no access log is written.""",
    )
    disable_redirect_access_to_syslog: bool = option(
        False,
        "--disable-redirect-access-to-syslog",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Keep the access log out of syslog when `syslog` is on.""",
    )
    access_log_format: str = option(
        COMBINED,
        "--access-logformat",
        kind=text_or(COMBINED),
        metavar="STRING",
        doc="""The form of a line of the access log, made of atoms such as `%(h)s`.

        | atom | meaning |
        |---|---|
        | h | address of the client |
        | l | `-` |
        | u | user name of Basic authentication |
        | t | time of the request |
        | r | request line |
        | m, U, q, H | method, path, query string, protocol |
        | s | status |
        | B, b | bytes of the answer's body; `b` writes `-` for none |
        | f, a | Referer, User-Agent |
        | T, M, D, L | duration in whole seconds, milliseconds, microseconds, seconds with fraction |
        | p | process id |
        | {name}i, {name}o, {name}e | request field, response field, environ variable |
        | {format}t | time of the request by strftime |""",
    )
    access_log_skip: list[str] = option(
        [],
        "--access-log-skip",
        kind=STRINGS,
        action=Action.APPEND,
        metavar="PATH",
        ours=True,
        doc="""Paths of successful requests that the access log leaves out, such as `/healthz`.""",
    )
    errorlog: str | None = option(
        "-",
        "--error-logfile",
        "--log-file",
        kind=TEXT,
        metavar="FILE",
        doc="""The file of the error log; `-` is standard error.""",
    )
    loglevel: str = option(
        "info",
        "--log-level",
        kind=one_of(
            *("debug", "info", "warning", "error", "critical"),
            label="str",
            synonyms={"warn": "warning", "fatal": "critical"},
        ),
        metavar="LEVEL",
        doc="""How much the error log says: `debug`, `info`, `warning`, `error` or `critical`.""",
    )
    log_format: str = option(
        "text",
        "--log-format",
        kind=one_of("text", "json", label="log format"),
        metavar="STRING",
        ours=True,
        doc="""The form of both logs: lines of text, or one JSON object a line with OpenTelemetry attribute names.""",
    )
    capture_output: bool = option(
        False,
        "--capture-output",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether what the application prints goes to the error log.""",
    )
    logger_class: Any = option(
        "gunicorn.glogging.Logger",
        "--logger-class",
        kind=CLASS,
        metavar="STRING",
        doc="""The class that writes the logs: a class, or its dotted path.""",
    )
    logconfig: str | None = option(
        None,
        "--log-config",
        kind=TEXT,
        metavar="FILE",
        doc="""A file in the format of `logging.config.fileConfig`; it takes the place of the other log settings.""",
    )
    logconfig_dict: dict[str, Any] = option(
        {},
        kind=MAPPING,
        doc="""A dict in the schema of `logging.config.dictConfig`. It wins over `logconfig_json` and `logconfig`.""",
    )
    logconfig_json: str | None = option(
        None,
        "--log-config-json",
        kind=TEXT,
        metavar="FILE",
        doc="""A JSON file with such a dict. It wins over `logconfig`.""",
    )
    syslog_addr: str = option(
        "udp://localhost:514",
        "--log-syslog-to",
        kind=text_or("udp://localhost:514"),
        metavar="SYSLOG_ADDR",
        doc="""Where syslog is: `udp://HOST:PORT`, `tcp://HOST:PORT`, or `unix://PATH` with `#stream` or `#dgram`.""",
    )
    syslog: bool = option(
        False,
        "--log-syslog",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether logs go to syslog.""",
    )
    syslog_prefix: str | None = option(
        None,
        "--log-syslog-prefix",
        kind=TEXT,
        metavar="SYSLOG_PREFIX",
        doc="""The program name of syslog lines, after `gunicorn.`. Without it the name of the process.""",
    )
    syslog_facility: str = option(
        "user",
        "--log-syslog-facility",
        kind=one_of(*FACILITIES, label="str"),
        metavar="SYSLOG_FACILITY",
        doc="""The facility of syslog lines, such as `user`, `daemon` or `local0`.""",
    )
    enable_stdio_inheritance: bool = option(
        False,
        "-R",
        "--enable-stdio-inheritance",
        kind=BOOLEAN,
        action=Action.TRUE,
        live=False,
        doc="""Whether a daemon keeps standard output and standard error, unbuffered, instead of closing them.""",
    )
    statsd_host: Any = option(
        None,
        "--statsd-host",
        kind=STATSD,
        metavar="STATSD_ADDR",
        doc="""Where figures are sent in the statsd protocol: `HOST:PORT` (UDP) or `unix:PATH`.""",
    )
    dogstatsd_tags: str = option(
        "",
        "--dogstatsd-tags",
        kind=text_or(""),
        metavar="DOGSTATSD_TAGS",
        doc="""Tags, comma separated, that each statsd figure carries.""",
    )
    statsd_prefix: str = option(
        "",
        "--statsd-prefix",
        kind=text_or(""),
        metavar="STATSD_PREFIX",
        doc="""What the names of statsd figures begin with; a dot is put after it where it has none.""",
    )
    enable_backlog_metric: bool = option(
        False,
        "--enable-backlog-metric",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether the number of connections that wait to be accepted is sent to statsd (Linux).""",
    )
