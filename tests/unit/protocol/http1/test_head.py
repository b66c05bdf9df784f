"""The plain reader and the complete one: what each says, and that they never disagree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.fields import HeaderMap
from gunicorn.protocol.http1.examine import examine_head
from gunicorn.protocol.http1.head import parse_head
from gunicorn.protocol.limits import HttpPolicy, Leniency, Limits
from gunicorn.protocol.machine import Request
from gunicorn.protocol.trust import Networks, Peer, TrustPolicy

POLICY = HttpPolicy()
TRUST = TrustPolicy()
KNOWN = TRUST.lexicon(Peer("127.0.0.1"))
STRANGER = TRUST.lexicon(Peer("192.0.2.1"))


def plain(*lines: str, policy: HttpPolicy = POLICY, lexicon=STRANGER) -> Request | None:
    return parse_head(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), policy, lexicon, "http")


def examined(*lines: str, policy: HttpPolicy = POLICY, lexicon=STRANGER) -> Request:
    return examine_head(lines, policy, lexicon, "http")


def everything(request: Request) -> dict[str, object]:
    """All that a request says, whichever reader filled it."""
    said = {name: getattr(request, name) for name in Request.__slots__ if name != "fields_source"}
    return {**said, "fields": request.fields}


def refusal(*lines: str, **options) -> tuple[int, str]:
    with pytest.raises(ProtocolError) as caught:
        examined(*lines, **options)
    return caught.value.status, caught.value.rule


class TestPlain:
    def test_a_browser(self):
        request = plain(
            "GET /a%20b?q HTTP/1.1",
            "Host: h:1",
            "Accept:*/*",
            "X-Empty:",
            "X-Spaced: \t a \t",
            "Cookie: a=b: c",
            "X-Latin: \xa0\xe9\x85",
        )
        assert request is not None
        assert everything(request) == {
            "method": "GET",
            "target": "/a%20b?q",
            "label": b"GET /a%20b?q",
            "raw_path": "/a%20b",
            "path": "/a b",
            "query": "q",
            "version": "HTTP/1.1",
            "scheme": "http",
            "script_name": "",
            "stream": 0,
            "length": 0,
            "chunked": False,
            "complete": True,
            "keep_alive": True,
            "expect_continue": False,
            "upgrade": "",
            "trailers": None,
            "dropped": (),
            "variables": {
                "HTTP_HOST": "h:1",
                "HTTP_ACCEPT": "*/*",
                "HTTP_X_EMPTY": "",
                "HTTP_X_SPACED": "a",
                "HTTP_COOKIE": "a=b: c",
                "HTTP_X_LATIN": "\xa0\xe9\x85",
            },
            "fields": [
                ("host", "h:1"),
                ("accept", "*/*"),
                ("x-empty", ""),
                ("x-spaced", "a"),
                ("cookie", "a=b: c"),
                ("x-latin", "\xa0\xe9\x85"),
            ],
        }

    @pytest.mark.parametrize(
        ("lines", "keep_alive"),
        [
            (("GET / HTTP/1.1", "Host: h"), True),
            (("GET / HTTP/1.1", "Host: h", "Connection: close"), False),
            (("GET / HTTP/1.0", "Host: h"), False),
            (("GET / HTTP/1.0", "Host: h", "Connection: keep-alive"), True),
            (("GET / HTTP/1.0", "Host: h", "Connection: Keep-Alive"), True),
        ],
    )
    def test_persistence(self, lines, keep_alive):
        request = plain(*lines)
        assert request is not None
        assert request.keep_alive is keep_alive

    def test_scheme_of_a_trusted_forwarder(self):
        lines = ("GET / HTTP/1.1", "Host: h", "X-Forwarded-Proto: https")
        known, stranger = plain(*lines, lexicon=KNOWN), plain(*lines)
        assert known is not None
        assert stranger is not None
        assert (known.scheme, stranger.scheme) == ("https", "http")

    @pytest.mark.parametrize(
        "lines",
        [
            ("GET / HTTP/1.1",),
            ("", "GET / HTTP/1.1", "Host: h"),
            ("GET / HTTP/1.1", "Host: h", "", "X: y"),
            ("GET / HTTP/1.1", "Host: h", "no colon"),
            ("GET / HTTP/1.1", "Host: h", "token"),
            ("GET / HTTP/1.1", "Host: h", "X: a", "X: b"),
            ("GET / HTTP/1.1", "Host: h", "Host: h"),
            ("GET / HTTP/1.1", "Host: h", " folded: x"),
            ("GET / HTTP/1.1", "Host: h", "X : y"),
            ("GET / HTTP/1.1", "Host: h", "X: a\nY: b"),
            ("GET / HTTP/1.1", "Host: h", "X: a\rY: b"),
            ("GET / HTTP/1.1", "Host: h", "X: \0"),
            ("GET / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked"),
            ("GET / HTTP/1.1", "Host: h", "Expect: 100-continue"),
            ("GET / HTTP/1.1", "Host: h", "Connection: upgrade"),
            ("GET / HTTP/1.1", "Host: h", "X_Y: z"),
            ("GET http://h/ HTTP/1.1", "Host: h"),
            ("GET / HTTP/1.1", "Host: h", *[f"X{number}: y" for number in range(100)]),
            ("GET / HTTP/1.1", "Host: h", "X: " + "y" * 8190),
            ("GET /" + "y" * 4094 + " HTTP/1.1", "Host: h"),
        ],
        ids=range(20),
    )
    def test_leaves_the_unusual_alone(self, lines):
        assert plain(*lines) is None

    def test_reads_long_heads_within_the_limits(self):
        assert plain("GET / HTTP/1.1", "Host: h", "X: " + "y" * 8187) is not None
        assert plain("GET / HTTP/1.1", "Host: h", *[f"X{number}: y" for number in range(99)]) is not None


class TestExamined:
    def test_absolute_target_goes_before_host(self):
        request = examined("GET http://other:1/p HTTP/1.1", "X: y", "Host: h")
        assert request.variables["HTTP_HOST"] == "other:1"
        assert request.fields == [("host", "other:1"), ("x", "y")]
        assert request.target == "http://other:1/p"

    def test_repeated_fields_are_joined(self):
        request = examined("GET / HTTP/1.1", "Host: h", "X: a", "Cookie: a=1", "x: b", "Cookie: b=2")
        assert (request.variables["HTTP_X"], request.variables["HTTP_COOKIE"]) == ("a,b", "a=1; b=2")
        assert [name for name, _ in request.fields] == ["host", "x", "cookie", "x", "cookie"]

    @pytest.mark.parametrize(
        ("lines", "verdict"),
        [
            (("GET / HTTP/1.1",), (400, "missing-host")),
            (("GET / HTTP/1.1", "Host: h", "Host: h"), (400, "duplicate-host")),
            (("GET / HTTP/1.1", "Host: a b"), (400, "invalid-host")),
            (
                ("GET / HTTP/1.1", "Host: h", "Content-Length: 1", "content-length: 1"),
                (400, "duplicate-content-length"),
            ),
            (("GET / HTTP/1.1", "Host: h", "Content-Type: a", "Content-Type: a"), (400, "duplicate-content-type")),
            (("GET / HTTP/1.1", "Host: h", "Content-Length: 1", "Transfer-Encoding: chunked"), (400, "te-with-length")),
            (("GET / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "Transfer-Encoding: x"), (400, "te-order")),
            (("GET / HTTP/1.1", "Host: h", "X : y"), (400, "field-space")),
            (("GET / HTTP/1.1", "Host: h", ": y"), (400, "field-name")),
            (("GET / HTTP/1.1", "Host: h", "X(: y"), (400, "field-name")),
            (("GET / HTTP/1.1", "Host: h", "token"), (400, "field-line")),
            (("GET / HTTP/1.1", "Host: h", "X: \x0b"), (400, "field-value")),
            (("GET / HTTP/1.1", "Host: h", " y"), (400, "obs-fold")),
            (("GET / HTTP/1.1", " Host: h"), (400, "obs-fold")),
            (("GET / HTTP/1.1", "Host: h", "Expect: 200-ok"), (417, "expectation")),
            (("GET / HTTP/1.1", "Host: h", "Expect: 100-continue", "Expect: 100-continue"), (417, "expectation")),
        ],
    )
    def test_refusals(self, lines, verdict):
        assert refusal(*lines) == verdict

    def test_expect_and_upgrade(self):
        request = examined(
            "POST / HTTP/1.1",
            "Host: h",
            "Content-Length: 1",
            "Expect: 100-Continue",
            "Connection: a, Upgrade",
            "Upgrade: WebSocket",
        )
        assert (request.expect_continue, request.upgrade, request.keep_alive) == (True, "websocket", True)
        old = examined("POST / HTTP/1.0", "Content-Length: 1", "Expect: x", "Connection: upgrade", "Upgrade: a")
        assert (old.expect_continue, old.upgrade, old.keep_alive) == (False, "", False)
        unnamed = examined("GET / HTTP/1.1", "Host: h", "Upgrade: a", "Expect: 100-continue")
        assert (unnamed.upgrade, unnamed.expect_continue) == ("", False)

    def test_close_goes_before_keep_alive(self):
        assert not examined("GET / HTTP/1.1", "Host: h", "Connection: keep-alive", "Connection: CLOSE").keep_alive

    def test_connect(self):
        request = examined("CONNECT a:80 HTTP/1.1", "Host: h")
        assert (request.path, request.keep_alive, request.variables["HTTP_HOST"]) == ("", False, "h")


class TestFolding:
    POLICY = HttpPolicy(leniency=Leniency(obsolete_folding=True))

    def test_is_joined_by_a_space(self):
        request = examined("GET / HTTP/1.1", "Host: h", "X: a", " \t b ", "\tc", policy=self.POLICY)
        assert request.variables["HTTP_X"] == "a b c"

    @pytest.mark.parametrize("line", ["Host: h", "Content-Length: 1", "Transfer-Encoding:", "Connection: a"])
    def test_never_in_what_frames(self, line):
        lines = ("GET / HTTP/1.1", "Host: h") if line != "Host: h" else ("GET / HTTP/1.1",)
        assert refusal(*lines, line, " x", policy=self.POLICY) == (400, "obs-fold")

    def test_never_first_never_with_controls_never_beyond_the_limit(self):
        assert refusal("GET / HTTP/1.1", " Host: h", policy=self.POLICY) == (400, "obs-fold")
        assert refusal("GET / HTTP/1.1", "X: y", " \0", policy=self.POLICY) == (400, "field-value")
        short = HttpPolicy(Limits(field_size=20), Leniency(obsolete_folding=True))
        assert refusal("GET / HTTP/1.1", "X: " + "a" * 15, " bbbbbb", policy=short) == (431, "field-size")


class TestLeniency:
    def test_spaces_before_the_colon(self):
        policy = HttpPolicy(leniency=Leniency(strip_header_spaces=True))
        request = examined("GET / HTTP/1.1", "Host : h", "Content-Length \t: 1", policy=policy)
        assert (request.variables["HTTP_HOST"], request.length) == ("h", 1)

    def test_missing_host(self):
        policy = HttpPolicy(leniency=Leniency(missing_host=True))
        assert "HTTP_HOST" not in examined("GET / HTTP/1.1", policy=policy).variables


class TestForwarders:
    TRUST = TrustPolicy(forwarder_headers=["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER"])
    KNOWN = TRUST.lexicon(Peer("127.0.0.1"))

    def test_script_name(self):
        request = examined("GET /app/x%20y HTTP/1.1", "Host: h", "SCRIPT_NAME: /app/", lexicon=self.KNOWN)
        assert (request.script_name, request.path, request.raw_path) == ("/app", "/x y", "/app/x%20y")
        whole = examined("GET /app HTTP/1.1", "Host: h", "Script_Name: /app", lexicon=self.KNOWN)
        assert (whole.script_name, whole.path) == ("/app", "")
        root = examined("GET /x HTTP/1.1", "Host: h", "SCRIPT_NAME: /", lexicon=self.KNOWN)
        assert (root.script_name, root.path) == ("", "/x")
        server = examined("OPTIONS * HTTP/1.1", "Host: h", "SCRIPT_NAME: /app", lexicon=self.KNOWN)
        assert (server.script_name, server.path) == ("/app", "*")

    @pytest.mark.parametrize("path", ["/other", "/application", "/"])
    def test_script_name_elsewhere(self, path):
        assert refusal(f"GET {path} HTTP/1.1", "Host: h", "SCRIPT_NAME: /app", lexicon=self.KNOWN) == (
            400,
            "script-name",
        )

    def test_a_stranger_names_nothing(self):
        request = examined("GET /app/x HTTP/1.1", "Host: h", "SCRIPT_NAME: /app", "Script-Name: /app")
        assert (request.script_name, request.path, request.dropped) == ("", "/app/x", ("SCRIPT_NAME",))

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_client_cannot_join_what_the_forwarder_says(self, order):
        lines = ["REMOTE_USER: bob", "Remote-User: eve"][::order]
        request = examined("GET / HTTP/1.1", "Host: h", *lines, lexicon=self.KNOWN)
        assert request.variables["HTTP_REMOTE_USER"] == "bob"
        assert request.dropped == ("Remote-User",)

    def test_a_forwarder_speaks_once(self):
        lines = ("GET / HTTP/1.1", "Host: h", "REMOTE_USER: a", "REMOTE_USER: b")
        assert refusal(*lines, lexicon=self.KNOWN) == (400, "duplicate-remote-user")

    def test_dangerous_mapping_never_frames(self):
        lexicon = TrustPolicy(header_map=HeaderMap.DANGEROUS, forwarders=Networks("")).lexicon(Peer("127.0.0.1"))
        request = examined("GET / HTTP/1.1", "Host: h", "Content_Length: 5", "X_Y: a", "X-Y: b", lexicon=lexicon)
        assert (request.length, request.complete, request.variables["HTTP_X_Y"]) == (0, True, "a,b")
        assert "CONTENT_LENGTH" not in request.variables

    @pytest.mark.parametrize(
        ("values", "scheme"),
        [
            (["X-Forwarded-Proto: https"], "https"),
            (["X-Forwarded-Proto: HTTPS"], "http"),
            (["X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"], "https"),
            (["X-Forwarded-Proto: http", "X-Forwarded-Ssl: off"], "http"),
            ([], "http"),
        ],
    )
    def test_schemes(self, values, scheme):
        assert examined("GET / HTTP/1.1", "Host: h", *values, lexicon=self.KNOWN).scheme == scheme

    @pytest.mark.parametrize("second", ["X-Forwarded-Ssl: off", "X-Forwarded-Proto: http"])
    def test_schemes_must_agree(self, second):
        lines = ("GET / HTTP/1.1", "Host: h", "X-Forwarded-Proto: https", second)
        assert refusal(*lines, lexicon=self.KNOWN) == (400, "scheme-contradiction")
        assert examined(*lines).scheme == "http"


NAMES = st.sampled_from(
    ["Host", "Accept", "X-Y", "X_Y", "x-y", "Content-Length", "Content-Type", "Connection", "Cookie", "Upgrade"]
) | st.sampled_from(["Transfer-Encoding", "Expect", "X-Forwarded-Proto", "X-Forwarded-Ssl", "SCRIPT_NAME", "Bad(Name"])
VALUES = st.sampled_from(
    [
        "h",
        "",
        "0",
        "5",
        "a b",
        "close",
        "keep-alive",
        "chunked",
        "https",
        "on",
        "100-continue",
        "/",
        "\xe9",
        "a\tb",
        "\0",
        "+1",
    ]
)
FIELD = st.one_of(
    st.builds(
        lambda name, gap, value, end: f"{name}:{gap}{value}{end}",
        NAMES,
        st.sampled_from(["", " ", "\t", "  "]),
        VALUES,
        st.sampled_from(["", " "]),
    ),
    st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=8),
)
REQUEST_LINES = st.sampled_from(
    [
        "GET / HTTP/1.1",
        "GET /a%20?b HTTP/1.0",
        "POST /x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://h/ HTTP/1.1",
        "get / HTTP/1.1",
        "GET / HTTP/2.0",
    ]
)


@settings(max_examples=400, deadline=None)
@given(REQUEST_LINES, st.lists(FIELD, max_size=6), st.booleans())
def test_both_readers_agree(line, fields, trusted):
    """Where the plain reader says anything, the complete one says the same."""
    lexicon = KNOWN if trusted else STRANGER
    lines = (line, *fields)
    refused = None
    request = None
    try:
        request = plain(*lines, lexicon=lexicon)
    except ProtocolError as error:
        refused = error.status, error.rule
    if refused is not None:
        assert refusal(*lines, lexicon=lexicon) == refused
    if request is not None:
        assert everything(request) == everything(examined(*lines, lexicon=lexicon))
