"""Walk: one way through a workflow: what has been decided, and which step is next.

It runs nothing. Whoever walks asks for the steps that are ready, runs them in whichever order, and
tells how each ended; the edges are decided from that alone. So a walk is the same for steps that
ran one after another, at the same time, or in an earlier run.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from crossdock.error_record import error_record
from crossdock.errors import ArgumentError, EdgeError, Outcome, message_of
from crossdock.scope import StopStep
from crossdock.sealed import Sealed
from crossdock.state import State
from crossdock.workflow import Edge, Step, Workflow, condition_name

WRITTEN = ("cursors", "errors", "failed", "warnings")
"""What a run writes down; it flows along the edges, and where several meet it stands there once."""

GONE_WELL: tuple[Outcome, ...] = ("success", "partial")
CUT_SHORT: tuple[Outcome, ...] = ("interrupted", "cancelled")
"""The outcomes after which nothing more runs."""

MADE_GOOD: tuple[Outcome, ...] = ("failed", "unknown")
"""The outcomes that a failure edge handles; a job that is broken stays broken, whoever is told of it."""

_WORST: tuple[Outcome, ...] = (*CUT_SHORT, "killed", "crashed", "unknown", "failed", "partial", "success")

Fate = Literal["open", "ready", "ended", "skipped", "absent"]


class Ended(NamedTuple):
    """How a step ended."""

    step: str
    outcome: Outcome
    state: Sealed | None
    """What it hands on, or had received if it failed, without what the run wrote down; None once nobody needs it."""
    written: Sealed
    """What the run wrote down in it, under the keys of ``WRITTEN``."""
    error: BaseException | None = None
    stopped: str | None = None
    seconds: float = 0.0
    inner: Sequence[Mapping[str, Any]] = ()
    """How the steps of workflows ended that ran inside of it, such as once per item."""
    kept: bool = False
    """Whether it ended in an earlier run."""


class Decision(NamedTuple):
    """What became of an edge, and why."""

    origin: str
    edge: Edge
    followed: bool
    why: str


class Walk:
    """One way through a workflow.

    Args:
        workflow: Its steps and edges.
        state: What the first steps receive.
        only: The steps that may run; by default all.
        kept: How steps ended in an earlier run, as plugins were told of it then. Those that lead to the ones
            that may run count as if they had run in this walk; the others do not count.

    Raises:
        ArgumentError: What a kept step handed on is not there any more.
    """

    def __init__(
        self, workflow: Workflow, state: State, *, only: Collection[str] | None = None, kept: Iterable[Ended] = ()
    ) -> None:
        self.workflow = workflow
        self._given = state
        self.only = {step.name for step in workflow.steps} if only is None else set(only)
        self._begun: set[str] = set()
        self.ended: dict[str, Ended] = {}
        self.decisions: list[Decision] = []
        self._arriving: dict[str, list[Decision]] = {step.name: [] for step in workflow.steps}
        self.edge_errors: dict[str, EdgeError] = {}
        self.cut_short: tuple[Outcome, BaseException] | None = None
        """How it was ended from outside, if it was."""
        counting = self._before_those_that_may_run()
        known = {ended.step: ended for ended in kept}
        for name in workflow.order:
            if name in known and name in counting:
                self._keep(known[name])
        self.beginnings = frozenset(name for name in self.only if self._begins(name))
        """The steps that receive the input of the walk."""

    def _before_those_that_may_run(self) -> set[str]:
        """Give the steps that may run, and all that lead to them."""
        found = set(self.only)
        for name in reversed(self.workflow.order):
            if name in found:
                found.update(self.workflow.origins[name])
        return found

    def _begins(self, name: str) -> bool:
        return not any(origin in self.only or origin in self.ended for origin in self.workflow.origins[name])

    def _keep(self, ended: Ended) -> None:
        if ended.state is None:
            raise ArgumentError(f"what the step {ended.step!r} handed on was not kept", fix="Run that step, too.")
        self.end(ended._replace(kept=True))

    @cached_property
    def _received(self) -> Sealed:
        return Sealed.of_input(self._given.without(*WRITTEN))

    @cached_property
    def _written(self) -> Sealed:
        return Sealed.of(self._given.only(*WRITTEN))

    def ready(self) -> list[Step]:
        """Give the steps that can run now, in the order in which the workflow lists them."""
        if self.cut_short or self._is_told_to_end():
            return []
        fates = self._fates()
        return [step for step in self.workflow.steps if fates[step.name] == "ready"]

    def begin(self, step: Step) -> tuple[Sealed, dict[str, Any]]:
        """Give what a step receives, and beside it what the run wrote down on the way there."""
        self._begun.add(step.name)
        before = self._before(step.name)
        met = self._met([name for name in before if self._leads(name, step.name)])
        for name in before:
            self._release(name)
        return met, self._written_in(before)

    def end(self, ended: Ended) -> None:
        """Take how a step ended, and decide the edges that leave it."""
        self._begun.add(ended.step)
        self.ended[ended.step] = ended
        for edge in self.workflow.step(ended.step).next:
            followed, why = self._decided(edge, ended)
            decision = Decision(ended.step, edge, followed, why)
            self.decisions.append(decision)
            self._arriving[edge.to].append(decision)

    def outcome(self) -> Outcome:
        """Give how all of it ended: the worst of what no failure edge handled."""
        outcomes: list[Outcome] = ["success", *map(self.left_of, self.ended)]
        outcomes += ["crashed"] if self.edge_errors else []
        outcomes += [self.cut_short[0]] if self.cut_short else []
        return min(outcomes, key=_WORST.index)

    def error(self) -> BaseException | None:
        """Give the error that decided the outcome."""
        worst = self.outcome()
        if worst in GONE_WELL:
            return None
        of_steps = [self.ended[name].error for name in self._in_order() if self.left_of(name) == worst]
        of_edges = [self.edge_errors[what] for what in sorted(self.edge_errors)] if worst == "crashed" else []
        outside = [self.cut_short[1]] if self.cut_short else []
        return next((error for error in [*of_steps, *of_edges, *outside] if error is not None), None)

    def left_of(self, name: str) -> Outcome:
        """Give what a step's end means for the whole: one that a failure edge handles means nothing."""
        outcome = self.ended[name].outcome
        handled = any(d.followed and d.edge.after == "on_failure" and self._goes_on(d) for d in self._from(name))
        return "success" if handled and outcome in MADE_GOOD else outcome

    def final(self) -> State:
        """Give the final state: that of the last step, or, where several were last, theirs under ``inputs``."""
        names = self._in_order()
        leaves = [name for name in names if not any(d.followed and d.edge.to in self.ended for d in self._from(name))]
        written = self._written_in(names)
        if errors := self._errors_beside():
            written["errors"] = {**written.get("errors", {}), **errors}
        return self._met(leaves).state() | {key: value for key, value in written.items() if value}

    def skipped(self) -> dict[str, str]:
        """Give the steps that did not run though they might have, each with the reason."""
        fates = {name: fate for name, fate in self._fates().items() if name in self.only}
        reasons = {name: self._reason(name) for name, fate in fates.items() if fate == "skipped"}
        never = {name: f"the run was {self.outcome()}" for name, fate in fates.items() if fate in ("open", "ready")}
        return {**reasons, **never}

    def _errors_beside(self) -> dict[str, Any]:
        """Give the errors that are no step's, as records: those of edges, and what ended the walk between steps."""
        errors: dict[str, BaseException] = {what: self.edge_errors[what] for what in sorted(self.edge_errors)}
        if self.cut_short is not None and not self._is_told_to_end():
            errors[self.workflow.name] = self.cut_short[1]
        return {what: error_record(error) for what, error in errors.items()}

    def _is_told_to_end(self) -> bool:
        return any(ended.outcome in CUT_SHORT for ended in self.ended.values())

    def _in_order(self) -> list[str]:
        """Give the steps that ended, in their order."""
        return [name for name in self.workflow.order if name in self.ended]

    def _goes_on(self, decision: Decision) -> bool:
        """Tell whether the step that an edge leads to runs, or has run."""
        return decision.edge.to in self.only or decision.edge.to in self.ended

    def _from(self, name: str) -> Iterator[Decision]:
        return (decision for decision in self.decisions if decision.origin == name)

    def _to(self, name: str) -> list[Decision]:
        return self._arriving[name]

    def _fates(self) -> dict[str, Fate]:
        """Tell of each step what may still become of it."""
        fates: dict[str, Fate] = {}
        for name in self.workflow.order:
            fates[name] = self._fate(name, [fates[origin] for origin in self.workflow.origins[name]])
        return fates

    def _fate(self, name: str, origins: list[Fate]) -> Fate:
        if name in self._begun:
            return "ended" if name in self.ended else "open"
        if "open" in origins or "ready" in origins:
            return "open"
        leads_here = "ended" in origins or "skipped" in origins  # else it is where this walk begins
        if leads_here and not any(d.followed for d in self._to(name)):
            return "skipped"
        return "ready" if name in self.only else "absent"

    def _reason(self, name: str) -> str:
        asked = sorted(self._to(name), key=lambda decision: self.workflow.order.index(decision.origin))
        nobody = "no step that leads to it ran" if self.cut_short is None else f"the run was {self.outcome()}"
        return "; ".join(f"{d.origin}: {d.why}" for d in asked) or nobody

    def _decided(self, edge: Edge, ended: Ended) -> tuple[bool, str]:
        """Tell whether an edge is followed, and why."""
        well = ended.outcome in GONE_WELL
        if ended.outcome in CUT_SHORT:
            return False, f"{ended.outcome}, and nothing runs after that"
        why = f"{ended.outcome}, and the edge is {edge.after}"
        if (edge.after == "on_success" and not well) or (edge.after == "on_failure" and well):
            return False, why
        return (True, why) if edge.when is None else self._asked(edge, ended)

    def _asked(self, edge: Edge, ended: Ended) -> tuple[bool, str]:
        """Ask the condition of an edge."""
        assert edge.when is not None and ended.state is not None  # noqa: S101, PT018 - the caller made sure
        what = f"{ended.step} → {edge.to}"
        try:
            state = ended.state.state() | self._written_in([*self._before(ended.step), ended.step])
            holds = bool(edge.when(state))
        except (Exception, SystemExit, StopStep) as error:  # noqa: BLE001 - a condition is code of the job
            self.edge_errors[what] = _edge_error(what, edge, error)
            return False, f"{condition_name(edge.when)} failed"
        return holds, f"{condition_name(edge.when)} gave {'true' if holds else 'false'}"

    def _before(self, name: str) -> list[str]:
        """Give the steps that followed edges lead from to this one, in their order."""
        found, behind = {name}, [name]
        while behind:
            origins = {decision.origin for decision in self._to(behind.pop()) if decision.followed} - found
            found |= origins
            behind += origins
        return [step for step in self.workflow.order if step in found and step != name]

    def _leads(self, name: str, to: str) -> bool:
        return any(decision.followed and decision.origin == name for decision in self._to(to))

    def _met(self, names: list[str]) -> Sealed:
        """Give what comes of several steps: the state of one, or all of theirs under ``inputs``."""
        handed = {name: sealed for name in names if (sealed := self.ended[name].state) is not None}
        if len(handed) < 2:
            return next(iter(handed.values()), self._received)
        states = {name: sealed.state() for name, sealed in handed.items()}
        shared = {key: state[key] for state in states.values() for key in ("request", "reply") if key in state}
        inputs = {name: state.without("request", "reply") for name, state in states.items()}
        return Sealed.of(State({"data": None, **shared, "inputs": inputs}))

    def _written_in(self, names: Iterable[str]) -> dict[str, Any]:
        """Put together what the run wrote down in some steps, and before the first one."""
        all_of_it = [self._written, *(self.ended[name].written for name in names)]
        together: dict[str, Any] = {}
        for written in all_of_it:
            for key, value in written.state().items():
                together[key] = _added(together.get(key), value)
        return together

    def _release(self, name: str) -> None:
        """Drop what a step handed on once all have received it that will; it may be large."""
        ended = self.ended[name]
        targets = [d.edge.to for d in self._from(name) if d.followed]
        if targets and self._begun.issuperset(targets):
            self.ended[name] = ended._replace(state=None)


def _added(before: Any, value: Any) -> Any:
    if before is None:
        return value
    return {**before, **value} if isinstance(value, Mapping) else [*before, *value]


def _edge_error(what: str, edge: Edge, error: BaseException) -> EdgeError:
    failed = EdgeError(
        f"the condition {condition_name(edge.when)} of the edge {what} failed: {type(error).__name__}: {message_of(error)}"
    )
    failed.__cause__ = error
    return failed
