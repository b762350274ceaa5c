"""Why a project can't be served, why a request to the inbox is refused, and what its sender is told."""

from collections.abc import Mapping
from typing import Any

from crossdock.errors import CrossdockError


class ServerError(CrossdockError):
    """A project can't be served."""

    code = "not_served"
    fix = "Correct what is named, and start the server again."
    outcome = "refused"


class RequestError(CrossdockError):
    """A request to the inbox is refused.

    Args:
        status: The status of the answer (RFC 9110, 15).
        code: The stable code that senders look at.
        message: What is wrong, without the content of the request.
        fix: What the sender can do about it.
        headers: Headers of the answer.
        details: Facts for the sender's program; ``retry_after`` is the number of seconds after which
            to send it again, and becomes a header too.

    Example:
        >>> RequestError(413, "too_large", "the body has more than 10 bytes", fix="Send less.", limit_bytes=10).answer
        {'error': 'too_large', 'message': 'the body has more than 10 bytes', 'fix': 'Send less.', 'limit_bytes': 10}
    """

    code = "request_refused"
    fix = "Correct the request."

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        /,
        *,
        fix: str,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, fix=fix, **details)
        self.status = status
        self.code = code
        wait = {"retry-after": str(details["retry_after"])} if "retry_after" in details else {}
        self.headers = {**wait, **(headers or {})}

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object that its sender gets."""
        return {"error": self.code, "message": str(self), "fix": self.fix, **self.details}
