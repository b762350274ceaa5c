"""Rules about the whole of a project file: what is named is there, and nothing goes round in a circle."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from crossdock.checking.finding import Code, Finding
from crossdock.checking.secrets import secret_in
from crossdock.documents import parse_document, read_document
from crossdock.errors import ProjectError, closest
from crossdock.project.files import files_are_there
from crossdock.project.reading import Path, Source, shape_of
from crossdock.project.shape import Notice, ProjectFile, WorkflowDefinition
from crossdock.project.steps import StepDefinition
from crossdock.project.triggers import After, Webhook
from crossdock.site import short
from crossdock.workflow import Edge, circle_in, faults

if TYPE_CHECKING:
    from pathlib import Path as FolderPath

Rule = Callable[[Source, ProjectFile], Iterator[Finding]]


def steps_fit(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find edges to steps that there are not, and circles."""
    for name, workflow in shape.workflows.items():
        at = ("workflows", name, "steps")
        edges = _edges(source, name, workflow)
        for fault in faults(edges, edges):
            code = Code.CIRCLE if fault.to in edges else Code.UNKNOWN_STEP
            where = (*at, fault.step, "next", fault.to or "")
            yield source.finding(_listed(source, where), code, f"workflows.{name}: {fault.message}", fault.fix)


def _edges(source: Source, name: str, workflow: WorkflowDefinition) -> dict[str, list[Edge]]:
    """Give where each step leads; a step that is wrong leads nowhere."""
    known: dict[str, list[Edge]] = {step: [] for step in source.names("workflows", name, "steps")}
    return known | {step: [Edge(to) for to in definition.next] for step, definition in workflow.steps.items()}


def _listed(source: Source, path: Path) -> Path:
    """Give the way to an entry that may stand in a list."""
    *above, entry = path
    found = source.at(*above)
    return (*above, found.index(entry)) if isinstance(found, list) else path


def steps_are_reached(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find steps that come only after a circle; those in the circle are told as such."""
    for name, workflow in shape.workflows.items():
        edges = {step: [edge.to for edge in leads] for step, leads in _edges(source, name, workflow).items()}
        starts = set(edges) - {to for leads in edges.values() for to in leads}
        reached = _reached(starts, edges)
        for step in edges:
            if step not in reached and step not in _reached(edges[step], edges):
                message = f"workflows.{name}: no way leads to the step {step!r} from where the workflow starts"
                fix = "Take the circle out before it, or the step."
                yield source.finding(("workflows", name, "steps", step), Code.UNREACHABLE_STEP, message, fix)


def _reached(starts: Iterable[str], edges: dict[str, list[str]]) -> set[str]:
    reached, behind = set[str](), list(starts)
    while behind:
        step = behind.pop()
        if step not in reached:
            reached.add(step)
            behind += edges.get(step, [])
    return reached


def workflows_are_there(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find workflows that are named and are not there."""
    names = source.names("workflows")
    for path, name in [*_nested(shape), *_upstream(shape), *_told(shape)]:
        if name not in names:
            yield source.finding(path, Code.UNKNOWN_WORKFLOW, f"there is no workflow {name!r:.60}", _fix(name, names))


def workflows_run_in_no_circle(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find workflows that run, start or tell each other in a circle."""
    told = [(path, name) for path, name in _told(shape) if path[0] == "workflows"]
    for what, named in (("run", _nested(shape)), ("start", _upstream(shape)), ("tell", told)):
        ways = [(path, str(path[1]), name) for path, name in named]
        edges = {
            name: [to for _, origin, to in ways if origin == name and to in shape.workflows] for name in shape.workflows
        }
        if circle := circle_in(edges):
            *_, origin, to = circle
            path = next(path for path, starts, name in ways if (starts, name) == (origin, to))
            message = f"the workflows {what} each other in a circle: {' → '.join(circle)}"
            yield source.finding(path, Code.CIRCLE, message, "Take out one of these.")


def _nested(shape: ProjectFile) -> list[tuple[Path, str]]:
    """Give the workflows that steps run."""
    return [
        (("workflows", name, "steps", step, "workflow"), runs.workflow)
        for name, step, runs in _steps(shape)
        if runs.workflow is not None
    ]


def _upstream(shape: ProjectFile) -> list[tuple[Path, str]]:
    """Give the workflows whose end triggers wait for."""
    return [
        (("workflows", name, "triggers", key, "after", "success" if trigger.success else "failure"), trigger.workflow)
        for name, workflow in shape.workflows.items()
        for key, trigger in workflow.triggers.items()
        if isinstance(trigger, After)
    ]


def _told(shape: ProjectFile) -> Iterator[tuple[Path, str]]:
    """Give the workflows that are told of failures."""
    yield from _noticed(("defaults", "notify"), shape.defaults.notify)
    for name, workflow in shape.workflows.items():
        yield from _noticed(("workflows", name, "notify"), workflow.notify)


def _noticed(path: Path, notices: list[Notice]) -> Iterator[tuple[Path, str]]:
    for number, notice in enumerate(notices):
        if notice.workflow is not None:
            yield (*path, number, "workflow"), notice.workflow


def _steps(shape: ProjectFile) -> list[tuple[str, str, StepDefinition]]:
    return [(name, step, runs) for name, workflow in shape.workflows.items() for step, runs in workflow.steps.items()]


def credentials_are_there(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find credentials and settings that are named and are not there."""
    credentials, settings = source.names("credentials"), source.names("settings")
    for name, step, runs in _steps(shape):
        for number, credential in enumerate(runs.credentials or []):
            path: Path = ("workflows", name, "steps", step, "credentials", number)
            yield from _missing(source, path, credential, credentials, "credential", Code.CREDENTIAL_MISSING)
    for name, environment in shape.environments.items():
        for credential in environment.credentials:
            path = ("environments", name, "credentials", credential)
            yield from _missing(source, path, credential, credentials, "credential", Code.CREDENTIAL_MISSING)
        for setting in environment.settings:
            path = ("environments", name, "settings", setting)
            yield from _missing(source, path, setting, settings, "setting", Code.UNKNOWN_SETTING)


def _missing(source: Source, path: Path, name: str, known: list[str], what: str, code: Code) -> Iterator[Finding]:
    if name not in known:
        yield source.finding(path, code, f"there is no {what} {name!r:.60}", _fix(name, known))


def _fix(name: str, known: Collection[str]) -> str:
    close = closest(name, known)
    return f"Did you mean {close}?" if close else f"There are: {', '.join(known) or 'none'}."


def names_stand_once(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find steps and credentials that a list names twice."""
    for name, step, _ in _steps(shape):
        for key in ("next", "credentials"):
            path = ("workflows", name, "steps", step, key)
            given = source.at(*path)
            for number, entry in enumerate(given if isinstance(given, list) else []):
                if entry in given[:number]:
                    message = f"{'.'.join(path)} names {entry!r:.60} twice"
                    yield source.finding((*path, number), Code.NAME_TWICE, message, "Remove one of them.")


def webhooks_agree(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find triggers with one address that want different things before it is known whom a message is for."""
    first: dict[str, tuple[Path, dict[str, Any]]] = {}
    for name, workflow in shape.workflows.items():
        for key, trigger in workflow.triggers.items():
            if isinstance(trigger, Webhook) and trigger.enabled:
                path = ("workflows", name, "triggers", key)
                written = source.at(*path)
                other, before = first.setdefault(trigger.path, (path, written))
                for option in _AT_THE_DOOR:
                    if written.get(option) != before.get(option):
                        message = f"{'.'.join(path)} and {'.'.join(map(str, other))} have one address, and differ in {option!r}"
                        fix = "Say the same in both, or give them different addresses."
                        yield source.finding((*path, option), Code.WEBHOOKS_DISAGREE, message, fix)


_AT_THE_DOOR = (
    *("auth", "xml", "accept", "schema", "duplicate_keys", "gzip", "max_bytes"),
    *("idempotency", "ack", "reply", "reply_timeout"),
)
"""What is decided of a message before it is known which triggers it is for."""


def secrets_are_elsewhere(source: Source, _: ProjectFile) -> Iterator[Finding]:
    """Find secrets that stand in the file itself; no finding shows one."""
    for path in _held_by(source):
        for place, name, text in _texts(source.at(*path), path, ""):
            if secret_in(name, text):
                fix = _IN_SETTINGS if "settings" in path else "Keep it elsewhere, and write env:NAME or file:PATH here."
                message = f"{'.'.join(map(str, place))} holds a secret itself"
                yield source.finding(place, Code.SECRET_INLINE, message, fix)


_IN_SETTINGS = "Make it a field of a credential, as env:NAME or file:PATH: a job reads credentials.name.field."
"""Settings are no secrets: they hold what they say, and nothing masks it."""


def _held_by(source: Source) -> Iterator[Path]:
    """Give the parts of the file that may hold a secret, but for those whose shape asks for references."""
    yield from [("store",), ("settings",), ("defaults", "notify")]
    yield from (("workflows", name, "notify") for name in source.names("workflows"))
    yield from (("credentials", name) for name in source.names("credentials"))
    for environment in source.names("environments"):
        at = ("environments", environment)
        yield from [(*at, "settings"), (*at, "store")]
        yield from ((*at, "credentials", name) for name in source.names(*at, "credentials"))


_VALUE = "value"
"""The key of what is named by the key above it, as in ``api_key: {header: X-Key, value: …}``."""


def _texts(value: Any, path: Path, name: str) -> Iterator[tuple[Path, str, str]]:
    """Give every text with the name by which it is known what it is."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key), name if key == _VALUE else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number), name)
    elif isinstance(value, str):
        yield path, name, value


def adaptors_are_allowed(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find credentials of adaptors that jobs may not use."""
    for name, credential in shape.credentials.items():
        if not shape.adaptors.allows(credential.adaptor):
            message = f"the credential {name!r} is for {credential.adaptor}, which this project does not allow"
            fix = "Correct adaptors, or remove the credential."
            yield source.finding(("credentials", name, "adaptor"), Code.ADAPTOR_NOT_ALLOWED, message, fix)


RULES: tuple[Rule, ...] = (
    steps_fit,
    steps_are_reached,
    workflows_are_there,
    workflows_run_in_no_circle,
    credentials_are_there,
    names_stand_once,
    webhooks_agree,
    secrets_are_elsewhere,
    adaptors_are_allowed,
    files_are_there,
)


def survey(file: "FolderPath") -> tuple[Source, ProjectFile, list[Finding]]:
    """Read a project file and find all that is wrong with it.

    Args:
        file: The file.

    Returns:
        What is written, what of it is right, and what is wrong.
    """
    name = short(str(file))
    try:
        document = read_document(str(file), what="the file", error=ProjectError, all_faults=True)
    except ProjectError as error:  # there is nothing to look into
        source = Source(name, parse_document("workflows: {}", what="nothing", error=ProjectError), file.parent)
        found = Finding(name, error.details.get("line", 1), Code.WRONG_NOTATION, error.message, error.fix)
        return source, shape_of(source)[0], [found]
    source = Source(name, document, file.parent)
    shape, findings = shape_of(source)
    return source, shape, sorted({*findings, *(finding for rule in RULES for finding in rule(source, shape))})
