"""Failures: who failed to prove who they are, too often to be asked again."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable

from crossdock.server.errors import RequestError

_MOST_SENDERS = 10_000
"""How many senders are remembered; of more, those that failed first are forgotten."""


class Failures:
    """Counts failures by the address that they came from.

    Args:
        most: How many are allowed in a window.
        seconds: How long a window is; it begins with the first failure in it.
        monotonic: The clock.

    Example:
        >>> failures = Failures(most=1, seconds=60, monotonic=lambda: 0.0)
        >>> failures.add("192.0.2.7")
        True
        >>> failures.check("192.0.2.8")
        >>> failures.check("192.0.2.7")
        Traceback (most recent call last):
        crossdock.server.errors.RequestError: too many requests with wrong credentials came from this address
        fix: Correct the credentials, then send it again later.
    """

    def __init__(self, most: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def add(self, sender: str) -> bool:
        """Count a failure, and tell whether it is the one after which the sender is refused."""
        began, count = self._window(sender)
        self._windows[_network(sender)] = (began, count + 1)
        if len(self._windows) > _MOST_SENDERS:
            self._windows.popitem(last=False)
        return count + 1 == self._most

    def check(self, sender: str) -> None:
        """Refuse who failed too often.

        Raises:
            RequestError: 429, with the seconds after which the sender is asked again.
        """
        began, count = self._window(sender)
        if count >= self._most:
            wait = math.ceil(began + self._seconds - self._monotonic())
            message = "too many requests with wrong credentials came from this address"
            fix = "Correct the credentials, then send it again later."
            raise RequestError(429, "too_many_failures", message, fix=fix, retry_after=max(wait, 1))

    def _window(self, sender: str) -> tuple[float, int]:
        now, network = self._monotonic(), _network(sender)
        began, count = self._windows.get(network, (now, 0))
        if now - began >= self._seconds:
            self._windows.pop(network, None)
            return now, 0
        return began, count


def _network(sender: str) -> str:
    """Give what one sender can't easily change: of IPv6 the half that names the network.

    >>> _network("2001:db8::7") == _network("2001:db8::8")
    True
    """
    try:
        address = ipaddress.ip_address(sender)
    except ValueError:
        return sender  # a socket of Unix has none
    return sender if address.version == 4 else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
