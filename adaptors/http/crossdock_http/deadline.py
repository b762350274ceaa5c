"""Deadline: until when an operation may take, however many tries, redirects and reads it makes."""

from time import monotonic


class Deadline:
    """The instant at which an operation must have ended.

    Args:
        seconds: From now on.

    Example:
        >>> Deadline(60).left() <= 60
        True
    """

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds

    def renew(self) -> None:
        """Begin anew: from now on it stands for one silence, and no longer for the whole."""
        self._end = monotonic() + self.seconds

    def left(self) -> float:
        """Give the seconds that are left; zero or less means none."""
        return self._end - monotonic()
