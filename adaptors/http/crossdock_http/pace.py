"""Pace: no more requests per second than a system allows."""

import threading
import time


class Pace:
    """A token bucket for one token, shared by all threads of a run: requests leave at even distances.

    Args:
        rate: Requests per second.

    Example:
        >>> Pace(1000).wait(60.0)
        60.0
    """

    def __init__(self, rate: float) -> None:
        self._distance = 1 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self, longest: float) -> float:
        """Wait for one's turn, if it comes in time.

        Args:
            longest: The most seconds to wait.

        Returns:
            The seconds that are left of it; zero or less means that the turn came too late and
            was given up.
        """
        with self._lock:
            now = time.monotonic()
            wait = max(self._next - now, 0.0)
            if wait >= longest:
                return longest - wait
            self._next = now + wait + self._distance
        time.sleep(wait)
        return longest - wait
