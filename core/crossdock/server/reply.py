"""Reply: what a sender gets that waits for the runs of its message."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from crossdock.decoding import decode
from crossdock.server.errors import RequestError
from crossdock.store.records import RunEnd

_FIRST_LOOK, _LONGEST_PAUSE, _SLOWER = 0.02, 0.5, 1.5

_FINE = ("success", "partial")
_STATUSES = range(200, 600)


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
    if given is not None:
        return _reply(given)
    bad = next((end.outcome for end in ends if end.outcome not in _FINE), None)
    if bad is not None:
        said, fix = "the message is kept, but its run did not succeed", "Ask the operator to look at the run."
        raise RequestError(422, "run_failed", said, fix=fix, outcome=bad, message_id=message)
    return Reply(200, {})


async def _end(runs: Runs, run: str) -> RunEnd:
    """Wait for the end of a run: often at first, since most are short."""
    pause = _FIRST_LOOK
    while (end := await asyncio.to_thread(runs.end, run)) is None:
        await asyncio.sleep(pause)
        pause = min(pause * _SLOWER, _LONGEST_PAUSE)
    return end


def _reply(given: Mapping[str, Any]) -> Reply:
    """Give what a job replies; what is no status of a final answer counts as 200."""
    status = given.get("status", 200)
    is_status = isinstance(status, int) and not isinstance(status, bool) and status in _STATUSES
    return Reply(status if is_status else 200, given.get("body", {}))
