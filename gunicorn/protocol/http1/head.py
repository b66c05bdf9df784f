"""The head of a request in the plain form that nearly every one has (RFC 9112 2-3, 5): one pass over the bytes.

`parse_head` answers with a decided Request, or with None for a head that holds anything unusual; that one is
for `examine.examine_head`, which knows all rules. Native code may take the place of this module, never with
rules of its own. Knows no connection: what came before and what follows is not its business.
"""

from __future__ import annotations

from gunicorn.protocol.fields import Lexicon
from gunicorn.protocol.framing import content_length
from gunicorn.protocol.grammar import CTL
from gunicorn.protocol.limits import HttpPolicy
from gunicorn.protocol.machine import Request

_PERSISTENCE = {"keep-alive": True, "Keep-Alive": True, "close": False}


def parse_head(data: bytes, policy: HttpPolicy, lexicon: Lexicon, scheme: str) -> Request | None:
    """The Request of a plain head; `data` ends with its empty line.

    Raises ProtocolError for a request line, a Host or a length that no rule admits.
    """
    lines = data.decode("latin-1").split("\r\n")
    breaks = len(lines) - 1
    # One pass proves that each CR and LF belongs to a line end and that no other control character is there.
    if len(data.translate(None, CTL)) != len(data) - 2 * breaks or breaks - 2 > policy.limits.fields:
        return None
    if len(data) > policy.plain_head and _too_long(lines, policy):
        return None
    line = lines.pop(0)
    # The last two are what follows the last field line and the empty line.
    del lines[-2:]
    variables: dict[str, str] = {}
    for field in lines:
        name, colon, value = field.partition(":")
        key = lexicon[name]
        if not key or key in variables or not colon:
            return None
        variables[key] = value.strip(" \t")
    if not line or "HTTP_HOST" not in variables:
        return None
    return _decide(line, variables, lines, policy, lexicon, scheme)


def repeat_head(line: bytes, model: Request, policy: HttpPolicy) -> Request | None:
    """The Request of a head whose field lines are, byte for byte, those of `model`'s, which had no body.

    A kept connection mostly says the same of itself each time (HTTP/2 has HPACK for that): what was decided
    of the fields is decided. None where the request line changes what they mean. Raises as `parse_head`.
    """
    if len(line) > policy.longest_request_line or b"\n" in line:
        return None
    request = Request()
    (
        request.method,
        request.target,
        request.raw_path,
        request.path,
        request.query,
        request.version,
        authority,
        request.label,
    ) = policy.request_lines[line.decode("latin-1")]
    if authority is not None or request.version != model.version:
        return None
    request.keep_alive = model.keep_alive
    request.scheme = model.scheme
    request.variables = model.variables
    request.fields_source = model.fields_source
    request.length = request.stream = 0
    request.complete = True
    request.script_name = request.upgrade = ""
    request.chunked = request.expect_continue = False
    request.trailers = None
    request.dropped = ()
    return request


def _too_long(lines: list[str], policy: HttpPolicy) -> bool:
    return len(lines[0]) > policy.longest_request_line or max(map(len, lines[1:])) > policy.longest_field


def _decide(
    line: str, variables: dict[str, str], lines: list[str], policy: HttpPolicy, lexicon: Lexicon, scheme: str
) -> Request | None:
    request = Request()
    named = ""
    (
        request.method,
        request.target,
        request.raw_path,
        request.path,
        request.query,
        request.version,
        authority,
        request.label,
    ) = policy.request_lines[line]
    policy.hosts[variables["HTTP_HOST"]]
    if authority is not None:
        return None
    for key, secure in lexicon.schemes:
        if key in variables:
            if named:
                return None
            named = "https" if variables[key] == secure else "http"
    if "HTTP_CONNECTION" in variables:
        keep_alive = _PERSISTENCE.get(variables["HTTP_CONNECTION"])
        if keep_alive is None:
            return None
        request.keep_alive = keep_alive
    else:
        request.keep_alive = request.version != "HTTP/1.0"
    if "CONTENT_LENGTH" in variables:
        request.length = length = content_length(variables["CONTENT_LENGTH"], policy.limits.body)
        request.complete = length == 0
    else:
        request.length = 0
        request.complete = True
    request.scheme = named or scheme
    request.variables = variables
    request.fields_source = lines
    request.stream = 0
    request.script_name = request.upgrade = ""
    request.chunked = request.expect_continue = False
    request.trailers = None
    request.dropped = ()
    return request
