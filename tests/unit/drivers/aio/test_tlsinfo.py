"""What an application is told of TLS: names as RFC 4514 spells them, numbers as the registry has them."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import pytest

from gunicorn.drivers.aio.tlsinfo import distinguished_name, tls_extension


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a,b", "a\\,b"),
        ('say "+"', 'say \\"\\+\\"'),
        ("a\\b;<c>=d", "a\\\\b\\;\\<c\\>\\=d"),
        ("#1", "\\#1"),
        ("1#", "1#"),
        (" a", "\\ a"),
        ("a ", "a\\ "),
        ("  ", "\\ \\ "),
        (" ", "\\ "),
        ("a\0b", "a\\00b"),
        ("grüße", "grüße"),
    ],
)
def test_values_are_escaped(value, spelled):
    assert distinguished_name({"subject": ((("commonName", value),),)}) == f"CN={spelled}"


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (None, None),
        ({}, None),
        ({"subject": ()}, ""),
        ({"subject": ((("countryName", "DE"),), (("commonName", "x"),))}, "CN=x,C=DE"),
        ({"subject": ((("commonName", "x"), ("userId", "7")),)}, "CN=x+UID=7"),
        ({"subject": ((("emailAddress", "a@b"),),)}, "emailAddress=a@b"),
    ],
)
def test_names(certificate, name):
    assert distinguished_name(certificate) == name


class Tls:
    """What a transport gives under "ssl_object"."""

    def __init__(self, version="TLSv1.3", der=None, cipher="TLS_AES_256_GCM_SHA384") -> None:
        self.context = ssl.create_default_context()
        self.version = lambda: version
        self.cipher = lambda: (cipher, version, 256) if cipher else None
        self.der = der

    def getpeercert(self, binary_form=False):
        return self.der if binary_form else {"subject": ((("commonName", "client"),),)}


def told(connection) -> dict:
    return tls_extension(SimpleNamespace(get_extra_info=lambda name: connection if name == "ssl_object" else None))


def test_the_extension():
    assert told(Tls()) == {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1302,
    }
    with_client = told(Tls("TLSv1.2", b"\x30\x00"))
    assert (with_client["tls_version"], with_client["client_cert_name"]) == (0x0303, "CN=client")
    (pem,) = with_client["client_cert_chain"]
    assert ssl.PEM_cert_to_DER_cert(pem) == b"\x30\x00"


@pytest.mark.parametrize(("version", "cipher"), [("SSLv9", "NO-SUCH"), (None, None)])
def test_what_is_not_known_is_none(version, cipher):
    said = told(Tls(version, None, cipher))
    assert (said["tls_version"], said["cipher_suite"]) == (None, None)


def test_no_tls():
    assert told(None) == {}
