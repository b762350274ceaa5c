"""What a message is to the run that it started: the state of its first step."""

from crossdock.errors import InputError
from crossdock.message import Message
from crossdock.project.project import Project
from crossdock.project.triggers import Webhook
from crossdock.server.body import read_body, unpack_body
from crossdock.state import State
from crossdock.store.records import Claimed, StoredMessage


def state_of(project: Project, claimed: Claimed) -> State:
    """Give the state that the first step of a run receives.

    The payload of a webhook is its ``data``; all other messages are states. ``request`` says what
    came how, and the cursors are those of the workflow as they are now.

    Args:
        project: It knows the triggers.
        claimed: The run.

    Raises:
        InputError: The message can't be read, or was erased.
    """
    message = claimed.message
    if message.body is None:
        raise InputError("what the run received was erased", fix="Ask its sender for the message again.")
    trigger = project.definition(claimed.workflow).triggers.get(claimed.trigger)
    if message.kind == "webhook":
        state = State(data=payload_of(message, message.body, trigger if isinstance(trigger, Webhook) else None))
    else:
        state = Message.from_json(message.body, what="the message").state
    request = {} if message.request is None else {"request": dict(message.request)}
    return state | request | {"cursors": dict(claimed.cursors)}


def payload_of(message: StoredMessage, body: bytes, trigger: Webhook | None) -> object:
    """Read a body as the inbox did.

    Args:
        message: The message that it belongs to.
        body: The body.
        trigger: What received it, if that is known.

    Raises:
        RequestError: It is not what an inbox accepts.
    """
    headers = (message.request or {}).get("headers", {})
    encoding = headers.get("content-encoding", "").encode() or None
    unpacked = unpack_body(body, encoding, gzip=True, limit=1 << 62)
    kind = (message.content_type or "application/json").encode("latin-1")
    twice = "refuse" if trigger is None else trigger.duplicate_keys
    return read_body(unpacked, kind, accept="any", duplicate_keys=twice, xml=True)
