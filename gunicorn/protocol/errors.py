"""Errors of the wire: whose fault, which status, which rule of which RFC.

A `ProtocolError` is the peer's fault and knows the answer it deserves; a `ResponseError` is the
application's. Neither is ever raised for the server's own bugs. One place turns them into bytes
(`Machine.fail`) and one place into a log line (the driver's `rejected`).
"""

from __future__ import annotations


class ProtocolError(Exception):
    """The client broke a rule: answer `status` and close.

    `rule` is a short stable slug ("duplicate-host") for counters and log filters, `section` the
    place that states it ("RFC 9112 3.2"), `detail` one line with the offending value quoted and cut.
    A `status` of 0 means that no answer can be understood by the peer: close in silence. `fields` go into
    the head of the answer beside ours: what its status demands (Upgrade with 426, RFC 9110 15.5.22).
    """

    __slots__ = ("detail", "fields", "rule", "section", "status")

    def __init__(
        self, status: int, rule: str, section: str, detail: str, fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.status = status
        self.rule = rule
        self.section = section
        self.detail = detail
        self.fields = fields
        super().__init__(status, rule, section, detail, fields)

    def __str__(self) -> str:
        return f"{self.detail} [{self.rule}, {self.section}]"


def too_late(what: str) -> ProtocolError:
    """The client took too long to send its head or body."""
    return ProtocolError(408, f"{what}-timeout", "RFC 9110 15.5.9", f"the request {what} was not complete in time")


class ResponseError(Exception):
    """The application broke a rule of the response: a bad status line, field or body length.

    The message is shown to the application's author, in its own stack.
    """
