"""Attempt: one time that a worker holds a run: its child is followed, and what it tells is written down."""

import logging
import pickle
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from crossdock.error_record import error_record
from crossdock.errors import CancelledRunError, CrossdockError, ExitedError, TimeLimitError
from crossdock.project.project import Project
from crossdock.redaction import Redactor
from crossdock.server.metrics import ATTEMPTS, RUNS, Metrics
from crossdock.store.errors import StaleLeaseError, StoreError
from crossdock.store.records import Claimed, Finish, RunState, StepEnd
from crossdock.store.store import Store
from crossdock.worker import policy
from crossdock.worker.forking import Forked, Forks
from crossdock.worker.gathering import Gathering
from crossdock.worker.heart import Heart
from crossdock.worker.watched import how
from crossdock.worker.working import MEGABYTE, WRITTEN_DOWN

T = TypeVar("T")

_logger = logging.getLogger("crossdock.serve")


class Shop(NamedTuple):
    """What all workers share."""

    project: Project
    version: Callable[[], str]
    store: Store
    forks: Forks
    heart: Heart
    stopped: threading.Event
    """Set when nothing may wait any more."""
    forsaken: set[str]
    """The runs under which a fork server went away."""
    metrics: Metrics
    """Where ends are counted."""


class Attempt:
    """One time that a worker holds a run.

    Args:
        shop: What all workers share.
        claimed: The run.
    """

    def __init__(self, shop: Shop, claimed: Claimed) -> None:
        self._shop = shop
        self._claimed = claimed
        self._definition = shop.project.definition(claimed.workflow)
        self._redactor = Redactor()
        self._most_log = int(self._definition.limits.log_mb * MEGABYTE)
        self._log = Gathering(self._most_log, self._redactor)
        self._child: Forked | None = None
        self._why: str | None = None
        """Why it was ended from outside: ``lost``, ``cancelled`` or ``stopped``."""
        self._told: dict[str, Any] = {}
        self._unwritten: list[StepEnd] = []
        """How steps ended that are not written down yet: together with what comes next."""
        self._unconfirmed = 0
        """How many ended steps the child does not know yet to be written down."""
        self._running: dict[str, float] = {}
        """The steps that are running, and when the time of each is over."""
        self._last: str | None = None
        """The step that ran last: what it printed may come after its end."""
        self._began = time.monotonic()
        self._run_ends = float("inf")

    def note(self, text: str) -> None:
        """Write a line into the log of the run that is not the job's."""
        self._log.add(text, "info", None)

    def follow(self) -> RunState | None:
        """Follow the run to its end, and write down how it ended.

        Returns:
            Where the run is now; None if it belongs to somebody else, or was given back.
        """
        order = pickle.dumps(self._claimed)
        self._began = time.monotonic()
        self._run_ends = self._began + self._definition.limits.seconds
        try:
            with self._shop.heart.beating(self._claimed, self.end):
                self._child = self._shop.forks.fork(order, on_message=self._take, on_output=self._print)
                if self._shop.stopped.is_set():
                    self.end("stopped")
                if self._why is not None:  # it came before there was a child
                    self._child.kill()
                status, killed_at = self._child.watch(self._looked)
                return self._ended(status, late=killed_at is not None)
        except StaleLeaseError:
            _logger.warning(
                "the run of %s was taken over by another worker",
                self._claimed.workflow,
                extra={**self._about, "event": "run_taken_over"},
            )
            return None

    @property
    def _about(self) -> dict[str, Any]:
        claimed = self._claimed
        about = {"run": claimed.run, "workflow": claimed.workflow, "attempt": claimed.attempt}
        own = claimed.message.traceparent
        return about | {"message_id": claimed.message.id} | ({} if own is None else {"trace": own.trace})

    def end(self, why: str) -> None:
        """End it from outside.

        Args:
            why: ``lost``, ``cancelled`` or ``stopped``.
        """
        self._why = self._why or why
        if self._child is not None:
            self._child.kill()

    def _looked(self) -> float:
        """Write down what a run printed that is quiet now, and give until when it may go on."""
        if self._log.is_due:
            self._write_log()
        return min((self._run_ends, *self._running.values()))

    # What the child tells

    def _take(self, message: dict[str, Any]) -> None:
        kind = next(iter(message))
        if kind == "secret":
            self._redactor.add(message["secret"], what="a secret")
        elif kind == "log":
            at = datetime.fromtimestamp(message["at"], UTC)
            self._log.add(message["log"], message["level"], self._printing, at)
        elif kind == "step":
            self._begin(message["step"], message["seconds"])
        elif kind == "ended":
            self._end_step(message["ended"])
        elif kind == "checkpoint":
            self._write(lambda: self._shop.store.checkpoint(self._claimed, message["checkpoint"]))
        else:
            self._told = message

    def _print(self, text: str) -> None:
        self._log.add(text, "info", self._printing)

    @property
    def _printing(self) -> str | None:
        """The step that prints; of several that run at the same time nobody knows which."""
        return self._last if len(self._running) < 2 else None

    def _begin(self, step: str, seconds: float | None) -> None:
        """Let a step begin, when it is written down how those before it ended."""
        self._write_steps()
        if self._child is not None:
            self._child.tell(WRITTEN_DOWN * self._unconfirmed)
        self._unconfirmed = 0
        self._last = step
        self._running[step] = float("inf") if seconds is None else time.monotonic() + seconds

    def _end_step(self, told: dict[str, Any]) -> None:
        """Take in how a step ended; while others go on, that may be for long, it is written down at once."""
        output = told.pop("output")
        end = StepEnd(**told, output=None if output is None else output.encode())
        del self._running[end.step]
        self._last = next(iter(self._running), end.step)
        self._unconfirmed += 1
        self._unwritten.append(end)
        if self._running:
            self._write_steps()

    # What is written down

    def _write(self, write: Callable[[], T]) -> T:
        """Write something down, when the store can; meanwhile the clock of the run stands still."""
        began, pause = time.monotonic(), 0.5
        while True:
            try:
                result = write()
            except StaleLeaseError:
                self.end("lost")
                raise
            except StoreError as error:
                if not error.transient or self._shop.stopped.is_set():
                    raise
                _logger.error(
                    "a run waits until the store can be written to: %s",
                    error,
                    extra={**self._about, "event": "store_not_writable"},
                )
                self._shop.stopped.wait(pause)
                pause = min(2 * pause, 30.0)
            else:
                self._run_ends += time.monotonic() - began if pause > 0.5 else 0
                return result

    def _write_steps(self) -> None:
        while self._unwritten:
            self._write(partial(self._shop.store.step_ended, self._claimed, self._unwritten[0]))
            del self._unwritten[0]

    def _write_log(self, *, last: bool = False) -> None:
        lines = self._log.take(last=last)
        if lines:
            self._write(lambda: self._shop.store.log(self._claimed, lines, most=self._most_log))

    def _ended(self, status: int, *, late: bool) -> RunState | None:
        """Write down how the run ended."""
        if self._why == "lost":
            raise StaleLeaseError(f"the run {self._claimed.run} was taken over")
        if "finished" not in self._told and (self._why == "stopped" or self._is_bystander()):
            self._write_steps()
            self._write_log(last=True)
            self._write(lambda: self._shop.store.give_back(self._claimed))
            self._count("interrupted")
            _logger.info(
                "the run of %s was given back", self._claimed.workflow, extra={**self._about, "event": "run_given_back"}
            )
            return None
        end = self._finish(status, late=late)
        awaited = policy.is_awaited(self._definition, self._claimed)
        lines, most = self._log.take(last=True), self._most_log
        end = end._replace(steps=self._unwritten, lines=lines, most_log=most, awaited=awaited)
        state = self._write(lambda: self._shop.store.finish(self._claimed, end))
        self._count(end.outcome, state)
        about = {**self._about, "event": "run_ended", "outcome": end.outcome, "state": state}
        about |= {"error": end.error["code"]} if end.error else {}
        level = logging.INFO if end.outcome in ("success", "cancelled") else logging.WARNING
        _logger.log(level, "the run of %s: %s, %s", self._claimed.workflow, end.outcome, state, extra=about)
        return state

    def _is_bystander(self) -> bool:
        """Tell whether the fork server went away under the run, which for all we know had no part in it.

        A run to which that happens once more may be the reason: its process is said to have crashed.
        """
        if self._why is not None or self._child is None or not self._child.forsaken:
            return False
        known = self._claimed.run in self._shop.forsaken
        self._shop.forsaken.add(self._claimed.run)
        return not known

    def _count(self, outcome: str, state: RunState | None = None) -> None:
        """Count an attempt, and its run if it is over."""
        claimed, metrics = self._claimed, self._shop.metrics
        metrics.count(ATTEMPTS, claimed.workflow, outcome)
        metrics.took(claimed.workflow, time.monotonic() - self._began)
        if state in ("ended", "dead"):
            metrics.count(RUNS, claimed.workflow, claimed.trigger, outcome, state)

    def _finish(self, status: int, *, late: bool) -> Finish:
        if "finished" in self._told:
            return self._as_told(self._told["finished"])
        if "refused" in self._told:
            return Finish("refused", error=self._told["refused"], dead=True)
        if self._why == "cancelled":
            return Finish("cancelled", error=error_record(CancelledRunError()))
        if late:
            return Finish("killed", error=self._placed(self._over_time()))
        error = ExitedError(f"the run's process ended with {how(status)} without a result")
        return Finish("crashed", error=self._placed(error), again=policy.after_crash(self._definition, self._claimed))

    def _as_told(self, told: dict[str, Any]) -> Finish:
        final, error = told["final"], told["error"]
        return Finish(
            told["outcome"],
            None if final is None else final.encode(),
            error,
            told["cursors"],
            traceparent=told["traceparent"],
            again=policy.again(self._definition, self._claimed, error) if told["outcome"] == "failed" else None,
        )

    def _placed(self, error: CrossdockError) -> dict[str, Any]:
        """Give the record of an error with the step in which it came up."""
        return error_record(error) | ({"step": next(iter(self._running))} if len(self._running) == 1 else {})

    def _over_time(self) -> TimeLimitError:
        fix = "Make it do less at a time, or allow more in the project file: limits: {seconds: …}."
        late = next((step for step, ends in self._running.items() if time.monotonic() >= ends), None)
        if late is not None:
            return TimeLimitError(f"the step {late!r} took longer than it may and was killed", fix=fix)
        limit = self._definition.limits.seconds
        return TimeLimitError(f"the run took longer than {limit:g} s and was killed", fix=fix)
