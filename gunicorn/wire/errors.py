"""What can be wrong with bytes or values on the wire, and what that means for the connection.

    WireError (a ValueError)
    ├── FrameError      the stream cannot be followed any further: close it
    ├── PayloadError    one payload means nothing: answer its request with an error, the stream lives on
    └── RefusedError    a value of ours cannot travel: tell the caller which; nothing was sent

Knows no message and no exception of the pool: who meets these puts them into words of its own tree.
"""

from __future__ import annotations


class WireError(ValueError):
    """Root of the tree. `rule` is a short stable slug for counters and filters, `detail` one line for people."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule = rule
        self.detail = detail
        super().__init__(rule, detail)

    def __str__(self) -> str:
        return f"{self.detail} [{self.rule}]"


class FrameError(WireError):
    """A header that is none, a frame too large or cut short.

    `request_id` is that of the frame where its header could be read, so that the peer can be told before the end.
    """

    def __init__(self, rule: str, detail: str, request_id: int | None = None) -> None:
        self.request_id = request_id
        super().__init__(rule, detail)


class PayloadError(WireError):
    """Bytes that are no values, or values that are no message; `offset` is the place in the payload, -1 if none."""

    def __init__(self, rule: str, detail: str, offset: int = -1) -> None:
        self.offset = offset
        super().__init__(rule, detail if offset < 0 else f"{detail} at byte {offset}")


class RefusedError(WireError):
    """A value that cannot be written; `path` says where it stands, as Python would: `args[0]['x'][3]`."""

    def __init__(self, rule: str, path: str, detail: str) -> None:
        self.path = path
        super().__init__(rule, f"{path}: {detail}")
