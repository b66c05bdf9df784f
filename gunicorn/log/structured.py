"""Log lines as JSON objects, one a line, with the attribute names of OpenTelemetry's semantic conventions.

Every line goes through the JSON encoder and is pure ASCII, so it parses whatever bytes a client sent. Text
of the wire is shown as UTF-8 where it is valid UTF-8 and as latin-1 where it is not.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final

from gunicorn.log.clock import utc_time
from gunicorn.log.entry import Entry

SEVERITY: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""logging's level names where OpenTelemetry's differ."""

_OWN_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"attributes", "message", "asctime"}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_ESCAPE = re.compile(r"\\(?:ud[89ab]..\\ud[c-f]..|(ud[89a-f]..)|.)")
"""One escape of a JSON string; group 1 is half a surrogate pair without the other half."""

encode: Callable[[Mapping[str, Any]], str] = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def wire_text(text: str) -> str:
    """Text decoded as latin-1, read again as UTF-8 where it is that."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return plain_text(text)


def plain_text(text: str) -> str:
    """`text` without lone surrogates, which strict JSON readers refuse."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def access_record(entry: Entry) -> dict[str, Any]:
    """The JSON object of an access line."""
    request, variables, now = entry.request, entry.request.variables, time.time()
    status = entry.status[:3]
    record: dict[str, Any] = {
        "timestamp": utc_time(now),
        "severity_text": "INFO",
        "otel.scope.name": "gunicorn.access",
        "body": wire_text(f"{request.method} {request.target} {request.version}"),
        "process.pid": os.getpid(),
        "http.request.method": wire_text(request.method),
        "url.scheme": request.scheme,
        "url.path": wire_text(request.raw_path),
        "network.protocol.version": request.version.removeprefix("HTTP/"),
        "http.response.body.size": entry.sent,
        "http.server.request.duration": entry.duration_ns / 1e9,
    }
    if status.isdecimal():
        record["http.response.status_code"] = int(status)
    if request.query:
        record["url.query"] = wire_text(request.query)
    _add_ends(record, entry)
    agent = variables.get("HTTP_USER_AGENT")
    if agent:
        record["user_agent.original"] = wire_text(agent)
    if entry.failure is not None:
        record["error.type"] = type(entry.failure).__qualname__
    elif status >= "500":
        record["error.type"] = status
    trace = variables.get("HTTP_TRACEPARENT")
    if trace:
        record.update(trace_context(trace))
    return record


def _add_ends(record: dict[str, Any], entry: Entry) -> None:
    """Client and server addresses, as far as they are known."""
    client = entry.environ.get("REMOTE_ADDR") or entry.peer.host
    if client:
        record["client.address"] = wire_text(str(client))
        port = str(entry.peer.port)
        if port.isdecimal():
            record["client.port"] = int(port)
    host = entry.request.variables.get("HTTP_HOST")
    if host:
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal() or len(port) > 5:
            name, port = host, ""
        record["server.address"] = wire_text(name)
        if port:
            record["server.port"] = int(port)


def trace_context(traceparent: str) -> dict[str, str]:
    """trace_id, span_id and trace_flags of a W3C traceparent field; nothing when it is malformed."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return {}
    return {"trace_id": match[1], "span_id": match[2], "trace_flags": match[3]}


class JsonFormatter(logging.Formatter):
    """A formatter for any logging configuration: one JSON object a record, after `prefix`.

    Whatever a caller passes as `extra` becomes a member under its own name; values JSON does not know are
    shown as their str().
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        members = record.__dict__
        attributes = members.get("attributes")
        if isinstance(attributes, dict):
            return self.prefix + encode_any(attributes)
        line: dict[str, Any] = {
            "timestamp": utc_time(record.created),
            "severity_text": SEVERITY.get(record.levelname, record.levelname),
            "otel.scope.name": record.name,
            "body": plain_text(record.getMessage()),
            "process.pid": record.process,
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["exception.type"] = type(error).__qualname__
            line["exception.message"] = plain_text(str(error))
            line["exception.stacktrace"] = plain_text("".join(traceback.format_exception(error)))
        if record.stack_info:
            line["code.stacktrace"] = plain_text(record.stack_info)
        line.update({key: value for key, value in members.items() if key not in _OWN_ATTRIBUTES})
        return self.prefix + encode_any(line)


def encode_any(line: Mapping[str, Any]) -> str:
    """`line` as JSON, whatever its values are."""
    try:
        text = encode(line)
    except (TypeError, ValueError, RecursionError):
        text = encode({str(key): _plain(value) for key, value in line.items()})
    if "\\ud" in text:
        text = _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], text)
    return text


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: text for everything that is not a plain scalar."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    try:
        return plain_text(str(value))
    except Exception as error:  # an object that cannot be printed is still worth its line
        return f"<{type(value).__qualname__}: {type(error).__qualname__}>"
