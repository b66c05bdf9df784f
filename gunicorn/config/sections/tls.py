"""Certificates, and how TLS is spoken."""

from __future__ import annotations

from gunicorn.config.casts import BOOLEAN, SSL_VERSION, TEXT, whole
from gunicorn.config.option import Action, Section, option


class Tls(Section, title="SSL"):
    """TLS on every TCP and unix listener, as soon as a certificate is given."""

    keyfile: str | None = option(
        None,
        "--keyfile",
        kind=TEXT,
        metavar="FILE",
        doc="""The private key in PEM form, without a passphrase; not needed where `certfile` holds it too.""",
    )
    certfile: str | None = option(
        None,
        "--certfile",
        kind=TEXT,
        metavar="FILE",
        doc="""The certificate in PEM form, followed by the chain up to, but without, the root.""",
    )
    ssl_version: int = option(
        2,
        "--ssl-version",
        kind=SSL_VERSION,
        doc="""Accepted for old configurations and without effect: TLS 1.2 and newer are spoken.

        The `ssl_context` hook can set other bounds.""",
    )
    cert_reqs: int = option(
        0,
        "--cert-reqs",
        kind=whole(0, 2),
        doc="""Whether clients show a certificate: 0 not asked, 1 optional, 2 required (`ssl.VerifyMode`).""",
    )
    ca_certs: str | None = option(
        None,
        "--ca-certs",
        kind=TEXT,
        metavar="FILE",
        doc="""The authorities, in PEM form, that client certificates must come from.""",
    )
    suppress_ragged_eofs: bool = option(
        True,
        "--suppress-ragged-eofs",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether a connection that ends without the closing message of TLS counts as ended.""",
    )
    do_handshake_on_connect: bool = option(
        False,
        "--do-handshake-on-connect",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether the handshake is made when the connection is accepted, or with the first bytes that are read.

        Either way it is bounded by `tls_handshake_timeout`.""",
    )
    ciphers: str | None = option(
        None,
        "--ciphers",
        kind=TEXT,
        doc="""The ciphers of TLS 1.2, in the form of OpenSSL's cipher lists. Without it OpenSSL's own choice.""",
    )
