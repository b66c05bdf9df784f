"""Field names: how a request's name reads in CGI, which names carry framing, which travel one hop only.

Knows the lexicon of names and nothing of their values or of messages.
"""

from __future__ import annotations

import enum

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.grammar import TOKEN, quoted
from gunicorn.protocol.recent import Recent


class HeaderMap(enum.Enum):
    """What becomes of a request field whose name holds "_", which CGI cannot tell from "-"."""

    DROP = "drop"
    REFUSE = "refuse"
    DANGEROUS = "dangerous"


HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names an application may not send (PEP 3333, RFC 9110 7.6.1)."""

NO_TRAILERS = HOP_BY_HOP | {
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "max-forwards",
    "pragma",
    "range",
    "set-cookie",
    "trailer",
}
"""Names that mean something before the content and nothing after it (RFC 9110 6.5.1): dropped."""

ONCE = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE"})
"""CGI names of fields that stand for one value: a second one means that two readers see two requests."""

ASK = ""
"""What a lexicon says of a name that needs a closer look than a dict can give."""

_CLOSER = frozenset({"TRANSFER-ENCODING", "EXPECT", "UPGRADE"})


def cgi_name(name: str) -> str:
    """The CGI variable of a field name (RFC 3875 4.1.18)."""
    key = name.upper().replace("-", "_")
    if key in ("CONTENT_TYPE", "CONTENT_LENGTH") and "_" not in name:
        return key
    return "HTTP_" + key


class Lexicon(Recent[str]):
    """From a field name, exactly as it was spelled, to its CGI variable, for peers of one rank.

    `lexicon[name]` is ASK for all that is not plain: no token, an underscore, or a field that changes how
    the message is read; only plain names are kept. `admit` decides about the rest.
    """

    __slots__ = ("_forwarded", "_header_map", "schemes", "trusted")

    def __init__(
        self,
        *,
        trusted: bool,
        header_map: HeaderMap = HeaderMap.DROP,
        forwarder_headers: frozenset[str] = frozenset(),
        schemes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(capacity=512, longest=64, unkept=ASK)
        self.trusted = trusted
        self.schemes = schemes if trusted else ()
        """(CGI variable, value that means https) of the fields by which a trusted peer names the scheme."""
        self._header_map = header_map
        self._forwarded = forwarder_headers if trusted else frozenset()

    def learn(self, key: str) -> str:
        """The variable, or ASK."""
        if "_" in key or key.upper() in _CLOSER or TOKEN.fullmatch(key) is None:
            return ASK
        return cgi_name(key)

    def forwarded(self, name: str) -> bool:
        """Whether a trusted forwarder speaks by this name, "_" and all."""
        return name.upper() in self._forwarded

    def admit(self, name: str) -> str | None:
        """The variable of a token, or None for a field to be dropped. Raises ProtocolError 400."""
        if "_" in name and not self.forwarded(name):
            if self._header_map is HeaderMap.DROP:
                return None
            if self._header_map is HeaderMap.REFUSE:
                raise ProtocolError(
                    400, "underscore", "RFC 3875 4.1.18", f"field name with '_': {quoted(name)} (header_map=refuse)"
                )
        return cgi_name(name)


PLAIN = 0
LENGTH = 1
SERVER = 2
DATE = 3
CONNECTION = 4
UPGRADE = 5
HOP = 6
"""Kinds of response field names."""

_KINDS = {"content-length": LENGTH, "server": SERVER, "date": DATE, "connection": CONNECTION, "upgrade": UPGRADE}


class ResponseNames(Recent[int]):
    """From a response field name, exactly as it was spelled, to its kind."""

    __slots__ = ()

    def learn(self, key: str | bytes) -> int:
        """Raises ResponseError for what is not a token. Names of bytes (ASGI) are known beside those of str."""
        if isinstance(key, bytes):
            key = key.decode("latin-1")
        if not isinstance(key, str) or TOKEN.fullmatch(key) is None:
            raise ResponseError(f"not a field name: {quoted(str(key))}")
        name = key.lower()
        return _KINDS.get(name) or (HOP if name in HOP_BY_HOP else PLAIN)
