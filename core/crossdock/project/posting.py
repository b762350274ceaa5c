"""Posting: the workflow that posts notices to a webhook; a project has one for each, without writing it."""

from typing import Any

from crossdock.common.data import idempotency_key
from crossdock.errors import AdaptorError, message_of
from crossdock.job import Job
from crossdock.lazy import computed, credentials, state
from crossdock.project.shape import Notice, Retry, WorkflowDefinition
from crossdock.project.steps import StepDefinition
from crossdock.state import State
from crossdock.workflow import Step, Workflow

ADAPTOR = "http"
"""The adaptor that posts, if it is installed."""

_STEP = _CREDENTIAL = "webhook"

DEFINITION = WorkflowDefinition(
    steps={_STEP: StepDefinition(job="the notice", credentials=[_CREDENTIAL])},
    retry=Retry(attempts=10),
)
"""What is said of it: with the usual waits its attempts take three hours."""


def posting(name: str) -> Workflow:
    """Build the workflow.

    A notice that is posted again, since nobody knows whether it arrived, has the same ``Idempotency-Key``.

    Args:
        name: Its name.

    Raises:
        PluginError: The http adaptor is not installed.
    """
    from crossdock.adaptors import http  # imported late: few projects need it

    fields = credentials[_CREDENTIAL]
    post = http.post(
        fields.url,
        state.data,
        headers=fields.headers,
        idempotent=computed(lambda _: idempotency_key()),
        parse="text",
    )
    return Workflow(name, Step(_STEP, Job(post.catch(_again))))


class NoticeError(AdaptorError):
    """A notice was not posted to its webhook, or nobody knows."""

    code = "notice_not_posted"
    fix = "Look at what receives it, and at the webhook and headers of notify: in the project file."
    transient = True


def _again(error: Exception, _: State) -> State:
    """Say that it may pass, whatever it was: the receiver can tell by the key what it has already."""
    raise NoticeError(f"the notice was not posted: {message_of(error)}") from error


def credentials_for(notice: Notice) -> dict[str, dict[str, Any]]:
    """Give what the workflow needs to reach a webhook; who wrote the address into the project chose where it is."""
    fields = {"url": notice.webhook, "headers": dict(notice.headers), "allow_private_addresses": True}
    return {_CREDENTIAL: {"adaptor": ADAPTOR, **fields}}
