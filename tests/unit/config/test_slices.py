"""What the lower layers are told, for settings that differ from their defaults."""

from gunicorn.config import Settings, slices
from gunicorn.net.tls import TlsOptions
from gunicorn.protocol.limits import Leniency, Limits, Timeouts, WebSocketPolicy
from gunicorn.protocol.trust import Peer, ProxyMode


def test_defaults_are_those_of_the_lower_layers():
    assert slices.limits(Settings()) == Limits()
    assert slices.leniency(Settings()) == Leniency()
    assert slices.timeouts(Settings()) == Timeouts()
    assert slices.websocket_policy(Settings()) == WebSocketPolicy()
    assert slices.tls_options(Settings()) is None


def test_limits():
    cfg = Settings().replace(
        limit_request_line=0, limit_request_fields=7, limit_request_field_size=9, limit_request_body="1K"
    )
    assert slices.limits(cfg) == Limits(request_line=0, fields=7, field_size=9, body=1024)
    assert slices.http_policy(cfg).limits == slices.limits(cfg)


def test_the_number_of_fields_is_never_unlimited():
    assert slices.limits(Settings().replace(limit_request_fields=0)).fields == 32768
    assert slices.limits(Settings().replace(limit_request_fields=10**9)).fields == 32768


def test_each_leniency_has_its_setting():
    names = {
        "permit_obsolete_folding": "obsolete_folding",
        "strip_header_spaces": "strip_header_spaces",
        "permit_unconventional_http_method": "unconventional_method",
        "permit_unconventional_http_version": "unconventional_version",
        "casefold_http_method": "casefold_method",
        "permit_missing_host": "missing_host",
    }
    for setting, leniency in names.items():
        assert slices.leniency(Settings().replace(**{setting: True})) == Leniency(**{leniency: True})


def test_timeouts():
    cfg = Settings().replace(tls_handshake_timeout=1, header_timeout=2.5, body_timeout=3, keepalive=4, write_timeout=0)
    assert slices.timeouts(cfg) == Timeouts(handshake=1, header=2.5, body=3, keepalive=4, write=0)


def test_websockets():
    cfg = Settings().replace(
        websocket_max_message_size=5,
        websocket_permessage_deflate="no",
        websocket_ping_interval=0,
        websocket_ping_timeout=2.5,
    )
    assert slices.websocket_policy(cfg) == WebSocketPolicy(5, False, 0.0, 2.5)


def test_trust():
    policy = slices.trust_policy(
        Settings().replace(
            forwarded_allow_ips="10.0.0.0/8", proxy_protocol=True, proxy_allow_ips="192.0.2.1", header_map="refuse"
        )
    )
    assert policy.forwarders["10.1.2.3"]
    assert not policy.forwarders["127.0.0.1"]
    assert policy.proxy_mode is ProxyMode.AUTO
    assert policy.expects_proxy_header(Peer("192.0.2.1", "1"))
    assert not policy.expects_proxy_header(Peer("10.1.2.3", "1"))


def test_trust_in_nobody():
    policy = slices.trust_policy(Settings().replace(forwarded_allow_ips=""))
    assert not policy.forwarders["127.0.0.1"]


def test_tls():
    cfg = Settings().replace(
        certfile="c",
        keyfile="k",
        ca_certs="a",
        cert_reqs=2,
        ciphers="x",
        http_protocols="h2,h1",
        suppress_ragged_eofs="no",
    )
    assert slices.tls_options(cfg) == TlsOptions(
        certfile="c",
        keyfile="k",
        ca_certs="a",
        cert_reqs=2,
        ciphers="x",
        suppress_ragged_eofs=False,
        alpn=("http/1.1",),
    )
