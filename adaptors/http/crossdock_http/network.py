"""The addresses that a request may be sent to.

A URL that a message or another system names could lead into the network that crossdock runs in: to
a database without a password, or to the cloud's metadata service. So a host that no credential
names is looked up once, each of its addresses is judged, and the connection goes to the very address
that was judged: a second lookup could give another one.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from crossdock_http.errors import BlockedAddressError

_GLOBAL = IPv6Network("2000::/3")
"""The IPv6 addresses that are given out for the public internet (RFC 4291, 2.4)."""

_NAT64 = IPv6Network("64:ff9b::/96")


class Reach:
    """Where a credential's requests may go.

    Args:
        trusted: The hosts that it names; they may be anywhere.
        everywhere: Whether all others may be anywhere, too.
    """

    def __init__(self, trusted: Iterable[str | None] = (), *, everywhere: bool) -> None:
        self._trusted = frozenset(trusted)
        self._everywhere = everywhere

    def addresses(self, host: str, port: int) -> list[str]:
        """Look a host up, and give its addresses; all of them are public if it may not be anywhere.

        Raises:
            BlockedAddressError: One of them is inside a network: private, loopback, link-local …
            OSError: There is no such host.
            UnicodeError: There can't be one.
        """
        found = [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not (self._everywhere or host in self._trusted) and not all(is_public(address) for address in found):
            raise BlockedAddressError(f"{host} leads to an address inside a private network; nothing was sent")
        return found

    def check(self, host: str, port: int) -> None:
        """Judge a host that a proxy will look up and connect to."""
        with suppress(OSError, UnicodeError):  # what only the proxy can look up is the proxy's to judge
            self.addresses(host, port)


def is_public(address: str) -> bool:
    """Tell whether an address is on the public internet, also behind IPv6 forms of IPv4 addresses.

    >>> is_public("1.1.1.1"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    ip = ip_address(address.partition("%")[0])
    return all(_is_global(form) for form in (ip, *_embedded(ip)))


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    given_out = isinstance(ip, IPv4Address) or ip in _GLOBAL or ip in _NAT64 or ip.ipv4_mapped is not None
    return given_out and ip.is_global and not ip.is_multicast


def _embedded(ip: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Give the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(ip, IPv6Address):
        yield from (form for form in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if form is not None)
        if ip in _NAT64:
            yield IPv4Address(int(ip) & 0xFFFFFFFF)
