"""What the ASGI extension `tls` (TLS extension 0.2) tells an application about its connection."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_VERSIONS = {"TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""Names of attributes as RFC 4514 3 abbreviates them."""


def tls_extension(transport: asyncio.Transport) -> dict[str, Any]:
    """The extension's dictionary for a transport whose handshake is over.

    The server's own certificate is not known to a context that loaded it from a file, so it is None.
    """
    connection: Any = transport.get_extra_info("ssl_object")
    if connection is None:
        return {}
    der = connection.getpeercert(binary_form=True)
    cipher = connection.cipher()
    return {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else [],
        "client_cert_name": distinguished_name(connection.getpeercert()) if der else None,
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(connection.version() or ""),
        "cipher_suite": _suite(connection.context, cipher[0]) if cipher else None,
    }


def distinguished_name(certificate: dict[str, Any] | None) -> str | None:
    """The subject as RFC 4514 spells it, most specific first; None for a certificate that was not verified."""
    if not certificate:
        return None
    parts = [
        "+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in relative)
        for relative in reversed(certificate.get("subject", ()))
    ]
    return ",".join(parts)


def _escaped(value: str) -> str:
    """RFC 4514 2.4."""
    text = "".join(f"\\{char}" if char in ',+"\\<>;=' else char for char in value)
    if text.endswith(" "):
        text = text[:-1] + "\\ "
    if text[:1] in ("#", " "):
        text = "\\" + text
    return text.replace("\0", "\\00")


def _suite(context: ssl.SSLContext, name: str) -> int | None:
    """The number of a cipher suite in the registry of TLS, by its OpenSSL name."""
    for cipher in context.get_ciphers():
        if cipher["name"] == name:
            return int(cipher["id"]) & 0xFFFF
    return None
