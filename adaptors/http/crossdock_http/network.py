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

from crossdock_http.errors import BlockedAddressError, HttpConnectionError

_NAT64 = IPv6Network("64:ff9b::/96")


class Reach:
    """Where a credential's requests may go.

    Args:
        trusted: The hosts that it names; they may be anywhere.
        everywhere: Whether all others may be anywhere, too.
    """

    def __init__(self, trusted: Iterable[str | None], *, everywhere: bool) -> None:
        self._trusted = frozenset(trusted)
        self._everywhere = everywhere

    def addresses(self, host: str, port: int) -> Iterable[str]:
        """Give what to connect to for a host: itself if it is trusted, else the addresses that were judged."""
        return (host,) if self._everywhere or host in self._trusted else addresses_of(host, port)

    def check(self, host: str, port: int) -> None:
        """Judge a host that a proxy will look up and connect to."""
        with suppress(HttpConnectionError):  # what only the proxy can look up is the proxy's to judge
            self.addresses(host, port)


def addresses_of(host: str, port: int) -> list[str]:
    """Look a host up, and give its addresses if all of them are on the public internet.

    Raises:
        BlockedAddressError: One of them is inside a network: private, loopback, link-local …
        HttpConnectionError: There is no such host.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HttpConnectionError(f"the host {host} can't be looked up") from error
    addresses = [str(address[0]) for *_, address in found]
    if not all(is_public(address) for address in addresses):
        raise BlockedAddressError(f"{host} leads to an address inside a private network; nothing was sent")
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an address is on the public internet, also behind IPv6 forms of IPv4 addresses.

    >>> is_public("1.1.1.1"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    ip = ip_address(address.partition("%")[0])
    return all(form.is_global and not form.is_multicast for form in (ip, *_embedded(ip)))


def _embedded(ip: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Give the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(ip, IPv6Address):
        yield from (form for form in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if form is not None)
        if ip in _NAT64:
            yield IPv4Address(int(ip) & 0xFFFFFFFF)
