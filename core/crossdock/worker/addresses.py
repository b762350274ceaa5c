"""The addresses of a project's inbox, from its webhook triggers."""

from collections.abc import Iterator, Sequence
from typing import Any

from crossdock.credentials import resolved
from crossdock.documents import read_document
from crossdock.errors import ProjectError
from crossdock.plugins import Plugins
from crossdock.project.project import Project
from crossdock.project.triggers import Webhook
from crossdock.redaction import Redactor
from crossdock.server.address import Address
from crossdock.server.auth_setting import read_methods
from crossdock.server.authentication import Method
from crossdock.worker.policy import target


def addresses(project: Project, plugins: Plugins) -> list[Address]:
    """Give where messages of a project arrive; triggers of one path share its address.

    Args:
        project: The project.
        plugins: They resolve the secrets of senders.

    Raises:
        CredentialError: A secret is missing or can't be used.
        ProjectError: A schema can't be read.
    """
    shared: dict[str, list[tuple[str, str, Webhook]]] = {}
    for workflow, name, trigger in _webhooks(project):
        shared.setdefault(trigger.path, []).append((workflow, name, trigger))
    return [_address(project, path, triggers, plugins) for path, triggers in shared.items()]


def _webhooks(project: Project) -> Iterator[tuple[str, str, Webhook]]:
    for workflow, definition in project.definitions.items():
        for name, trigger in definition.triggers.items():
            if isinstance(trigger, Webhook):
                yield workflow, name, trigger


def _address(project: Project, path: str, triggers: Sequence[tuple[str, str, Webhook]], plugins: Plugins) -> Address:
    """Give an address; the project made sure that its triggers say the same of senders and payloads."""
    first = triggers[0][2]
    idempotency = first.idempotency
    return Address(
        path,
        targets=[target(project, workflow, name) for workflow, name, trigger in triggers if trigger.enabled],
        methods=_methods(first, path, plugins),
        accept=first.accept,
        duplicate_keys=first.duplicate_keys,
        xml=first.xml,
        gzip=first.gzip,
        max_bytes=first.max_bytes,
        schema=None if first.payload_schema is None else _schema(project, first.payload_schema),
        id_path=None if idempotency is None else idempotency.path,
        id_header=None if idempotency is None else idempotency.header,
        ack=first.ack,
        reply=first.reply,
        reply_seconds=first.reply_timeout.total_seconds(),
        enabled=any(trigger.enabled for _, _, trigger in triggers),
    )


def _methods(trigger: Webhook, path: str, plugins: Plugins) -> dict[str, Method]:
    """Read how senders prove who they are."""
    if trigger.auth is None:
        return {}
    what = f"auth of the inbox {path!r}"
    auth = trigger.auth.model_dump(include=trigger.auth.model_fields_set)
    return read_methods(resolved({what: auth}, plugins=plugins, redactor=Redactor())[what], what=what)


def _schema(project: Project, file: str) -> Any:
    return read_document(str(project.folder / file), what=f"the schema {file!r}", error=ProjectError).content
