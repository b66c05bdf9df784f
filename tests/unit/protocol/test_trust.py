"""Networks and whom a policy believes."""

from __future__ import annotations

import pytest

from gunicorn.protocol.trust import Networks, Peer, ProxyMode, TrustPolicy

UNIX = Peer(unix=True)


def test_networks():
    networks = Networks("10.0.0.0/8, 192.168.1.1,2001:db8::/32,::1")
    inside = ["10.1.2.3", "192.168.1.1", "2001:db8::5", "::1", "::ffff:10.0.0.1", "2001:db8::1%eth0"]
    outside = ["11.0.0.1", "192.168.1.2", "::2", "", "unix", "::ffff:11.0.0.1", "10.1.2.3.4", "*"]
    assert [host for host in inside + outside if networks[host]] == inside
    assert networks.text == "10.0.0.0/8,192.168.1.1,2001:db8::/32,::1"


def test_everyone_and_nobody():
    assert Networks("*")["anything"]
    assert Networks("127.0.0.1,*")["8.8.8.8"]
    assert not Networks("")["127.0.0.1"]
    assert Networks(["127.0.0.1"])["127.0.0.1"]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "1.2.3", "::1/64", "10.0.0.1, x"])
def test_bad_networks(text):
    with pytest.raises(ValueError, match="not an address or network"):
        Networks(text)


def test_verdicts_are_bounded():
    networks = Networks("10.0.0.0/8")
    for number in range(5000):
        networks[f"11.0.{number >> 8}.{number & 255}"]
    assert len(networks) <= 1024


def test_unix_sockets_are_always_trusted():
    assert Networks("").trusts(UNIX)
    assert TrustPolicy(forwarders=Networks("")).lexicon(UNIX).trusted
    assert TrustPolicy(proxies=Networks(""), proxy_mode=ProxyMode.V1).expects_proxy_header(UNIX)


def test_lexicon_by_peer():
    trust = TrustPolicy(forwarders=Networks("10.0.0.0/8"))
    assert trust.lexicon(Peer("10.0.0.1")).trusted
    assert not trust.lexicon(Peer("127.0.0.1")).trusted
    assert trust.lexicon(Peer("10.0.0.1")) is trust.lexicon(Peer("10.0.0.2")), "what was learnt is shared"
    assert ("HTTP_X_FORWARDED_SSL", "on") in trust.lexicon(Peer("10.0.0.1")).schemes


def test_proxy_header_needs_mode_and_peer():
    assert not TrustPolicy().expects_proxy_header(Peer("127.0.0.1"))
    trust = TrustPolicy(proxy_mode=ProxyMode.AUTO)
    assert trust.expects_proxy_header(Peer("127.0.0.1"))
    assert not trust.expects_proxy_header(Peer("10.0.0.1"))
