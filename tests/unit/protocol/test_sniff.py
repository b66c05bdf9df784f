"""Other protocols' first bytes."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.sniff import HTTP2_PREFACE, is_tls, refuse_foreign, refuse_tls


def test_tls():
    assert is_tls(b"\x16\x03\x01\x02\x00")
    assert not is_tls(b"\x16")
    assert not is_tls(b"GET")
    for refuse in (refuse_tls, refuse_foreign):
        with pytest.raises(ProtocolError) as caught:
            refuse(b"\x16\x03\x03")
        assert (caught.value.status, caught.value.rule) == (0, "tls-on-plain-port")


def test_http2():
    with pytest.raises(ProtocolError) as caught:
        refuse_foreign(HTTP2_PREFACE.split(b"\n")[0])
    assert (caught.value.status, caught.value.rule) == (505, "http2-preface")


@pytest.mark.parametrize("data", [b"", b"P", b"PRI", b"GET / HTTP/1.1\r", b"PRI * HTTP/2.0x"])
def test_nothing_foreign(data):
    refuse_foreign(data)
    refuse_tls(data)
