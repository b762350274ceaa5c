"""The addresses of a project: its webhook triggers, those with the same address together."""

from collections.abc import Mapping
from typing import Any

from crossdock.decoding import decode
from crossdock.errors import InputError
from crossdock.filter import Filter
from crossdock.plugins import Plugins
from crossdock.project.project import Project
from crossdock.project.shape import WorkflowDefinition
from crossdock.project.triggers import Auth, Webhook
from crossdock.server.address import Address, Target
from crossdock.server.auth_setting import read_methods
from crossdock.server.authentication import Method

_SECRETS = ("api_key", "standard_webhooks", "password", "secret")
"""What of ``auth:`` is kept elsewhere."""


def addresses_of(project: Project, plugins: Plugins) -> list[Address]:
    """Give the addresses of a project.

    Triggers with one address agree on its terms; reading the project sees to that. One that is
    switched off starts nothing, and an address is switched off when all its triggers are.

    Args:
        project: The project.
        plugins: What knows where secrets are kept.

    Raises:
        CredentialError: A secret is not where it should be, or too short.
        InputError: The file of a schema can't be read.
    """
    found: dict[str, list[tuple[str, str, WorkflowDefinition, Webhook]]] = {}
    for workflow, definition in project.definitions.items():
        for name, trigger in definition.triggers.items():
            if isinstance(trigger, Webhook):
                found.setdefault(trigger.path, []).append((workflow, name, definition, trigger))
    return [_address(project, plugins, triggers) for triggers in found.values()]


def target(workflow: str, trigger: str, definition: WorkflowDefinition) -> Target:
    """Give what a trigger starts.

    Args:
        workflow: The name of its workflow.
        trigger: Its name; one that the workflow does not list is somebody who starts it by hand.
        definition: What is said of the workflow.
    """
    starts = definition.triggers.get(trigger)
    filter_ = starts.filter if isinstance(starts, Webhook) else Filter()
    return Target(workflow, trigger, filter_, definition.most_attempts, definition.serialize_by)


def _address(
    project: Project, plugins: Plugins, triggers: list[tuple[str, str, WorkflowDefinition, Webhook]]
) -> Address:
    working = [one for one in triggers if one[3].enabled]
    terms = (working or triggers)[0][3]
    return terms_of(project, terms)._replace(
        targets=[target(workflow, name, definition) for workflow, name, definition, _ in working],
        methods=methods_of(terms.auth, plugins, f"auth of the webhook {terms.path!r}"),
        enabled=bool(working),
    )


def terms_of(project: Project, terms: Webhook) -> Address:
    """Give the address of a trigger with all that does not depend on who sends, and what it starts.

    Args:
        project: The project.
        terms: The trigger.

    Raises:
        InputError: The file of its schema can't be read.
    """
    return Address(
        terms.path,
        accept=terms.accept,
        duplicate_keys=terms.duplicate_keys,
        xml=terms.xml,
        gzip=terms.gzip,
        max_bytes=terms.max_bytes,
        schema=None if terms.payload_schema is None else _schema(project, terms.payload_schema),
        id_path=terms.idempotency.path,
        id_header=terms.idempotency.header,
        id_window=terms.idempotency.window,
        ack=terms.ack,
        reply=terms.reply,
        reply_seconds=terms.reply_timeout.total_seconds(),
        enabled=terms.enabled,
    )


def methods_of(auth: Auth | None, plugins: Plugins, what: str) -> Mapping[str, Method]:
    """Give the ways in which somebody may prove who it is; none where ``auth:`` is not given.

    Args:
        auth: What the project says.
        plugins: What knows where secrets are kept.
        what: Where it stands, for the error.

    Raises:
        CredentialError: A secret is not where it should be, or too short.
    """
    return {} if auth is None else read_methods(_resolved(auth.model_dump(), plugins, what), what=what)


def _resolved(setting: Any, plugins: Plugins, what: str, name: str = "") -> Any:
    """Put secrets in the place of the references to them."""
    if isinstance(setting, dict):
        return {key: _resolved(value, plugins, what, key) for key, value in setting.items()}
    if isinstance(setting, list):
        return [_resolved(value, plugins, what, name) for value in setting]
    found = plugins.resolve_secret(setting, what=f"{what}.{name}") if name in _SECRETS else None
    return setting if found is None else found.secret


def _schema(project: Project, name: str) -> Any:
    what = f"the schema {name!r}"
    try:
        return decode((project.folder / name).read_bytes(), what=what)
    except OSError as error:
        raise InputError(
            f"{what} can't be read: {error.strerror}", fix="Correct its path or its permissions."
        ) from None
