"""When a request is repeated, and after how long.

Repeated by itself is only what cannot have happened: the connection was refused, or the server
said 429 or 503 with ``Retry-After``. Anything else needs ``retry``, and can do no harm twice.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf

from crossdock import AdaptorError, UnknownOutcomeError

from crossdock_http.deadline import Deadline
from crossdock_http.errors import HttpConnectionError
from crossdock_http.reply import Reply

TRIES = 3
"""How often a request is tried that cannot have happened."""

_LEAST_WAIT = 0.5
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_logger = logging.getLogger("crossdock.http")


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, 10.2.3).

    Args:
        value: Seconds or an HTTP date.
        now: What a date is compared with.

    Returns:
        Seconds, not negative; None if there is no header or it can't be read.

    Example:
        >>> retry_after("2"), retry_after("-5"), retry_after("soon")
        (2.0, 0.0, None)
    """
    if value is None:
        return None
    try:
        return max(0.0, float(int(value)))
    except OverflowError:
        return inf
    except ValueError:
        pass  # then it is a date, or nonsense
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(
        0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - (now or datetime.now(UTC))).total_seconds()
    )


class _RefusedForNow(Exception):  # noqa: N818 - a signal between two functions here, not an error
    """A reply that asks to come again."""

    def __init__(self, reply: Reply, wait: float | None) -> None:
        super().__init__(str(reply.status))
        self.reply = reply
        self.wait = wait


def patiently(send: Callable[[], Reply], *, method: str, retry: int, idempotent: bool, deadline: Deadline) -> Reply:
    """Send a request, and repeat it where that can do no harm and may help.

    Args:
        send: Sends it once.
        method: Its method.
        retry: How often it may be repeated after an answer that may pass, or no answer.
        idempotent: Whether it may be sent twice whatever its method is.
        deadline: Until when; who asks to come again later than that is not waited for.
    """
    repeatable = idempotent or method in _REPEATABLE

    def attempt() -> Reply:
        reply = send()
        wait = retry_after(reply.headers.get("retry-after")) if reply.status in (429, 503) else None
        if wait is not None and wait < deadline.left():
            raise _RefusedForNow(reply, wait)
        if wait is None and retry and repeatable and reply.status in _MAY_PASS:
            raise _RefusedForNow(reply, None)
        return reply

    try:
        return attempt()
    except (_RefusedForNow, AdaptorError) as error:
        first = error  # what is raised while it is handled would have it for a reason
    return _repeated(attempt, first, method=method, retry=retry, repeatable=repeatable, deadline=deadline)


def _repeated(
    attempt: Callable[[], Reply], first: Exception, *, method: str, retry: int, repeatable: bool, deadline: Deadline
) -> Reply:
    """Go on after the first try failed; it counts, and is not made again."""
    import stamina  # imported late: most requests succeed, and it takes 20 ms

    failures = [first]
    tried = 0

    def decide(error: Exception) -> bool | float:
        nonlocal tried
        tried += 1
        if not _may_repeat(error, retry, repeatable=repeatable) or tried >= _tries(error, retry):
            return False
        wait = error.wait if isinstance(error, _RefusedForNow) else None
        if (wait if wait is not None else _LEAST_WAIT) >= deadline.left():
            return False
        _logger.info("%s is tried again%s: %s", method, f" in {wait:g} s" if wait else "", error)
        return True if wait is None else wait

    tries = stamina.retry_context(
        on=decide, attempts=None, timeout=None, wait_initial=_LEAST_WAIT, wait_max=30.0, wait_jitter=0.1
    )
    try:
        for context in tries:
            with context:
                if failures:
                    raise failures.pop()
                return attempt()
    except _RefusedForNow as refused:
        return refused.reply
    raise AssertionError("stamina gives up by raising")


def _tries(error: Exception, retry: int) -> int:
    cannot_have_happened = isinstance(error, _RefusedForNow) and error.wait is not None
    cannot_have_happened = cannot_have_happened or (isinstance(error, HttpConnectionError) and not error.sent)
    return max(TRIES, retry + 1) if cannot_have_happened else retry + 1


def _may_repeat(error: Exception, retry: int, *, repeatable: bool) -> bool:
    if isinstance(error, _RefusedForNow):
        return True
    if isinstance(error, HttpConnectionError):
        return error.transient and (not error.sent or (retry > 0 and repeatable))
    return isinstance(error, UnknownOutcomeError) and retry > 0 and repeatable
