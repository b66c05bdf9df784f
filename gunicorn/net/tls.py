"""TLS for one listener: from plain options to one SSLContext that all its connections share.

Knows which options there are, which floor they stand on (TLS 1.2, RFC 8996) and how to say what is
wrong with a file. Touches no connection: who accepts also wraps.

One context a listener, made before fork where that is possible: the keys of session tickets live in
it, so a client that comes back to another worker resumes its session only if both share one origin.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import NamedTuple

from gunicorn.errors import ListenError


class TlsOptions(NamedTuple):
    """What a listener is told about TLS. Paths are as the operator wrote them.

    `cert_reqs` is an `ssl.VerifyMode` as a number: 0 no client certificate, 1 optional, 2 required.
    `ssl_version` is accepted for old configurations and decides nothing. `alpn` is in order of
    preference (RFC 7301), empty for none.
    """

    certfile: str
    keyfile: str | None = None
    ca_certs: str | None = None
    cert_reqs: int = 0
    ciphers: str | None = None
    ssl_version: int = 2
    do_handshake_on_connect: bool = False
    suppress_ragged_eofs: bool = True
    alpn: tuple[str, ...] = ("http/1.1",)


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """A server-side context. Raises ListenError with one line that names the file or option at fault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    _load_identity(context, options)
    _load_clients(context, options)
    if options.ciphers:
        try:
            context.set_ciphers(options.ciphers)
        except ssl.SSLError:
            raise ListenError(f"ciphers {options.ciphers!r}: no cipher of this OpenSSL matches") from None
    if options.alpn:
        context.set_alpn_protocols(list(options.alpn))
    return context


def default_factory(options: TlsOptions) -> Callable[[], ssl.SSLContext]:
    """What the `ssl_context` hook gets as its second argument: call it for the context of `options`."""

    def make() -> ssl.SSLContext:
        return server_context(options)

    return make


SslContextHook = Callable[[Callable[[], ssl.SSLContext]], ssl.SSLContext]
"""The user's `ssl_context(config, default_factory)` with its first argument already bound."""


def listener_context(options: TlsOptions, hook: SslContextHook | None = None) -> ssl.SSLContext:
    """The context of a listener, by the user's hook if there is one.

    Raises ListenError where the hook returns something else; what the hook raises is its author's.
    """
    if hook is None:
        return server_context(options)
    context = hook(default_factory(options))
    if not isinstance(context, ssl.SSLContext):
        raise ListenError(f"the ssl_context hook must return an ssl.SSLContext, not {type(context).__name__}")
    return context


class _KeyIsEncrypted(Exception):
    """Raised from OpenSSL's question for a passphrase, which otherwise goes to the terminal."""


def _no_passphrase() -> str:
    raise _KeyIsEncrypted


def _load_identity(context: ssl.SSLContext, options: TlsOptions) -> None:
    _check_readable("certfile", options.certfile)
    if options.keyfile:
        _check_readable("keyfile", options.keyfile)
    key_name = f"keyfile {options.keyfile!r}" if options.keyfile else f"the key in certfile {options.certfile!r}"
    try:
        context.load_cert_chain(options.certfile, options.keyfile, password=_no_passphrase)
    except _KeyIsEncrypted:
        raise ListenError(f"{key_name} is encrypted; store it without a passphrase") from None
    except ssl.SSLError as error:
        raise ListenError(_identity_fault(options, key_name, error)) from None


def _identity_fault(options: TlsOptions, key_name: str, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key_name} does not belong to certfile {options.certfile!r}"
    if not _has_pem(options.certfile, b"CERTIFICATE-----"):
        return f"certfile {options.certfile!r} holds no PEM certificate"
    if not _has_pem(options.keyfile or options.certfile, b"PRIVATE KEY-----"):
        return f"{key_name} is missing: no PEM private key is there"
    return f"certfile {options.certfile!r} and {key_name} cannot be loaded: {error.reason or error}"


def _load_clients(context: ssl.SSLContext, options: TlsOptions) -> None:
    try:
        context.verify_mode = ssl.VerifyMode(options.cert_reqs)
    except ValueError:
        raise ListenError(f"cert_reqs {options.cert_reqs!r} is not 0 (none), 1 (optional) or 2 (required)") from None
    if options.ca_certs:
        _check_readable("ca_certs", options.ca_certs)
        try:
            context.load_verify_locations(options.ca_certs)
        except ssl.SSLError as error:
            raise ListenError(
                f"ca_certs {options.ca_certs!r} holds no usable PEM certificate: {error.reason or error}"
            ) from None
    elif options.cert_reqs:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)


def _check_readable(setting: str, path: str) -> None:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise ListenError(f"{setting} {path!r} cannot be read: {error.strerror}") from None


def _has_pem(path: str, marker: bytes) -> bool:
    with open(path, "rb") as file:
        return marker in file.read()
