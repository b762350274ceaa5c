"""Where a redirect leads: reads are followed without credentials to other origins, writes only where nothing changes."""

from collections.abc import Mapping

from crossdock_http.address import origin, shown, target_of
from crossdock_http.content import READS, Query, Request, SendOptions, with_query
from crossdock_http.errors import RedirectError
from crossdock_http.reply import Reply

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TO_ANYBODY = frozenset({"accept", "user-agent"})
"""The headers that go along when a redirect leads to another origin."""


def kept_statuses(method: str, options: SendOptions) -> frozenset[int]:
    """Give the statuses that the job wants to see instead of being led on."""
    errors = options.get("errors")
    if errors is False:  # a read is led on all the same; a write would end there with an error
        return _REDIRECTS if method not in READS else frozenset()
    return frozenset(options.get("ok") or ()) | frozenset(errors if isinstance(errors, Mapping) else ())


def location_of(reply: Reply, kept: frozenset[int]) -> str | None:
    """Give where a reply leads on; None where it does not, or the job wants to see it."""
    return reply.headers.get("location") or None if reply.status in _REDIRECTS - kept else None


def redirected(request: Request, reply: Reply, location: str, own_query: Query) -> Request:
    """Give the request that a redirect asks for; what is the credential's stays on its origin.

    Args:
        request: What was redirected.
        reply: What redirected it.
        location: Where to.
        own_query: What the credential adds to the query on its origin.

    Raises:
        RedirectError: It is a write that would go elsewhere, or leaves TLS.
    """
    target = target_of(request.url, location)
    near, read = origin(target) == origin(request.url), request.method in READS
    downgraded = request.url.startswith("https:") and not target.startswith("https:")
    if downgraded or not (read or (near and reply.status in (307, 308))):
        raise RedirectError(f"{request} was redirected to {shown(target)}", status=reply.status)
    if near:
        return request._replace(url=with_query(target, own_query))
    headers = {name: value for name, value in request.headers.items() if name in _TO_ANYBODY}
    return Request(request.method, target, headers)


def check_origin(reply: Reply, asked: Request, request: Request) -> None:
    """Say so if who refused a request is not whom it was meant for."""
    if reply.status in (401, 403) and origin(asked.url) != origin(request.url):
        raise RedirectError(
            f"{asked} was redirected to {origin(request.url)}, which gets no credentials and answered {reply.status}",
            status=reply.status,
        )
