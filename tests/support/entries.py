"""Finished exchanges and settings as the log tests need them: real objects, made without a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gunicorn.config import Settings
from gunicorn.protocol.machine import Request
from gunicorn.protocol.trust import Peer


def settings(**changes: Any) -> Settings:
    return Settings().replace(**changes)


def request(target: str = "/a?b=1", method: str = "GET", path: str | None = None, **variables: str) -> Request:
    made = Request()
    made.method, made.target, made.version, made.scheme = method, target, "HTTP/1.1", "http"
    made.raw_path, _, made.query = target.partition("?")
    made.path = made.raw_path if path is None else path
    made.variables = variables
    made.fields_source = [
        (name.removeprefix("HTTP_").replace("_", "-").lower(), value) for name, value in variables.items()
    ]
    made.trailers = None
    return made


@dataclass
class FinishedExchange:
    """What a driver hands to the access log."""

    request: Request = field(default_factory=request)
    peer: Peer = field(default_factory=lambda: Peer("192.0.2.7", "40000"))
    environ: dict[str, Any] = field(default_factory=lambda: {"REMOTE_ADDR": "192.0.2.7"})
    status: str = "200 OK"
    fields: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/plain")])
    sent: int = 12
    duration_ns: int = 1_234_567_890
    queue_ns: int = 2_500_000
    failure: BaseException | None = None

    @property
    def described(self) -> dict[str, Any]:
        return self.environ


@dataclass
class ResponseSeen:
    """`resp` of `Logger.access`."""

    status: str
    headers: list[tuple[str, str]]
    sent: int | None


@dataclass
class RequestSeen:
    """`req` of `Logger.access`."""

    headers: list[tuple[str, str]]


def views(entry: Any) -> tuple[ResponseSeen, RequestSeen]:
    return (
        ResponseSeen(entry.status, entry.fields, entry.sent),
        RequestSeen([(name.upper(), value) for name, value in entry.request.fields]),
    )
