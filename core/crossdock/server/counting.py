"""Counting: how many requests to the inbox were answered how."""

from collections.abc import Container

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossdock.server.metrics import REQUESTS, Metrics

_INBOX = "/inbox/"


def count_refusal(metrics: Metrics, status: int) -> None:
    """Count a request that was refused before anybody knew which address it was for."""
    metrics.count(REQUESTS, "", str(status))


class Counting:
    """An ASGI application that counts the answers of another one to what is sent to the inbox.

    Args:
        app: The other one.
        metrics: Where they are counted.
        known: The names of the addresses: whatever else strangers try is counted without a name.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, known: Container[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count that."""
        if scope["type"] != "http" or not scope["path"].startswith(_INBOX):
            return await self._app(scope, receive, send)
        name = scope["path"].removeprefix(_INBOX).partition("/")[0]
        inbox = name if name in self._known else ""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.count(REQUESTS, inbox, str(message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            self._metrics.count(REQUESTS, inbox, "500")  # what answers that stands outside of this
            raise
