"""What all plugins share: names of libraries that nobody is to replace, and who does.

It looks at a few that tempt, so it finds the usual mistake and not every one.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

_SHARED = (
    "builtins.open",
    "builtins.print",
    "httpx.Client",
    "httpx.Client.send",
    "httpx.HTTPTransport.handle_request",
    "json.dumps",
    "json.loads",
    "socket.create_connection",
    "socket.getaddrinfo",
    "socket.socket",
    "ssl.create_default_context",
    "subprocess.Popen",
    "time.sleep",
)


@contextmanager
def replacing() -> Iterator[list[str]]:
    """Note the shared names that mean something else at the end of the block; it imports their libraries.

    Example:
        >>> import time
        >>> sleep = time.sleep
        >>> with replacing() as replaced:
        ...     time.sleep = print
        >>> time.sleep = sleep
        >>> replaced
        ['time.sleep']
    """
    before, replaced = _meanings(), list[str]()
    yield replaced
    after = _meanings()
    replaced += [name for name, meaning in before.items() if after.get(name) is not meaning]


def _meanings() -> dict[str, object]:
    from pkgutil import resolve_name  # imported late: no run needs it

    found: dict[str, object] = {}
    for name in _SHARED:
        with suppress(ImportError, AttributeError):  # not every place has every library
            found[name] = resolve_name(name)
    return found
