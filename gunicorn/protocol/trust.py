"""Whom to believe: addresses whose forwarding fields, PROXY headers and uWSGI variables count.

Knows addresses and names of fields; what a believed peer says is read elsewhere.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gunicorn.protocol.fields import HeaderMap, Lexicon, cgi_name
from gunicorn.protocol.recent import Recent


class Peer(NamedTuple):
    """The other end of a connection as the kernel, or a trusted PROXY header, names it.

    For unix sockets `host` and `port` are "" and `unix` is True.
    """

    host: str = ""
    port: str = ""
    unix: bool = False


class Networks(Recent[bool]):
    """A set of addresses: `networks[host]` says whether it holds an IP address given as text.

    Verdicts are remembered. What is not an IP address is in no network but "*".
    """

    __slots__ = ("_networks", "everyone", "text")

    def __init__(self, text: str | Iterable[str] = "127.0.0.1,::1") -> None:
        """Reads "10.0.0.0/8, ::1" or a sequence of such; "*" is everyone.

        Raises ValueError naming the first bad entry; a network with host bits set is one, since
        nobody can tell which of the two mistakes it is.
        """
        super().__init__(capacity=1024, longest=64)
        entries = text.split(",") if isinstance(text, str) else list(text)
        entries = [entry.strip() for entry in entries if entry.strip()]
        self.text = ",".join(entries)
        """The entries as they were written."""
        self.everyone = "*" in entries
        self._networks = [_network(entry) for entry in entries if entry != "*"]

    def learn(self, key: str) -> bool:
        """Whether the address is in one of the networks."""
        if self.everyone:
            return True
        try:
            address = ipaddress.ip_address(key.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            # A dual-stack listener names its IPv4 peers ::ffff:a.b.c.d; the operator wrote a.b.c.d.
            mapped = address.ipv4_mapped
            return any(mapped in network or address in network for network in self._networks)
        return any(address in network for network in self._networks)

    def trusts(self, peer: Peer) -> bool:
        """Whether a peer counts: unix sockets always do, their permissions are the guard."""
        return peer.unix or self[peer.host]


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        raise ValueError(f"not an address or network: {entry!r} ({error})") from None


class ProxyMode(enum.Enum):
    """Which PROXY protocol headers a listener understands."""

    OFF = "off"
    V1 = "v1"
    V2 = "v2"
    AUTO = "auto"


DEFAULT_FORWARDER_HEADERS = ("SCRIPT_NAME", "PATH_INFO")
DEFAULT_SECURE_SCHEME_HEADERS = {
    "X-FORWARDED-PROTOCOL": "ssl",
    "X-FORWARDED-PROTO": "https",
    "X-FORWARDED-SSL": "on",
}


class TrustPolicy:
    """What peers may say about somebody else; one object a listener (or worker), shared by its connections."""

    __slots__ = ("_known", "_stranger", "forwarders", "proxies", "proxy_mode")

    def __init__(
        self,
        *,
        forwarders: Networks | None = None,
        header_map: HeaderMap = HeaderMap.DROP,
        forwarder_headers: Iterable[str] = DEFAULT_FORWARDER_HEADERS,
        secure_scheme_headers: Mapping[str, str] | None = None,
        proxy_mode: ProxyMode = ProxyMode.OFF,
        proxies: Networks | None = None,
    ) -> None:
        """`forwarders` are believed their forwarding fields, `proxies` their PROXY header; both default to loopback."""
        schemes = DEFAULT_SECURE_SCHEME_HEADERS if secure_scheme_headers is None else secure_scheme_headers
        names = frozenset(name.strip().upper() for name in forwarder_headers)
        self.forwarders = Networks() if forwarders is None else forwarders
        self.proxies = Networks() if proxies is None else proxies
        self.proxy_mode = proxy_mode
        self._stranger = Lexicon(trusted=False, header_map=header_map)
        self._known = Lexicon(
            trusted=True,
            header_map=header_map,
            forwarder_headers=names,
            schemes=tuple((cgi_name(name), value) for name, value in schemes.items()),
        )

    def lexicon(self, peer: Peer) -> Lexicon:
        """How this peer's field names are read."""
        return self._known if peer.unix or self.forwarders[peer.host] else self._stranger

    def expects_proxy_header(self, peer: Peer) -> bool:
        """Whether a PROXY header of this peer is believed; a stranger's is nothing but a bad request line."""
        return self.proxy_mode is not ProxyMode.OFF and self.proxies.trusts(peer)
