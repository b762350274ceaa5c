"""Reply: what a sender gets that waits for the runs of its message."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from crossdock.decoding import decode
from crossdock.server.errors import RequestError
from crossdock.store.records import RunEnd

_FIRST_LOOK, _LONGEST_PAUSE, _SLOWER = 0.02, 0.5, 1.5

_STATUSES = range(200, 600)
_USUAL = {"success": 200, "partial": 207}
"""The statuses where a job gives none, the better ones first; 207 is that of several outcomes (RFC 4918, 11.1)."""
_BAD = 422


class Runs(Protocol):
    """What knows of each run whether it ended."""

    def end(self, run: str) -> RunEnd | None:
        """Tell how a run ended, None as long as it goes on."""


class Reply(NamedTuple):
    """An answer that a job has made."""

    status: int
    body: Any


async def after_runs(runs: Runs, ids: Sequence[str], *, message: str, seconds: float) -> Reply:
    """Wait for runs, and give what the first of them that has one replies.

    Args:
        runs: What knows how they ended.
        ids: The runs, in their order.
        message: The id of their message, for who has waited too long.
        seconds: How long to wait.

    Raises:
        RequestError: 504 if they go on, 422 if one did not succeed and none has a reply.
    """
    try:
        async with asyncio.timeout(seconds):
            ends = [await _end(runs, run) for run in ids]
    except TimeoutError:
        said = f"the message is kept, and was not processed within {seconds:g} s; its run goes on"
        raise RequestError(504, "timeout", said, fix="Ask for the outcome later.", message_id=message) from None
    replies = (decode(end.final).get("reply") for end in ends if end.final is not None)
    given = next((reply for reply in replies if isinstance(reply, Mapping)), None)
    worst = max((end.outcome for end in ends), key=_usual)
    if given is not None:
        return _reply(given, _usual(worst))
    if _usual(worst) == _BAD:
        said, fix = "the message is kept, but its run did not succeed", "Ask the operator to look at the run."
        raise RequestError(_BAD, "run_failed", said, fix=fix, outcome=worst, message_id=message)
    return Reply(_usual(worst), {} if worst == "success" else {"outcome": worst, "message_id": message})


async def _end(runs: Runs, run: str) -> RunEnd:
    """Wait for the end of a run: often at first, since most are short."""
    pause = _FIRST_LOOK
    while (end := await asyncio.to_thread(runs.end, run)) is None:
        await asyncio.sleep(pause)
        pause = min(pause * _SLOWER, _LONGEST_PAUSE)
    return end


def _usual(outcome: str) -> int:
    """Give the status where a job gives none."""
    return _USUAL.get(outcome, _BAD)


def _reply(given: Mapping[str, Any], usual: int) -> Reply:
    """Give what a job replies; where it gives no status of a final answer, the usual one counts."""
    status: Any = given.get("status")
    is_status = isinstance(status, int) and not isinstance(status, bool) and status in _STATUSES
    return Reply(status if is_status else usual, given.get("body", {}))
