"""The shape of a step in a project file, and of the edges that lead from it."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from crossdock.checking.finding import Code
from crossdock.common.loop import OnError
from crossdock.errors import InputError
from crossdock.filter import Filter
from crossdock.project.notation import (
    Name,
    Part,
    StatePath,
    wrong,
    wrong_at,
)
from crossdock.project.triggers import Json
from crossdock.workflow import AFTER
from crossdock.workflow import After as AfterStep


def _has_function(given: str) -> str:
    file, _, name = given.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise wrong(Code.WRONG_VALUE, "names no function of a file", "Write FILE:FUNCTION, as jobs/rules.py:has_rows.")
    return given


def _as_edge(given: Any) -> Any:
    return {"after": given} if isinstance(given, str) else given


def _as_edges(given: Any) -> Any:
    if isinstance(given, str):
        return {given: "always"}
    return dict.fromkeys(given, "always") if _are_names(given) else given


def _are_names(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(name, str) for name in given)


def _as_each(given: Any) -> Any:
    return {"items": given} if isinstance(given, str) else given


class EdgeDefinition(Part):
    """When the way to another step is taken."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    after: AfterStep = "on_success"
    """After which end of the step."""
    when: Annotated[str, AfterValidator(_has_function)] | None = None
    """A function of the state that must give true besides: FILE:FUNCTION."""
    include: Json = None
    """What state.data must contain besides."""
    exclude: Json = None
    """What state.data must not contain."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.model_fields_set:
            raise wrong(Code.EMPTY_KEY, "says nothing", f"Write {', '.join(AFTER)}, or a condition.")
        if self.when is not None and self.filters:
            message = "stands beside a filter"
            raise wrong_at(("when", wrong(Code.WRONG_VALUE, message, "Write a function or a filter, not both.")))
        return self

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        try:
            can_match = not self.filters or self.filter.can_match(accept="any")
        except InputError as error:
            raise wrong(Code.WRONG_VALUE, error.message, "Correct the filter.") from None
        if not can_match:
            fix = "Take out of exclude what include asks for."
            raise wrong(Code.FILTER_NEVER_MATCHES, "lets no state through", fix)
        return self

    @property
    def filters(self) -> bool:
        """Whether it has a filter."""
        return self.include is not None or self.exclude is not None

    @property
    def filter(self) -> Filter:
        """What ``state.data`` has to be like."""
        return Filter(self.include, self.exclude, what="the edge")


class EachDefinition(Part):
    """How a step runs once per item."""

    items: StatePath
    """The path to the items."""
    key: str | None = None
    """The field of an item by which its outcome is recorded; by default its index."""
    concurrency: int = Field(default=1, gt=0)
    """How many items may be in work at once."""
    on_error: OnError = "collect"
    """What a failed item means: raise ends the step, collect goes on, stop ends the loop there."""


class StepLimits(Part):
    """What a step may use."""

    seconds: float = Field(gt=0, allow_inf_nan=False)
    """How long it may take."""


_EDGE = Annotated[EdgeDefinition, BeforeValidator(_as_edge, json_schema_input_type=AfterStep | EdgeDefinition)]


class StepDefinition(Part):
    """A job in its place in a workflow."""

    choice = ("job", "workflow")

    job: str | None = None
    """The file of the job that it runs, from the project's folder."""
    workflow: Name | None = None
    """The workflow that it runs instead of a job."""
    credentials: list[Name] | None = None
    """The names of the credentials that it may use; by default all."""
    next: Annotated[
        dict[str, _EDGE],
        BeforeValidator(_as_edges, json_schema_input_type=str | list[str] | dict[str, _EDGE]),
    ] = {}
    """Where it leads: a step, a list of steps, or for each step when the way to it is taken."""
    each: (
        Annotated[EachDefinition, BeforeValidator(_as_each, json_schema_input_type=StatePath | EachDefinition)] | None
    ) = None
    """The path to the items for which it runs, one run each."""
    limits: StepLimits | None = None
    """What it may use."""
