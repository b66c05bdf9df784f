"""Names of fields: CGI variables, underscores, forwarders, and the kinds of response names."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.fields import (
    ASK,
    CONNECTION,
    DATE,
    HOP,
    LENGTH,
    PLAIN,
    SERVER,
    UPGRADE,
    HeaderMap,
    Lexicon,
    ResponseNames,
    cgi_name,
)


def test_cgi_names():
    assert cgi_name("Accept-Language") == "HTTP_ACCEPT_LANGUAGE"
    assert cgi_name("content-type") == "CONTENT_TYPE"
    assert cgi_name("CONTENT-LENGTH") == "CONTENT_LENGTH"
    assert cgi_name("Content_Length") == "HTTP_CONTENT_LENGTH", "an underscore must not frame a message"


@pytest.mark.parametrize("name", ["", "a b", "a:", "X_Y", "Transfer-Encoding", "EXPECT", "upgrade", "é", " a", "a\t"])
def test_lexicon_asks_for_a_closer_look_and_does_not_keep_it(name):
    lexicon = Lexicon(trusted=False)
    assert lexicon[name] == ASK
    assert name not in lexicon


def test_lexicon_keeps_each_spelling():
    lexicon = Lexicon(trusted=False)
    assert lexicon["x-y"] == lexicon["X-Y"] == "HTTP_X_Y"
    assert set(lexicon) == {"x-y", "X-Y"}


def test_underscores_by_header_map():
    assert Lexicon(trusted=False).admit("X_Y") is None
    assert Lexicon(trusted=False, header_map=HeaderMap.DANGEROUS).admit("X_Y") == "HTTP_X_Y"
    with pytest.raises(ProtocolError) as caught:
        Lexicon(trusted=False, header_map=HeaderMap.REFUSE).admit("X_Y")
    assert (caught.value.status, caught.value.rule) == (400, "underscore")


def test_forwarder_headers_are_for_the_trusted():
    names = frozenset({"SCRIPT_NAME"})
    assert Lexicon(trusted=True, forwarder_headers=names).admit("Script_Name") == "HTTP_SCRIPT_NAME"
    assert Lexicon(trusted=True, header_map=HeaderMap.REFUSE, forwarder_headers=names).forwarded("SCRIPT_NAME")
    assert Lexicon(trusted=False, forwarder_headers=names).admit("Script_Name") is None


def test_schemes_are_for_the_trusted():
    schemes = (("HTTP_X_FORWARDED_PROTO", "https"),)
    assert Lexicon(trusted=True, schemes=schemes).schemes == schemes
    assert Lexicon(trusted=False, schemes=schemes).schemes == ()


def test_response_names():
    names = ResponseNames()
    spelled = {
        "X-Y": PLAIN,
        "content-LENGTH": LENGTH,
        "Server": SERVER,
        "date": DATE,
        "Connection": CONNECTION,
        "Upgrade": UPGRADE,
        "Transfer-Encoding": HOP,
        "Keep-Alive": HOP,
        "Trailer": PLAIN,
    }
    assert {name: names[name] for name in spelled} == spelled
    assert {name: names[name.encode()] for name in spelled} == spelled


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", b"a:", "é".encode(), 5, None])
def test_response_names_are_tokens(name):
    with pytest.raises(ResponseError):
        ResponseNames()[name]
