"""Explaining: which triggers of a project take a message, and what keeps the others from it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from crossdock.filter import Filter
from crossdock.project.project import Project
from crossdock.project.triggers import Webhook
from crossdock.server.addresses import terms_of
from crossdock.server.errors import RequestError
from crossdock.server.headers import Headers


class Obstacle(NamedTuple):
    """What keeps a trigger from taking a message; it shows nothing of the payload."""

    part: str
    """The key of the trigger that says so, or ``body`` if it can't be read at all."""
    path: str
    reason: str


class Explanation(NamedTuple):
    """Whether a trigger takes a message."""

    workflow: str
    trigger: str
    webhook: str
    """The last part of its address."""
    takes: bool
    obstacles: tuple[Obstacle, ...]
    payload: Any = None
    """What was read, if it could be."""


def explain(project: Project, body: bytes, headers: Headers, *, webhook: str | None = None) -> list[Explanation]:
    """Say of each webhook trigger of a project whether it takes a message, and why not; who may send is left out.

    Args:
        project: The project.
        body: The body of the message.
        headers: ``Content-Type`` and ``Content-Encoding``.
        webhook: The address that the message came to; by default it may have been any.

    Raises:
        InputError: The file of a schema can't be read.
    """
    return [
        _explained(project, workflow, name, trigger, body, headers)
        for workflow, definition in project.definitions.items()
        for name, trigger in definition.triggers.items()
        if isinstance(trigger, Webhook) and webhook in (None, trigger.path)
    ]


def _explained(
    project: Project, workflow: str, name: str, trigger: Webhook, body: bytes, headers: Headers
) -> Explanation:
    address, payload = terms_of(project, trigger), None
    obstacles = [] if trigger.enabled else [Obstacle("enabled", "", "the trigger is switched off")]
    if len(body) > address.max_bytes:
        obstacles.append(Obstacle("max_bytes", "", f"the body has more than {address.max_bytes} bytes"))
    try:
        payload = address._replace(schema=None).read(body, headers)
        obstacles += _of_filter(trigger.filter, payload)
        address.read(body, headers)
    except RequestError as refusal:
        obstacles += _of_refusal(refusal)
    return Explanation(workflow, name, trigger.path, not obstacles, tuple(obstacles), payload)


def _of_filter(filter_: Filter, payload: Any) -> Iterator[Obstacle]:
    return (Obstacle(*mismatch) for mismatch in filter_.explain(payload))


_PARTS = {
    "invalid_payload": "schema",
    "not_an_object": "accept",
    "duplicate_key": "duplicate_keys",
    "too_large": "max_bytes",
}
"""The key of a trigger that a refusal comes from, by the code of the refusal."""


def _of_refusal(refusal: RequestError) -> list[Obstacle]:
    faults = refusal.details.get("faults")
    if faults:
        return [Obstacle("schema", fault["path"], fault["message"]) for fault in faults]
    return [Obstacle(_PARTS.get(refusal.code, "body"), str(refusal.details.get("path", "")), refusal.message)]
