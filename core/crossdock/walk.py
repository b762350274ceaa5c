"""Walk: one way through a workflow: what has been decided, and which step is next.

It runs nothing. Whoever walks asks for the steps that are ready, runs them in whichever order, and
tells how each ended; the edges are decided from that alone. So a walk is the same for steps that
ran one after another, at the same time, or in an earlier run.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from crossdock.error_record import error_record
from crossdock.errors import EdgeError, Outcome, message_of
from crossdock.state import Sealed, State
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
    written: Mapping[str, Any]
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
        kept: How other steps ended in an earlier run: edges from them count.
    """

    def __init__(
        self, workflow: Workflow, state: State, *, only: Collection[str] | None = None, kept: Iterable[Ended] = ()
    ) -> None:
        self.workflow = workflow
        self._given = state
        self._written = {key: state[key] for key in WRITTEN if key in state}
        self._only = {step.name for step in workflow.steps} if only is None else set(only)
        self._begun: set[str] = set()
        self.ended: dict[str, Ended] = {}
        self.decisions: list[Decision] = []
        self._arriving: dict[str, list[Decision]] = {step.name: [] for step in workflow.steps}
        self.edge_errors: dict[str, EdgeError] = {}
        self.cut_short: tuple[Outcome, BaseException] | None = None
        """How it was ended from outside, if it was."""
        for ended in kept:
            self.end(ended._replace(kept=True))

    @cached_property
    def _received(self) -> Sealed:
        return Sealed.of_input(self._given.without(*WRITTEN))

    def ready(self) -> list[Step]:
        """Give the steps that can run now, in the order in which the workflow lists them."""
        if self.cut_short or any(ended.outcome in CUT_SHORT for ended in self.ended.values()):
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
        outcomes: list[Outcome] = ["success", *(self.left_of(name) for name in self._mine())]
        outcomes += ["crashed"] if self.edge_errors else []
        outcomes += [self.cut_short[0]] if self.cut_short else []
        return min(outcomes, key=_WORST.index)

    def error(self) -> BaseException | None:
        """Give the error that decided the outcome."""
        worst = self.outcome()
        if worst in GONE_WELL:
            return None
        of_steps = [self.ended[name].error for name in self._mine() if self.left_of(name) == worst]
        outside = [self.cut_short[1]] if self.cut_short else []
        return next(iter([*outside, *of_steps, *self.edge_errors.values()]))

    def left_of(self, name: str) -> Outcome:
        """Give what a step's end means for the whole: one that a failure edge handled means nothing."""
        outcome = self.ended[name].outcome
        handled = outcome in MADE_GOOD and any(d.followed and d.edge.after == "on_failure" for d in self._from(name))
        return "success" if handled else outcome

    def final(self) -> State:
        """Give the final state: that of the last step, or, where several were last, theirs under ``inputs``."""
        mine = self._mine()
        leaves = [name for name in mine if not any(d.followed and d.edge.to in self._only for d in self._from(name))]
        written = self._written_in(mine)
        if self.edge_errors:
            of_edges = {name: error_record(error) for name, error in self.edge_errors.items()}
            written["errors"] = {**written.get("errors", {}), **of_edges}
        return self._met(leaves).state() | {key: value for key, value in written.items() if value}

    def skipped(self) -> dict[str, str]:
        """Give the steps that did not run though they might have, each with the reason."""
        return {name: self._reason(name) for name, fate in self._fates().items() if fate == "skipped"}

    def _mine(self) -> list[str]:
        """Give the steps that ended in this walk, in their order."""
        return [name for name in self.workflow.order if name in self.ended and not self.ended[name].kept]

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
        if name not in self._only:
            return "absent"
        if "open" in origins or "ready" in origins:
            return "open"
        leads_here = "ended" in origins or "skipped" in origins  # else it is where this walk begins
        return "skipped" if leads_here and not any(d.followed for d in self._to(name)) else "ready"

    def _reason(self, name: str) -> str:
        asked = [f"{decision.origin}: {decision.why}" for decision in self._to(name)]
        return "; ".join(asked) or "no step that leads to it ran"

    def _decided(self, edge: Edge, ended: Ended) -> tuple[bool, str]:
        """Tell whether an edge is followed, and why."""
        well = ended.outcome in GONE_WELL
        why = f"{ended.outcome}, and the edge is {edge.after}"
        if (
            ended.outcome in CUT_SHORT
            or (edge.after == "on_success" and not well)
            or (edge.after == "on_failure" and well)
        ):
            return False, why
        if edge.when is None or ended.state is None:
            return True, why
        return self._asked(edge, ended)

    def _asked(self, edge: Edge, ended: Ended) -> tuple[bool, str]:
        """Ask the condition of an edge."""
        assert edge.when is not None and ended.state is not None  # noqa: S101, PT018 - the caller made sure
        what = f"{ended.step} → {edge.to}"
        state = Sealed(ended.state.raw).state() | self._written_in([*self._before(ended.step), ended.step])
        try:
            holds = bool(edge.when(state))
        except Exception as error:  # noqa: BLE001 - a condition is code of the job
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
            for key, value in written.items():
                together[key] = _added(together.get(key), value)
        return together

    def _release(self, name: str) -> None:
        """Drop what a step handed on once all that it leads to have received it: it may be large."""
        ended = self.ended[name]
        targets = [d.edge.to for d in self._from(name) if d.followed and d.edge.to in self._only]
        if targets and self._begun.issuperset(targets):
            self.ended[name] = ended._replace(state=None)


def _added(before: Any, value: Any) -> Any:
    if before is None:
        return value
    return {**before, **value} if isinstance(value, Mapping) else [*before, *value]


def _edge_error(what: str, edge: Edge, error: Exception) -> EdgeError:
    failed = EdgeError(
        f"the condition {condition_name(edge.when)} of the edge {what} failed: {type(error).__name__}: {message_of(error)}"
    )
    failed.__cause__ = error
    return failed
