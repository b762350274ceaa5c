"""Replaying: which runs a message starts when it is received again."""

from typing import TYPE_CHECKING, Any

from crossdock.project.triggers import Webhook
from crossdock.server.address import Target, runs_of
from crossdock.server.addresses import target
from crossdock.store.errors import RunStateError, WipedError
from crossdock.store.records import NewRun, Search, StoredMessage
from crossdock.worker.received import payload_of

if TYPE_CHECKING:
    from crossdock.project.project import Project
    from crossdock.store.store import Store


class Replaying:
    """Receives messages again, as the project is now.

    Args:
        project: The project.
        store: Its store.
    """

    def __init__(self, project: "Project", store: "Store") -> None:
        self._project = project
        self._version = project.version()
        self._store = store

    def replay(self, message: str) -> list[str]:
        """Start the runs of a message again, and give their ids.

        Raises:
            StoreError: There is no such message, it was erased, or nothing takes it.
        """
        found = self._store.history.message(message)
        return list(self._store.replay(message, self._runs(found, whole(found))).runs)

    def edit_and_replay(self, message: str, body: bytes) -> dict[str, Any]:
        """Receive another body in the place of a message; the errors are those of ``replay``.

        Returns:
            The ids of the new message and of its runs.
        """
        found = self._store.history.message(message)
        accepted = self._store.edit_and_replay(message, body, self._runs(found, body))
        return {"message_id": accepted.message, "run_ids": list(accepted.runs)}

    def _runs(self, message: StoredMessage, body: bytes) -> list[NewRun]:
        data = self._data(message, body)
        targets = self._listening(message.source) if message.kind == "webhook" else self._before(message.id)
        runs = runs_of(targets, data, message.request or {}, self._version)
        if not runs:
            fix = "Look at the filters of the triggers, and whether one is switched on that takes it."
            raise RunStateError(f"no workflow of the project takes the message {message.id}", fix=fix)
        return runs

    def _data(self, message: StoredMessage, body: bytes) -> Any:
        if message.kind == "webhook":
            return payload_of(message, body, next(iter(self._webhooks(message.source).values()), None))
        from crossdock.message import Message

        return Message.from_json(body, what="the message").state.get("data")

    def _webhooks(self, path: str) -> dict[tuple[str, str], Webhook]:
        """Give the triggers that are switched on and listen at an address, by workflow and name."""
        return {
            (workflow, name): trigger
            for workflow, definition in self._project.definitions.items()
            for name, trigger in definition.triggers.items()
            if isinstance(trigger, Webhook) and trigger.enabled and trigger.path == path
        }

    def _listening(self, path: str) -> list[Target]:
        return [self._target(workflow, name) for workflow, name in self._webhooks(path)]

    def _before(self, message: str) -> list[Target]:
        """Give what a message that no inbox received started before, each once."""
        runs = reversed(list(self._store.history.runs(Search(message=message))))
        return [self._target(*started) for started in dict.fromkeys((run.workflow, run.trigger) for run in runs)]

    def _target(self, workflow: str, trigger: str) -> Target:
        return target(workflow, trigger, self._project.definition(workflow))


def whole(message: StoredMessage) -> bytes:
    """Give the body of a message.

    Raises:
        WipedError: It was erased.
    """
    if message.body is None:
        raise WipedError(f"the payload of the message {message.id} was erased")
    return message.body
