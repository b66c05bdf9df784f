"""From settings to what each lower layer takes: limits, leniencies, times, trust, TLS.

Cut once, when a worker starts: no protocol, driver or bridge ever sees the configuration. Knows the
names of both sides and decides nothing but how one is spelled as the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gunicorn.config.settings import Settings
from gunicorn.protocol.fields import HeaderMap
from gunicorn.protocol.limits import HttpPolicy, Leniency, Limits, Timeouts, WebSocketPolicy
from gunicorn.protocol.trust import Networks, ProxyMode, TrustPolicy

if TYPE_CHECKING:
    from gunicorn.net.tls import TlsOptions

MAX_REQUEST_FIELDS = 32768

_ALPN = {"h1": "http/1.1", "h2": "h2"}
"""Protocol names as TLS spells them (RFC 7301 6, RFC 9113 3.2)."""


def limits(cfg: Settings) -> Limits:
    """Bounds on a request."""
    return Limits(
        request_line=cfg.limit_request_line,
        fields=min(cfg.limit_request_fields or MAX_REQUEST_FIELDS, MAX_REQUEST_FIELDS),
        field_size=cfg.limit_request_field_size,
        body=cfg.limit_request_body,
    )


def leniency(cfg: Settings) -> Leniency:
    """Departures from the RFC that were asked for."""
    return Leniency(
        obsolete_folding=cfg.permit_obsolete_folding,
        strip_header_spaces=cfg.strip_header_spaces,
        unconventional_method=cfg.permit_unconventional_http_method,
        unconventional_version=cfg.permit_unconventional_http_version,
        casefold_method=cfg.casefold_http_method,
        missing_host=cfg.permit_missing_host,
    )


def http_policy(cfg: Settings) -> HttpPolicy:
    """What an HTTP/1.1 machine is bound by."""
    return HttpPolicy(limits=limits(cfg), leniency=leniency(cfg))


def timeouts(cfg: Settings) -> Timeouts:
    """How long each phase of a connection may last, in seconds."""
    return Timeouts(
        handshake=cfg.tls_handshake_timeout,
        header=cfg.header_timeout,
        body=cfg.body_timeout,
        keepalive=float(cfg.keepalive),
        write=cfg.write_timeout,
    )


def websocket_policy(cfg: Settings) -> WebSocketPolicy:
    """What WebSocket connections are bound by."""
    return WebSocketPolicy(
        max_message_size=cfg.websocket_max_message_size,
        deflate=cfg.websocket_permessage_deflate,
        ping_interval=cfg.websocket_ping_interval,
        ping_timeout=cfg.websocket_ping_timeout,
    )


def trust_policy(cfg: Settings) -> TrustPolicy:
    """Whose forwarding fields and PROXY headers count, and how field names with "_" are read."""
    return TrustPolicy(
        forwarders=Networks(cfg.forwarded_allow_ips),
        header_map=HeaderMap(cfg.header_map),
        forwarder_headers=cfg.forwarder_headers,
        secure_scheme_headers=cfg.secure_scheme_headers,
        proxy_mode=ProxyMode(cfg.proxy_protocol),
        proxies=Networks(cfg.proxy_allow_ips),
    )


def tls_options(cfg: Settings) -> TlsOptions | None:
    """How TLS is spoken, or None where no certificate is given.

    Only HTTP/1.1 is offered by ALPN as long as nothing else is spoken, whatever `http_protocols` says.
    """
    if cfg.certfile is None:
        return None
    from gunicorn.net.tls import TlsOptions

    spoken = [name for name in cfg.http_protocols if name == "h1"] or ["h1"]
    return TlsOptions(
        certfile=cfg.certfile,
        keyfile=cfg.keyfile,
        ca_certs=cfg.ca_certs,
        cert_reqs=cfg.cert_reqs,
        ciphers=cfg.ciphers,
        ssl_version=cfg.ssl_version,
        do_handshake_on_connect=cfg.do_handshake_on_connect,
        suppress_ragged_eofs=cfg.suppress_ragged_eofs,
        alpn=tuple(_ALPN[name] for name in spoken),
    )
