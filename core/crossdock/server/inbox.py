"""The inbox: an ASGI application that takes messages in.

``POST /inbox/NAME`` keeps what it is sent as a message and starts the runs that it matches; what follows
the name and the query go to ``state.request``. A 2xx is sent when the message is on the disk, and not
before. Whoever is refused gets a JSON object that says why and what to do.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from crossdock.server.address import Address
from crossdock.server.counting import Counting
from crossdock.server.delivery import Delivery, unauthorized
from crossdock.server.errors import RequestError
from crossdock.server.failures import Failures
from crossdock.server.reply import Runs, after_runs
from crossdock.server.watch import Watch
from crossdock.store.errors import BacklogError, IdReusedError, StoreError
from crossdock.store.records import Accepted, NewMessage

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_SMALL = 64 * 1024
"""Bodies up to this size are read where they come in: handing them to a thread takes longer."""

_READERS = 2
"""How many threads read larger bodies, each of which may take ten times its size in memory."""

_WITHOUT_BODY = (204, 205, 304)

_LENGTH_DIGITS = 20
"""The most digits of a length."""

_LOGGED = ("unauthorized", "too_many_failures", "store_unavailable", "backlog_full")
"""The refusals of which the log says more, or has said it."""

_RETRY_AFTER = 5
"""After how many seconds to come again when a message can't be kept now."""


class Store(Protocol):
    """What keeps messages."""

    def accept_soon(self, message: NewMessage) -> Future[Accepted]:
        """Keep a message; what it gives is done when the message is on the disk."""


def inbox(
    addresses: Iterable[Address],
    store: Store,
    *,
    runs: Runs | None = None,
    version: Callable[[], str] = str,
    most_failures: int = 30,
    room: int = 256 * 1024 * 1024,
    watch: Watch | None = None,
) -> Starlette:
    """Build the application that takes messages in; it may be mounted in another one.

    Args:
        addresses: Where messages arrive.
        store: What keeps them.
        runs: What tells how runs ended; needed where a sender waits for them.
        version: Gives that of the project, for the runs.
        most_failures: How many requests with wrong credentials a sender may send in a minute.
        room: How many bytes of bodies may be in memory at once.
        watch: What answers at ``/metrics`` and ``/health``; by default the latter says only that it is there.
    """
    known = {address.name: address for address in addresses}
    desk = _Desk(known, store, runs, version, most_failures, room)
    application = Starlette(
        routes=[Route("/inbox/{path:path}", desk), *(watch.routes if watch else [Route("/health", _health)])],
        middleware=[Middleware(Counting, watch.metrics, known)] if watch else [],
        exception_handlers={RequestError: _refused, HTTPException: _no_route, Exception: _broken},
    )
    application.router.redirect_slashes = False  # another address is another address
    return application


class _Desk:
    """Takes requests below ``/inbox/``."""

    def __init__(
        self,
        addresses: Mapping[str, Address],
        store: Store,
        runs: Runs | None,
        version: Callable[[], str],
        most_failures: int,
        room: int,
    ) -> None:
        self._addresses = addresses
        self._store = store
        self._runs = runs
        self._version = version
        self._failures = Failures(most_failures, 60, time.monotonic)
        self._room = _Room(room)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="crossdock-reader")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        address = self._addresses.get(path.partition("/")[0])
        if address is None or not all(part.strip(".") for part in path.split("/")):
            raise _not_found()
        try:
            accepted = await self._taken_in(request, address)
        except RequestError as error:
            _log_refused(address, error, _sender(request))
            raise
        return await self._acknowledged(address, accepted)

    async def _taken_in(self, request: Request, address: Address) -> Accepted:
        with self._room.some() as take:
            return await self._kept(address, await self._admitted(request, address, take))

    async def _admitted(self, request: Request, address: Address, take: Callable[[int], None]) -> Delivery:
        """Read a request; of an address that is switched off only those learn who may send to it."""
        if address.enabled:
            return await self._read(request, address, take)
        if not address.methods:
            raise _not_found()
        try:
            await self._read(request, address, take)
        except RequestError:
            raise _not_found() from None
        message, fix = "this address takes no messages now", "Ask its operator to enable the trigger."
        raise RequestError(403, "trigger_disabled", message, fix=fix)

    async def _read(self, request: Request, address: Address, take: Callable[[int], None]) -> Delivery:
        """Read a request from someone who may send it."""
        if request.method != "POST":
            raise _wrong_method()
        sender = _sender(request)
        path, query = f"/inbox/{request.path_params['path']}", request.scope["query_string"]
        head = Delivery(path, query, request.headers.raw, now=time.time())
        if address.methods:
            self._failures.check(sender)
        if not address.signs_body:
            self._authenticate(address, head, sender)
        delivery = head._replace(body=await _body(request, address.max_bytes, take))
        if address.signs_body:
            await self._aside(address, delivery, lambda: self._authenticate(address, delivery, sender))
        return delivery

    def _authenticate(self, address: Address, delivery: Delivery, sender: str) -> None:
        if not address.methods or delivery.is_allowed(address):
            return
        said, about = delivery.doubt(address), {"event": "unauthorized", "inbox": address.name}
        _logger.warning("inbox %s: a request from %s has %s", address.name, sender, said, extra=about)
        if self._failures.add(sender):
            _logger.warning("inbox %s: all from %s gets 429 for a minute", address.name, sender, extra=about)
        raise unauthorized(address)

    async def _kept(self, address: Address, delivery: Delivery) -> Accepted:
        """Keep a message; it is on the disk when this is done."""

        def keep() -> Future[Accepted]:
            return self._store.accept_soon(delivery.message(address, self._version()))

        try:
            return await asyncio.wrap_future(await self._aside(address, delivery, keep))
        except IdReusedError as error:
            message = "another message came with this id, and with another body"
            raise RequestError(409, error.code, message, fix=error.fix) from None
        except StoreError as error:
            _logger.error(
                "inbox %s: a message was not kept: %s",
                address.name,
                error,
                extra={"event": "message_not_kept", "inbox": address.name},
            )
            raise _not_now(error) from None

    async def _aside(self, address: Address, delivery: Delivery, work: Callable[[], T]) -> T:
        """Do what may take long for a large body, in a thread if it is one."""
        if len(delivery.body) <= _SMALL and address.schema is None and not address.gzip:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def _acknowledged(self, address: Address, accepted: Accepted) -> Response:
        headers = {"x-message-id": accepted.message, "x-run-ids": ",".join(accepted.runs)}
        if accepted.duplicate:
            headers["x-duplicate"] = "true"
        if address.reply == "after_run" and accepted.runs and self._runs is not None:
            return await self._replied(self._runs, address, accepted, headers)
        if address.ack == "accepted":
            return JSONResponse({"message_id": accepted.message, "run_ids": accepted.runs}, 202, headers)
        return Response(b"{}", 200, headers, "application/json")

    async def _replied(self, runs: Runs, address: Address, accepted: Accepted, headers: Mapping[str, str]) -> Response:
        try:
            reply = await after_runs(runs, accepted.runs, message=accepted.message, seconds=address.reply_seconds)
        except RequestError as error:
            error.headers.update(headers)
            raise
        if reply.status in _WITHOUT_BODY:
            return Response(None, reply.status, headers)
        return JSONResponse(reply.body, reply.status, headers)


class _Room:
    """The memory that bodies may take together."""

    def __init__(self, size: int) -> None:
        self._left = size

    @contextmanager
    def some(self) -> Iterator[Callable[[int], None]]:
        """Give a function that takes bytes of it, until the end of the block."""
        taken = 0

        def take(number: int) -> None:
            nonlocal taken
            if number > self._left:
                message, fix = "too many large messages come at the same time", "Send it again later."
                raise RequestError(503, "busy", message, fix=fix, retry_after=_RETRY_AFTER)
            taken += number
            self._left -= number

        try:
            yield take
        finally:
            self._left += taken


async def _body(request: Request, limit: int, take: Callable[[int], None]) -> bytes:
    """Read a body as far as the limit; where its length is declared, not even so far."""
    declared = request.headers.get("content-length", "0")
    if len(declared) > _LENGTH_DIGITS or not declared.isdecimal() or int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for piece in request.stream():
        if len(body) + len(piece) > limit:
            raise _too_large(limit)
        take(len(piece))
        body += piece
    return bytes(body)


def _sender(request: Request) -> str:
    return request.client.host if request.client else ""


def _log_refused(address: Address, error: RequestError, sender: str) -> None:
    """Log why a request was refused, but for its text, which may quote the payload."""
    if error.code in _LOGGED:
        return
    about = {"event": "request_refused", "inbox": address.name}
    _logger.warning(
        "inbox %s: a request from %s got %d: %s", address.name, sender, error.status, error.code, extra=about
    )


def _too_large(limit: int) -> RequestError:
    message = f"the body has more than {limit} bytes"
    fix = "Send less at a time, or have the operator raise max_bytes of the trigger."
    return RequestError(413, "too_large", message, fix=fix, limit_bytes=limit)


def _not_found() -> RequestError:
    return RequestError(404, "not_found", "there is nothing at this address", fix="Correct the address.")


def _wrong_method() -> RequestError:
    message, fix = "this is the address of an inbox: it takes messages by POST", "Send it with POST."
    return RequestError(405, "method_not_allowed", message, fix=fix, headers={"allow": "POST"})


def _not_now(error: StoreError) -> RequestError:
    """Say that a message can't be kept now; why is the operator's business."""
    is_full = isinstance(error, BacklogError)
    code = error.code if is_full else "store_unavailable"
    message = "too many messages wait to be processed" if is_full else "the message can't be kept now"
    return RequestError(503, code, message, fix="Send it again later.", retry_after=_RETRY_AFTER)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(_: Request, error: Any) -> Response:
    return JSONResponse(error.answer, error.status, error.headers)


async def _no_route(request: Request, error: Any) -> Response:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message, fix = "this address does not take this method", "Use a method that Allow lists."
        known = RequestError(405, "method_not_allowed", message, fix=fix, headers=error.headers)
    else:
        known = _not_found()
    return await _refused(request, known)


async def _broken(request: Request, _: Exception) -> Response:
    message, fix = "the server failed", "Tell its operator, whose log says more."
    return await _refused(request, RequestError(500, "internal_error", message, fix=fix))
