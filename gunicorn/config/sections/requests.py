"""Whom the server believes, and which requests it is lenient with."""

from __future__ import annotations

from gunicorn.config.casts import BOOLEAN, COMMA_STRINGS, NETWORKS, STRING_MAPPING, one_of, text_or
from gunicorn.config.option import Action, Section, option

PROXY_SPELLINGS = {True: "auto", False: "off", "true": "auto", "false": "off", "on": "auto", "1": "auto", "0": "off"}


class Requests(Section, title="Server Mechanics"):
    """Trust in forwarders, and departures from the letter of RFC 9110 and RFC 9112."""

    secure_scheme_headers: dict[str, str] = option(
        {"X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"},
        kind=STRING_MAPPING,
        doc="""Fields, and the value of each, by which a trusted forwarder says that its client used HTTPS.

        A request in which they contradict one another is refused.""",
    )
    forwarded_allow_ips: str = option(
        "127.0.0.1,::1",
        "--forwarded-allow-ips",
        kind=NETWORKS,
        metavar="STRING",
        env="FORWARDED_ALLOW_IPS",
        doc="""Addresses and networks, comma separated, of forwarders whose fields are believed; `*` is everybody.

        Where the variable `FORWARDED_ALLOW_IPS` is set, it is the default. Peers on unix sockets are always
        believed.""",
    )
    proxy_protocol: str = option(
        "off",
        "--proxy-protocol",
        kind=one_of("off", "v1", "v2", "auto", label="proxy protocol", synonyms=PROXY_SPELLINGS),
        metavar="MODE",
        bare="auto",
        doc="""Whether connections begin with a PROXY header: `off`, `v1`, `v2`, or `auto` for both versions.

        The flag alone means `auto`. Only addresses in `proxy_allow_ips` may send one.""",
    )
    proxy_allow_ips: str = option(
        "127.0.0.1,::1",
        "--proxy-allow-from",
        kind=NETWORKS,
        doc="""Addresses and networks, comma separated, that may send a PROXY header; `*` is everybody.""",
    )
    protocol: str = option(
        "http",
        "--protocol",
        kind=one_of("http", "uwsgi", label="str"),
        metavar="STRING",
        later="the uwsgi protocol",
        doc="""What the listeners speak: `http` or `uwsgi`.""",
    )
    uwsgi_allow_ips: str = option(
        "127.0.0.1,::1",
        "--uwsgi-allow-from",
        kind=NETWORKS,
        later="the uwsgi protocol",
        doc="""Addresses and networks, comma separated, that may speak the uwsgi protocol; `*` is everybody.""",
    )
    permit_obsolete_folding: bool = option(
        False,
        "--permit-obsolete-folding",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Accept fields that go on in a further line (RFC 9112 5.2) and join the lines. Off: refused.""",
    )
    strip_header_spaces: bool = option(
        False,
        "--strip-header-spaces",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Accept spaces between a field's name and its colon (RFC 9112 5.1) and drop them. Off: refused.

        Servers that read such a field in different ways can be played off against each other.""",
    )
    permit_unconventional_http_method: bool = option(
        False,
        "--permit-unconventional-http-method",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Accept methods that are tokens by the RFC but not upper-case words of 3 to 20 letters.""",
    )
    permit_unconventional_http_version: bool = option(
        False,
        "--permit-unconventional-http-version",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Accept HTTP/1 versions other than 1.0 and 1.1.""",
    )
    casefold_http_method: bool = option(
        False,
        "--casefold-http-method",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Turn methods into upper case. By the RFC `get` and `GET` are two methods.""",
    )
    permit_missing_host: bool = option(
        False,
        "--permit-missing-host",
        kind=BOOLEAN,
        action=Action.TRUE,
        ours=True,
        doc="""Accept HTTP/1.1 requests without a Host field (RFC 9112 3.2). Off: refused.""",
    )
    forwarder_headers: list[str] = option(
        ["SCRIPT_NAME", "PATH_INFO"],
        "--forwarder-headers",
        kind=COMMA_STRINGS,
        doc="""Names with underscores, upper case, that a trusted forwarder may use whatever `header_map` says.

        `SCRIPT_NAME` and `PATH_INFO` set the environ variables of that name.""",
    )
    header_map: str = option(
        "drop",
        "--header-map",
        kind=one_of("drop", "refuse", "dangerous", label="header map behaviour"),
        doc="""What becomes of fields whose name has an underscore, since in an environ it looks like a hyphen.

        `drop` leaves the field out, `refuse` refuses the request, `dangerous` lets the field in.""",
    )
    root_path: str = option(
        "",
        "--root-path",
        kind=text_or(""),
        metavar="STRING",
        doc="""The path under which an ASGI application is mounted (`root_path` of its scope).

        Where it is empty, the variable `SCRIPT_NAME` of the environment says it. A trusted forwarder may say another
        one for a request, by a field of that name. `path` is left as the client sent it.""",
    )
