"""Workflow: steps joined by edges, each step a job in its place.

A job that runs alone is a workflow of one step, named like its file. A workflow is an operation
too: in a job, or as the work of a step, it runs its steps one after another on the state it gets.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from sys import _getframe
from typing import Any, Literal, NamedTuple, Protocol, get_args

from crossdock.common.data import warn
from crossdock.common.flow import each
from crossdock.common.loop import OnError
from crossdock.common.paths import missing_key, value_at
from crossdock.declaration import Declaration
from crossdock.errors import ArgumentError, WorkflowError, closest
from crossdock.job import Job
from crossdock.lazy import Lazy
from crossdock.operation import Operation, as_operation
from crossdock.scope import run_in_progress
from crossdock.state import State

After = Literal["always", "on_success", "on_failure"]
AFTER: tuple[After, ...] = get_args(After)


class Condition(Protocol):
    """What an edge may ask of the state: a function, or a filter."""

    def __call__(self, state: State, /) -> Any:
        """Tell whether the edge is followed; Python's truth counts."""


class Edge(NamedTuple):
    """The way from one step to another.

    Args:
        to: The name of the step that it leads to.
        after: ``always``, ``on_success`` (a partial success is one) or ``on_failure``.
        when: What must hold of the state besides; it is only asked where ``after`` holds.
    """

    to: str
    after: After = "always"
    when: Condition | None = None

    def __str__(self) -> str:
        return self.after if self.when is None else f"{self.after}, when {condition_name(self.when)}"


Next = str | Mapping[str, Any] | Iterable[str | Edge]
"""Where a step leads: one name, name → ``on_success`` or a function of the state, or names and edges."""


class Each(NamedTuple):
    """How a step runs once per item.

    Args:
        items: A path into the state, such as ``data.interventions``, or a function of the state.
        key: The field of an item by which its outcome is recorded; by default its index.
        concurrency: How many items may be in work at once.
        on_error: What a failed item means, as for ``each``: by default it is kept in ``failed``.
    """

    items: str | Callable[[State], Any]
    key: str | None = None
    concurrency: int = 1
    on_error: OnError = "collect"


class Step:
    """A job in its place in a workflow.

    Args:
        name: What it is called; no other step of the workflow has this name.
        job: What it runs: a Job, or a Workflow.
        next: Where it leads: ``"report"`` (always), ``{"report": "on_success", "alert": "on_failure"}``,
            ``{"report": has_rows}`` (on success, if the function of the state gives true), or edges.
        credentials: The names of the credentials that it may use; by default all.
        each: The path to the items for which it runs, one run each, or an ``Each``.
        seconds: How long it may take.

    Raises:
        ArgumentError: What it is to run is no job, or a condition of an edge is none.

    Example:
        >>> from crossdock import set_data
        >>> Step("load", Job(set_data(1)), next={"report": "on_success"})
        <Step 'load' → report (on_success)>
    """

    __slots__ = ("credentials", "each", "job", "loop", "name", "next", "seconds")

    def __init__(
        self,
        name: str,
        job: "Job | Workflow",
        *,
        next: Next = (),  # noqa: A002 - as the project file calls it
        credentials: Iterable[str] | None = None,
        each: str | Callable[[State], Any] | Each | None = None,
        seconds: float | None = None,
    ) -> None:
        if not isinstance(job, Job | Workflow):
            raise ArgumentError(
                f"the step {name!r:.60} got a value of type {type(job).__name__} for its job",
                fix="Give it a Job or a Workflow: Job(…).",
            )
        self.name = name
        self.job = job
        self.next = _edges(next)
        self.credentials = None if credentials is None else tuple(credentials)
        self.each = each if each is None or isinstance(each, Each) else Each(each)
        self.seconds = seconds
        self.loop = None if self.each is None else _loop(self, self.each)
        """What runs its job once per item."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What it runs, in order."""
        if self.loop is not None:
            return (as_operation(_per_item(self.name, self.loop)),)
        return self.job.operations if isinstance(self.job, Job) else (self.job,)

    def __repr__(self) -> str:
        return f"<Step {self.name!r}{''.join(f' → {edge.to} ({edge})' for edge in self.next)}>"


class Workflow(Operation):
    """Steps joined by edges.

    Args:
        name: What it is called.
        steps: Its steps. It starts at each one that no edge leads to; where several edges meet, a
            step runs once, after all of them are decided.

    Raises:
        WorkflowError: The steps do not fit together; it names every fault.

    Example:
        >>> from crossdock import Job, Run, set_data
        >>> load, report = Job(set_data([7])), Job(lambda state: state.result(len(state.data)))
        >>> run = Run(Workflow("visits", Step("load", load, next="report"), Step("report", report)))
        >>> run.execute(), run.state.data
        ('success', 1)
    """

    __slots__ = ("order", "origins", "steps", "workflow_name")

    def __init__(self, name: str, *steps: Step) -> None:
        if not steps:
            raise WorkflowError(f"the workflow {name!r} has no steps", fix="Give it at least one.")
        if found := faults({step.name: step.next for step in steps}, [step.name for step in steps]):
            raise WorkflowError(
                f"the workflow {name!r} can't be: {'; '.join(fault.message for fault in found)}", fix=found[0].fix
            )
        self.workflow_name = name
        self.steps = steps
        self.origins = {
            step.name: tuple(o.name for o in steps if any(e.to == step.name for e in o.next)) for step in steps
        }
        """Step → the steps that lead to it."""
        self.order = _ordered(self.origins)
        """The names of the steps, each after all that lead to it."""
        super().__init__(_workflow, (), None, _getframe(1))

    @classmethod
    def of(cls, job: Job, name: str = "job") -> "Workflow":
        """Make the workflow of one job that runs alone.

        Args:
            job: The job.
            name: The name of its one step.
        """
        return cls(name, Step(name, job))

    @property
    def name(self) -> str:
        """What it is called."""
        return self.workflow_name

    def step(self, name: str) -> Step:
        """Give a step by its name."""
        for step in self.steps:
            if step.name == name:
                return step
        names = [step.name for step in self.steps]
        close = closest(name, names)
        raise ArgumentError(
            f"the workflow {self.name!r} has no step {name!r:.60}; it has {', '.join(names)}",
            fix=f"Did you mean {close}?" if close else "Name one of its steps.",
        )

    def work(self, state: State, keep: bool) -> Any:  # noqa: ARG002 - its result is ``data``
        """Run its steps as part of the run in progress."""
        return run_in_progress(f"the workflow {self.name!r}").nested(self, state)

    def __repr__(self) -> str:
        return f"Workflow({self.name!r}: {', '.join(step.name for step in self.steps)})"


class Fault(NamedTuple):
    """Something wrong with how steps fit together."""

    step: str
    to: str | None
    """The end of the edge that is wrong, if it is one."""
    message: str
    fix: str


def faults(edges: Mapping[str, Iterable[Edge]], names: Iterable[str]) -> list[Fault]:
    """Find everything that keeps steps from being a workflow.

    Args:
        edges: Step → where it leads.
        names: The names of the steps, also of those that stand twice.

    Example:
        >>> [fault.message for fault in faults({"a": [Edge("b")], "b": [Edge("a"), Edge("c")]}, ["a", "b"])]
        ["the step 'b' leads to 'c', which is no step", 'the steps lead in a circle: a → b → a']
    """
    listed = list(names)
    found = [*_twice(listed), *_dangling(edges)]
    return [*found, *_circles({name: [edge.to for edge in leads if edge.to in edges] for name, leads in edges.items()})]


def _circles(edges: dict[str, list[str]]) -> Iterator[Fault]:
    """Find the circles that steps lead in, and go on without the edge that closes one to find the next."""
    while circle := circle_in(edges):
        *_, origin, to = circle
        edges[origin] = [other for other in edges[origin] if other != to]
        message = f"the steps lead in a circle: {' → '.join(circle)}"
        yield Fault(origin, to, message, "Take out one of these edges.")


def _twice(names: list[str]) -> Iterator[Fault]:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield Fault(name, None, f"there are {names.count(name)} steps {name!r}", "Rename one of them.")


def _dangling(edges: Mapping[str, Iterable[Edge]]) -> Iterator[Fault]:
    for name, leads in edges.items():
        for edge in leads:
            if edge.to not in edges:
                close = closest(edge.to, edges)
                fix = f"Did you mean {close}?" if close else f"The steps are: {', '.join(edges)}."
                yield Fault(name, edge.to, f"the step {name!r} leads to {edge.to!r:.60}, which is no step", fix)


def circle_in(edges: Mapping[str, Collection[str]]) -> list[str]:
    """Give a way that comes back to where it began; nothing if there is none.

    Args:
        edges: Each thing, and where it leads.

    Example:
        >>> circle_in({"a": ["b"], "b": ["a"]}), circle_in({"a": ["b"], "b": []})
        (['a', 'b', 'a'], [])
    """
    from graphlib import CycleError  # imported late: a job alone has no edges

    try:
        _ordered({name: tuple(origin for origin, ends in edges.items() if name in ends) for name in edges})
    except CycleError as error:
        return list(error.args[1])
    return []


def _ordered(origins: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    from graphlib import TopologicalSorter

    return tuple(TopologicalSorter(origins).static_order()) if any(origins.values()) else tuple(origins)


def _edges(given: Next) -> tuple[Edge, ...]:
    if isinstance(given, str):
        return (Edge(given),)
    if isinstance(given, Mapping):
        return tuple(_edge(to, when) for to, when in given.items())
    return tuple(Edge(edge) if isinstance(edge, str) else edge for edge in given)


def _edge(to: str, when: Any) -> Edge:
    if isinstance(when, str) and when in AFTER:
        return Edge(to, when)
    if callable(when) and not isinstance(when, type | Lazy | Operation):
        return Edge(to, "on_success", when)
    raise ArgumentError(
        f"the edge to {to!r:.60} has {when!r:.60} for its condition",
        fix=f"Use {', '.join(AFTER)}, or a function of the state.",
    )


def condition_name(condition: Any) -> str:
    """Give what a condition is called."""
    return getattr(condition, "__name__", str(condition))


def _per_item(name: str, loop: Operation) -> Callable[[State], State]:
    """Give the function that runs the loop of a step, and leaves what each item left."""

    def per_item(state: State) -> State:
        return state.result(loop.outcome(state)[1])

    per_item.__name__ = name
    return per_item


def _loop(step: Step, each_: Each) -> Operation:
    """Make what runs a step once per item: each item is a walk through a workflow of its own."""
    body = step.job if isinstance(step.job, Workflow) else Workflow.of(step.job, step.name)
    items = each_.items if callable(each_.items) else _at(each_.items, step.name)

    def on_item(state: State) -> Any:
        return run_in_progress(f"the step {step.name!r}").nested(body, state, item=_key_of(state, each_.key))

    return each(
        items,  # type: ignore[arg-type]
        on_item,
        concurrency=each_.concurrency,
        on_error=each_.on_error,
        key=each_.key,
        commit="item",
    )


def _at(path: str, step: str) -> Callable[[State], Any]:
    def items(state: State) -> Any:
        found = value_at(dict(state), path)
        if not found and (missing := missing_key(dict(state), path)) is not None:
            key, there = missing  # a form leaves out a group without entries: it is no error, and may be a typo
            warn("each_path_missing", step=step, path=path, key=key, closest=closest(key, there))
        return found

    return items


def _key_of(state: State, key: str | None) -> Any:
    item = state.get("data")
    found = item.get(key) if key is not None and isinstance(item, dict) else None
    return state.get("index") if found is None else found


def _as_workflow(state: State) -> State:
    """Stand for a workflow among the declarations."""
    return state


_workflow = Declaration(_as_workflow)
_workflow.name = "Workflow"
