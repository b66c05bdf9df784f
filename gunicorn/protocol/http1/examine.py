"""Every rule for the head of a request (RFC 9112 2-3, 5; RFC 9110 5-7): a Request, or why it is refused.

The slow and complete reader behind `head.parse_head`; both give the same answer where both give one. Rules are
checked in the order of the bytes, then across fields. Knows no connection and no body.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.fields import ONCE, Lexicon
from gunicorn.protocol.framing import check_transfer_coding, content_length
from gunicorn.protocol.grammar import CTL, FIELD_VALUE, TOKEN, quoted
from gunicorn.protocol.limits import HttpPolicy
from gunicorn.protocol.machine import Request
from gunicorn.protocol.requestline import decode_path

Pairs = list[tuple[str, str]]

_UNFOLDABLE = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def examine_head(lines: Sequence[str], policy: HttpPolicy, lexicon: Lexicon, scheme: str) -> Request:
    """The Request of a head given as lines without their ends and without the empty one.

    Raises ProtocolError.
    """
    line = policy.request_lines[lines[0]]
    request = Request()
    request.method, request.target, request.raw_path, request.path, request.query = line[:5]
    request.version, authority, request.label = line[5:]
    request.stream = 0
    request.trailers = None
    pairs = read_field_lines(lines[1:], policy, lexicon)
    _map_fields(request, pairs, lexicon)
    _settle_host(request, authority, policy)
    request.scheme = _scheme(request, lexicon) or scheme
    _settle_script_name(request, lexicon)
    _settle_framing(request, policy)
    _settle_connection(request)
    return request


def read_field_lines(lines: Sequence[str], policy: HttpPolicy, tokens: Container[str] = ()) -> Pairs:
    """(name as spelled, value without surrounding white space) of each field line (RFC 9112 5).

    `tokens` are names that are known to be tokens.
    """
    leniency = policy.leniency
    text = "".join(lines).encode("latin-1")
    clean = text.translate(None, CTL) == text
    pairs: Pairs = []
    for line in lines:
        if line.startswith((" ", "\t")):
            _unfold(line, pairs, policy)
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError(400, "field-line", "RFC 9112 5", f"no colon in a field line: {quoted(line)}")
        if leniency.strip_header_spaces:
            name = name.rstrip(" \t")
        if name.endswith((" ", "\t")):
            raise ProtocolError(400, "field-space", "RFC 9112 5.1", f"white space before the colon: {quoted(line)}")
        if name not in tokens and TOKEN.fullmatch(name) is None:
            raise ProtocolError(400, "field-name", "RFC 9110 5.1", f"not a field name: {quoted(name)}")
        pairs.append((name, value.strip(" \t") if clean else _checked_value(name, value)))
    return pairs


def _checked_value(name: str, value: str) -> str:
    if FIELD_VALUE.fullmatch(value) is None:
        raise ProtocolError(400, "field-value", "RFC 9110 5.5", f"control character in {quoted(name)}: {quoted(value)}")
    return value.strip(" \t")


def _unfold(line: str, pairs: Pairs, policy: HttpPolicy) -> None:
    """Joins a continuation line to its field (RFC 9112 5.2), where the operator permits that.

    Never for the first line (RFC 9112 2.2), nor for a field that frames the message: there a reader that
    does not unfold would find another end.
    """
    if not policy.leniency.obsolete_folding or not pairs or pairs[-1][0].lower() in _UNFOLDABLE:
        raise ProtocolError(400, "obs-fold", "RFC 9112 5.2", f"folded field line: {quoted(line)}")
    name, value = pairs[-1]
    joined = f"{value} {_checked_value(name, line)}".strip(" \t")
    if len(joined) > policy.longest_field:
        raise ProtocolError(431, "field-size", "RFC 6585 5", f"folded field {quoted(name)} is too long")
    pairs[-1] = (name, joined)


def _map_fields(request: Request, pairs: Pairs, lexicon: Lexicon) -> None:
    """Fills `variables`, `fields_source` and `dropped`."""
    variables: dict[str, str] = {}
    admitted: Pairs = []
    dropped: list[str] = []
    repeated: dict[str, list[str]] = {}
    forwarded = {lexicon.admit(name) for name, _ in pairs if "_" in name and lexicon.forwarded(name)}
    for name, value in pairs:
        key = lexicon[name] or lexicon.admit(name)
        # What a forwarder says under a name with "_" must not be joined with what its client said with "-".
        if key is None or (key in forwarded and not lexicon.forwarded(name)):
            dropped.append(name)
            continue
        if key not in variables:
            variables[key] = value
        elif key in ONCE or key in forwarded:
            slug = f"duplicate-{name.lower().replace('_', '-')}"
            raise ProtocolError(400, slug, "RFC 9110 5.3", f"more than one {quoted(name)}")
        else:
            repeated.setdefault(key, [variables[key]]).append(value)
        admitted.append((name.lower(), value))
    for key, values in repeated.items():
        variables[key] = ("; " if key == "HTTP_COOKIE" else ",").join(values)
    request.variables = variables
    request.fields_source = admitted
    request.dropped = tuple(dropped)


def _settle_host(request: Request, authority: str | None, policy: HttpPolicy) -> None:
    """One valid Host (RFC 9112 3.2); the authority of an absolute target goes before it (3.2.2)."""
    variables = request.variables
    if "HTTP_HOST" in variables:
        policy.hosts[variables["HTTP_HOST"]]
    elif request.version != "HTTP/1.0" and not policy.leniency.missing_host:
        raise ProtocolError(400, "missing-host", "RFC 9112 3.2", "no Host field")
    if authority is not None and request.method != "CONNECT":
        variables["HTTP_HOST"] = authority
        others = [pair for pair in request.fields if pair[0] != "host"]
        request.fields_source = [("host", authority), *others]


def _scheme(request: Request, lexicon: Lexicon) -> str:
    """What a trusted forwarder says of the scheme, or ""."""
    secure = {key: value for key, value in lexicon.schemes if key in request.variables}
    if not secure:
        return ""
    said = {
        "https" if secure[key] == value else "http"
        for name, value in request.fields
        if (key := lexicon.admit(name)) in secure
    }
    if len(said) > 1:
        raise ProtocolError(
            400, "scheme-contradiction", "RFC 9110 4.2", "forwarded scheme fields contradict each other"
        )
    return said.pop() if said else ""


def _settle_script_name(request: Request, lexicon: Lexicon) -> None:
    """Splits the prefix off that a trusted forwarder names in a SCRIPT_NAME field (RFC 3875 4.1.13)."""
    request.script_name = ""
    if "HTTP_SCRIPT_NAME" not in request.variables or not lexicon.forwarded("SCRIPT_NAME"):
        return
    named = [value for name, value in request.fields if name == "script_name"]
    prefix = decode_path(named[0]).rstrip("/") if named else ""
    if not prefix or request.path == "*":
        request.script_name = prefix
        return
    inside = request.path.startswith(prefix) and request.path[len(prefix) : len(prefix) + 1] in ("", "/")
    if not inside:
        raise ProtocolError(
            400,
            "script-name",
            "RFC 3875 4.1.13",
            f"path {quoted(request.path)} is not below SCRIPT_NAME {quoted(prefix)}",
        )
    request.script_name = prefix
    request.path = request.path[len(prefix) :]


def _settle_framing(request: Request, policy: HttpPolicy) -> None:
    variables = request.variables
    values: list[str] = []
    if "HTTP_TRANSFER_ENCODING" in variables:
        # By name: where header_map lets "Transfer_Encoding" in, it shares the variable and frames nothing.
        values = [value for name, value in request.fields if name == "transfer-encoding"]
    request.chunked = bool(values)
    if values:
        check_transfer_coding(",".join(values), request.version, "CONTENT_LENGTH" in variables)
        request.length = None
        request.complete = False
        return
    length = content_length(variables["CONTENT_LENGTH"], policy.limits.body) if "CONTENT_LENGTH" in variables else 0
    request.length = length
    request.complete = length == 0


def _settle_connection(request: Request) -> None:
    """Persistence (RFC 9112 9.3), Expect (RFC 9110 10.1.1) and Upgrade (RFC 9110 7.8)."""
    options = {option.strip(" \t").lower() for option in request.variables.get("HTTP_CONNECTION", "").split(",")}
    modern = request.version != "HTTP/1.0"
    if "close" in options or request.method == "CONNECT":
        request.keep_alive = False
    else:
        request.keep_alive = modern or "keep-alive" in options
    request.upgrade = request.variables.get("HTTP_UPGRADE", "").lower() if modern and "upgrade" in options else ""
    expectation = request.variables.get("HTTP_EXPECT")
    request.expect_continue = False
    # A client of HTTP/1.0 cannot read an interim answer: its expectation is ignored.
    if expectation is not None and modern:
        if expectation.lower() != "100-continue":
            raise ProtocolError(417, "expectation", "RFC 9110 10.1.1", f"cannot meet {quoted(expectation)}")
        request.expect_continue = not request.complete
