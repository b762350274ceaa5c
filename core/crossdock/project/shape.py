"""The shape of a project file: what may stand in it, and what holds where nothing is written.

The models here are the one place that says so: what is read is validated by them, and the JSON Schema
for editors is made from them.
"""

import re
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from crossdock.checking.finding import Code
from crossdock.checking.secrets import REFERENCE
from crossdock.project.notation import (
    Length,
    Name,
    Network,
    OneOrMore,
    Part,
    Secret,
    StatePath,
    Timezone,
    wrong,
    wrong_at,
)
from crossdock.project.steps import StepDefinition
from crossdock.project.triggers import Auth, Trigger

P = TypeVar("P", bound=Part)

CRASHES = 3
"""How often a run is tried whose process or server was gone before it ended, whatever is said of failures."""

STORE = "sqlite:///.crossdock/crossdock.db"

_ADDRESS = re.compile(r"https?://[^/\s@]\S*")
_STORE = re.compile(r"sqlite:///.+|postgresql://.+")


def _is_store(given: str) -> str:
    if _STORE.fullmatch(given) is None and REFERENCE.fullmatch(given) is None:
        fix = "Write sqlite:///PATH, postgresql://HOST/DATABASE, or env:NAME."
        raise wrong(Code.WRONG_VALUE, "is the address of no store", fix)
    return given


def _is_address(given: str) -> str:
    if _ADDRESS.fullmatch(given) is None and REFERENCE.fullmatch(given) is None:
        raise wrong(Code.WRONG_VALUE, "is no address", "Write https://HOST/PATH, or env:NAME.")
    return given


class Limits(Part):
    """What a run may use."""

    seconds: float = Field(default=300, gt=0, allow_inf_nan=False)
    """How long it may take."""
    memory_mb: int = Field(default=512, gt=0)
    """The memory that its process may take."""
    state_mb: float = Field(default=10, gt=0, allow_inf_nan=False)
    """How large the state may be when a step ends."""
    output_mb: float = Field(default=10, gt=0, allow_inf_nan=False)
    """How large a final state is kept."""
    log_mb: float = Field(default=5, gt=0, allow_inf_nan=False)
    """How much of its log is kept; each line counts 64 bytes more than its text."""

    @property
    def state_bytes(self) -> int:
        """How large the state may be, in bytes."""
        return int(self.state_mb * 1024 * 1024)


class Retry(Part):
    """How often a run is tried that failed in a way that may pass."""

    attempts: int = Field(default=1, gt=0, le=100)
    """How often in all; 1 is never again."""
    backoff: Length = Field(default="30 seconds", validate_default=True)
    """How long to wait before the second attempt; each wait is twice the one before."""
    max_backoff: Length = Field(default="60 minutes", validate_default=True)
    """The longest wait."""


class Retention(Part):
    """How long what happened is kept."""

    payloads: Length = Field(default="30 days", validate_default=True)
    """Messages, states and log lines."""
    history: Length = Field(default="365 days", validate_default=True)
    """What ran when and how it ended."""
    keep_failed: bool = False
    """Whether what failed stays until it succeeded or was dropped."""
    erase_all: bool = False
    """Whether payloads are erased as soon as their run has ended."""


class Notice(Part):
    """Who is told of what."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"headers": ["webhook"]}})

    choice = ("workflow", "webhook")

    workflow: Name | None = None
    """The workflow that is run."""
    webhook: Annotated[str, AfterValidator(_is_address)] | None = None
    """The address that notices are posted to as JSON, or where it is kept: env:NAME."""
    headers: dict[str, Secret] = {}
    """Headers that go along with them, and where the value of each is kept: env:NAME."""
    on: list[Literal["failed", "dead"]] = ["failed", "dead"]
    """What is told: runs that failed, messages that failed for good."""
    silent_for: Length | None = None
    """How long nothing may have succeeded before that is told, too; once for each silence."""

    @model_validator(mode="after")
    def _has_headers_to_send(self) -> Self:
        if self.headers and self.webhook is None:
            wrong_here = wrong(Code.WRONG_VALUE, "stand beside no webhook", "Write them with webhook.")
            raise wrong_at(("headers", wrong_here))
        return self


class _Usual(Part):
    """What workflows have in common unless they say otherwise."""

    concurrency: int = Field(default=1, gt=0)
    """How many of its runs may be in work at once; with 1 they keep the order of their messages."""
    retry: Retry = Retry()
    """How often a run is tried that failed in a way that may pass."""
    notify: OneOrMore[Notice] = []
    """Who is told when runs fail."""


class Defaults(_Usual):
    """What holds for every workflow that does not say otherwise."""

    timezone: Timezone = "UTC"
    """The zone of clocks that name none."""


class WorkflowDefinition(_Usual):
    """Steps, what starts them, and what their runs may do."""

    triggers: dict[Name, Trigger] = {}
    """What starts it."""
    steps: dict[Name, StepDefinition] = Field(min_length=1)
    """Its steps; it starts at each one that none leads to."""
    parallel: int = Field(default=1, gt=0)
    """How many steps of a run may be in work at once, where its edges allow it."""
    serialize_by: StatePath | None = None
    """The path to what a message is about; runs about the same keep the order of their messages."""
    limits: Limits = Limits()
    """What a run may use."""
    retention: Retention = Retention()
    """How long what happened is kept."""

    @property
    def most_attempts(self) -> int:
        """After how many attempts a run is dead, counted with those whose process or server was gone."""
        return max(CRASHES, self.retry.attempts)


class AdaptorChoice(Part):
    """Which adaptors jobs may use."""

    allow: list[str] | None = None
    """These and no others."""
    disable: list[str] = []
    """All but these."""

    def allows(self, name: str) -> bool:
        """Tell whether jobs may use an adaptor."""
        return name not in self.disable and (self.allow is None or name in self.allow)


class Credential(Part):
    """The fields for one system, and the adaptor that they are for; secrets as env:NAME, file:PATH or keyring:SERVICE/NAME."""

    model_config = ConfigDict(extra="allow")

    adaptor: str
    """The adaptor that they are for."""


class Environment(Part):
    """What is different in one environment."""

    credentials: dict[str, dict[str, Any]] = {}
    """The fields of credentials that are different."""
    settings: dict[str, Any] = {}
    """The settings that are different."""
    store: Annotated[str, AfterValidator(_is_store)] | None = None
    """Where its messages, runs and logs are kept, if the project's store has an address."""


class Metrics(Part):
    """Who may read more of the metrics, and of the health, than everybody."""

    auth: Auth
    """How readers prove who they are, as senders of a webhook do."""


class Serve(Part):
    """How the project is served."""

    host: str = "127.0.0.1"
    """The address to listen at."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen at."""
    trusted_proxies: list[Network] = ["127.0.0.1", "::1"]
    """The addresses of proxies that may say in X-Forwarded-For whom a request is from."""
    workers: int = Field(default=2, gt=0)
    """How many runs may be in work at once."""
    max_pending: int = Field(default=10_000, gt=0)
    """How many messages may wait before senders are asked to come again later."""
    grace: Length = Field(default="30 seconds", validate_default=True)
    """How long runs may go on after the service was told to end."""
    on_change: Literal["run", "hold"] = "run"
    """What becomes of runs that another version of the project accepted."""
    env: list[str] = []
    """The variables of the environment that runs see."""
    metrics: Metrics | None = None
    """Who may read more than totals."""


class ProjectFile(Part):
    """A project of crossdock: its workflows, and what they need."""

    name: Name | None = None
    """What it is called; by default as its folder."""
    store: Annotated[str, AfterValidator(_is_store)] = STORE
    """Where messages, runs and logs are kept."""
    credentials: dict[Name, Credential] = {}
    """What steps need to reach their systems."""
    settings: dict[str, Any] = {}
    """What jobs read as settings.name; nothing secret."""
    adaptors: AdaptorChoice = AdaptorChoice()
    """Which adaptors jobs may use."""
    environments: dict[Name, Environment] = {}
    """What is different where: --env NAME."""
    defaults: Defaults = Defaults()
    """What holds for every workflow that does not say otherwise."""
    limits: Limits = Limits()
    """What a run may use, unless its workflow says otherwise."""
    retention: Retention = Retention()
    """How long what happened is kept, unless its workflow says otherwise."""
    serve: Serve = Serve()
    """How it is served."""
    workflows: dict[Name, WorkflowDefinition]
    """Its workflows."""

    def store_of(self, environment: str | None) -> str | None:
        """Give the store of an environment; None if that is not said, and the project's own is for another one.

        A reference, such as env:NAME, is taken to mean another store where it is served for another
        environment.
        """
        own = self.environments[environment].store if environment in self.environments else None
        if environment is None or own is not None:
            return own or self.store
        if self.store == STORE:
            return STORE.replace("crossdock.db", f"environments/{environment}/crossdock.db")
        return self.store if REFERENCE.fullmatch(self.store) else None

    def definition(self, name: str) -> WorkflowDefinition:
        """Give a workflow with what holds for all of them filled in."""
        own = self.workflows[name]
        usual = {key: getattr(self.defaults, key) for key in _Usual.model_fields if key not in own.model_fields_set}
        if "notify" in usual:  # who is told of all workflows is not told of itself
            usual["notify"] = [notice for notice in usual["notify"] if notice.workflow != name]
        return own.model_copy(
            update={
                **usual,
                "limits": _over(self.limits, own.limits),
                "retention": _over(self.retention, own.retention),
                "triggers": {name: self._of_zone(trigger) for name, trigger in own.triggers.items()},
            }
        )

    def _of_zone(self, trigger: Trigger) -> Trigger:
        if "timezone" not in type(trigger).model_fields or "timezone" in trigger.model_fields_set:
            return trigger
        return trigger.model_copy(update={"timezone": self.defaults.timezone})


def _over(base: P, own: P) -> P:
    """Lay what is written in one part over another."""
    return base.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
